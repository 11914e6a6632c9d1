"""Accuracy against weights left, as in the paper's Figure 4: logarithmic axis, dense on the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from quatnet.runs import RoundResult

COLOURS = {"real": "#b5482a", "quaternion": "#2a5fb5"}


def save_curves(path: Path, trials: Mapping[str, Sequence[Sequence[RoundResult]]], title: str) -> bool:
    """Draw accuracy against weights left into a PNG or SVG file.

    `trials` maps an algebra (real, quaternion) to one list of rounds per seed. Of several seeds the mean is drawn, in a
    band of one sample standard deviation, over the rounds that all of them have. Returns False where matplotlib is not
    installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
    except ImportError:
        return False
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    all_weights_left = []
    for algebra, runs in trials.items():
        rounds = min(len(run) for run in runs)
        weights_left = [result.weights_left for result in runs[0][:rounds]]
        accuracy = np.array([[result.accuracy for result in run[:rounds]] for run in runs])
        mean, colour = accuracy.mean(axis=0), COLOURS[algebra]
        label = algebra if len(runs) == 1 else f"{algebra}, {len(runs)} seeds"
        axes.plot(weights_left, mean, marker="o", markersize=4, color=colour, label=label)
        if len(runs) > 1:
            deviation = accuracy.std(axis=0, ddof=1)
            axes.fill_between(weights_left, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0)
        all_weights_left += weights_left
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([100 / 2**k for k in range(20)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}" if x < 10 else f"{x:.3g}"))
    most, least = max(all_weights_left), min(all_weights_left)
    axes.set_xlim(1.15 * most, min(least, most / 2) / 1.15)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("weights left, % of the real network (logarithmic)")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    return True
