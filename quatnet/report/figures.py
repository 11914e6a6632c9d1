"""Accuracy against weights left, as in the paper's Figure 4: logarithmic axis, dense on the left. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from quatnet.report import rounds, statistics
from quatnet.report.summary import BAND, Section
from quatnet.report.svg import tick_text
from quatnet.runs import RoundResult

COLOURS = {"real": "#b5482a", "quaternion": "#2a5fb5"}
BEHIND: dict[str, Any] = {
    "alpha": 0.45, "linestyle": "--", "linewidth": 1, "elinewidth": 1, "capsize": 2, "zorder": 1,
}  # fmt: skip
"""How the paper's curves look."""


@dataclass(frozen=True)
class Series:
    """A curve to draw: `band` is its lower and upper edge; with `bars` it is the paper's, drawn behind ours.

    Before the points at the positions `gaps` the curve and its band are interrupted.
    """

    label: str
    algebra: str
    weights_left: np.ndarray
    accuracy: np.ndarray
    band: tuple[np.ndarray, np.ndarray] | None = None
    bars: np.ndarray | None = None
    gaps: tuple[int, ...] = ()


def save_curves(path: Path, trials: Mapping[str, Sequence[Sequence[RoundResult]]], title: str) -> bool:
    """Draw accuracy against weights left into a PNG or SVG file.

    `trials` maps an algebra (real, quaternion) to one list of rounds per seed. Of several seeds the mean is drawn, in a
    band of one sample standard deviation, over the rounds that all of them have. Returns False where matplotlib is not
    installed.
    """
    return save_panels(path, [(title, [_of_trials(algebra, runs) for algebra, runs in trials.items()])])


def save_sections(path: Path, sections: Sequence[Section]) -> bool:
    """Draw every experiment of a report beside the others, in 95 % t intervals, with the paper's curves behind.

    Returns False where matplotlib is not installed.
    """
    return save_panels(path, [(section.experiment.title, _of_section(section)) for section in sections])


def _of_trials(algebra: str, runs: Sequence[Sequence[RoundResult]]) -> Series:
    numbers, weights_left, accuracy = rounds.shared(runs)
    mean, deviation = accuracy.mean(axis=0), statistics.sample_deviation(accuracy)
    return Series(
        label=algebra if len(runs) == 1 else f"{algebra}, {len(runs)} seeds",
        algebra=algebra,
        weights_left=weights_left,
        accuracy=mean,
        band=None if deviation is None else (mean - deviation, mean + deviation),
        gaps=rounds.gaps(numbers),
    )


def _of_section(section: Section) -> list[Series]:
    series = []
    for algebra, curve in (section.figure.curves if section.figure else {}).items():
        label = f"{algebra}, Figure {section.figure.name}" if section.figure else algebra
        series.append(Series(label, algebra, curve.weights_left, curve.accuracy, bars=curve.deviation))
    for algebra, ours in section.experiment.curves.items():
        seeds, band = len(ours.seeds), statistics.confidence_band(ours.accuracy)
        label = algebra if seeds == 1 else f"{algebra}, {seeds} seeds, {BAND}"
        gaps = rounds.gaps(ours.rounds)
        series.append(Series(label, algebra, ours.weights_left, ours.mean, band=band, gaps=gaps))
    return series


def save_panels(path: Path, panels: Sequence[tuple[str, Sequence[Series]]], columns: int = 2) -> bool:
    """Draw several pictures side by side, each with its title. Returns False where matplotlib is not installed."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = blank(columns, rows)
    if figure is None:
        return False
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (title, series) in zip(grid, panels, strict=False):
        _draw(axes, title, series)
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.savefig(path, dpi=150 if columns < 3 else 90)
    return True


def blank(columns: int = 1, rows: int = 1) -> Any:
    """Return an empty matplotlib figure for so many panels; None where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(6.4 * columns, 4.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw(axes: Any, title: str, series: Sequence[Series]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for line in series:
        colour, x, y = COLOURS[line.algebra], line.weights_left, line.accuracy
        if line.bars is not None:
            axes.errorbar(*_interrupted(line.gaps, x, y, line.bars), color=colour, label=line.label, **BEHIND)
            continue
        axes.plot(*_interrupted(line.gaps, x, y), marker="o", markersize=4, color=colour, label=line.label)
        if line.band is not None:
            axes.fill_between(*_interrupted(line.gaps, x, *line.band), color=colour, alpha=0.2, linewidth=0)
            if alone := _alone(line):
                axes.vlines(x[alone], *(edge[alone] for edge in line.band), color=colour, alpha=0.2, linewidth=6)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([100 / 2**k for k in range(20)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: tick_text(x)))
    most, least = (limit(limit(line.weights_left) for line in series) for limit in (max, min))
    axes.set_xlim(1.15 * most, min(least, most / 2) / 1.15)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("weights left, % of the real network (logarithmic)")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()


def _interrupted(gaps: tuple[int, ...], *columns: np.ndarray) -> list[np.ndarray]:
    """Return columns with a NaN before each gap, where matplotlib interrupts a line."""
    return [np.insert(column, gaps, np.nan) for column in columns]


def _alone(line: Series) -> list[int]:
    """Return the positions of the points that are connected to no other."""
    starts = [0, *line.gaps, len(line.weights_left)]
    return [start for start, end in pairwise(starts) if end - start == 1]
