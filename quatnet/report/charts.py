"""The charts of a page: which curves, on which axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from quatnet.report import rounds, svg
from quatnet.report.details import COMPONENTS, Survival, Training
from quatnet.report.summary import Section, mean_and_deviation, percent
from quatnet.report.svg import Line

WIDE, NARROW, SMALL = (880, 440), (358, 320), (350, 250)
WEIGHTS = "weights left, % of the real network"
DASHES = ("", "dashed", "dotted")


def accuracy(section: Section) -> str:
    """Draw accuracy against weights left, the paper's curves behind ours: once for wide and once for narrow windows."""
    lines = [*_paper_lines(section), *_own_lines(section)]
    x = svg.halvings((value for line in lines for value in line.x), WEIGHTS, falling=True)
    shown = [value for line in lines for values in (line.y, *(line.band or ())) for value in values]
    y = svg.linear(shown, "test accuracy, %")
    label = f"Test accuracy against weights left: {section.experiment.title}"
    charts = [
        f'<div class="{name}">{svg.chart(lines, x, y, size=size, label=label)}</div>'
        for name, size in (("wide", WIDE), ("narrow", NARROW))
    ]
    return svg.legend(sorted(lines, key=lambda line: "paper" in line.style)) + "".join(charts)


def trainings(found: dict[str, list[Training]]) -> list[tuple[str, str]]:
    """Draw loss and accuracy by epoch, per algebra, as (title, chart); the axes of the algebras are the same."""
    charts = []
    for algebra, own in found.items():
        for name, values in (("training loss", "loss"), ("test accuracy, %", "accuracy")):
            every = [
                y for others in found.values() for training in others for y in _by_epoch(training, values).values()
            ]
            if not every:
                continue
            lines = []
            for training, dashes in zip(own, DASHES, strict=False):
                points = _by_epoch(training, values)
                style, x, y = f"{algebra} {dashes}".strip(), tuple(points), tuple(points.values())
                lines.append(Line(name=_round_name(training), style=style, x=x, y=y, marker=len(x) == 1))
            charts.append(_small(f"{algebra}: {name}", lines, "epoch", svg.linear(every, "")))
    return charts


def layers(algebra: str, survival: Survival) -> tuple[str, str]:
    """Draw what is left of every layer by round, in colours from violet (the first) to red (the last)."""
    last = max(1, len(survival.names) - 1)
    lines = [
        _by_round(name.removesuffix(".weight"), "layer", survival, survival.layers[:, k], hue=265 - 245 * k / last)
        for k, name in enumerate(survival.names)
    ]
    return _survival(f"{algebra}: what is left of every layer", lines)


def components(survival: Survival) -> tuple[str, str]:
    """Draw what is left of the components r, i, j and k by round, over all quaternion layers."""
    lines = [_by_round(name, name, survival, survival.together[:, column]) for column, name in enumerate(COMPONENTS)]
    return _survival("quaternion: what is left of r, i, j and k", lines)


def _own_lines(section: Section) -> list[Line]:
    lines = []
    for algebra, curve in section.experiment.curves.items():
        rows = section.of(algebra)
        low, high = ([row.low for row in rows], [row.high for row in rows])
        lines.append(
            Line(
                name=f"{algebra}, {len(curve.seeds)} seed{'s' if len(curve.seeds) > 1 else ''}",
                style=algebra,
                x=[row.weights_left for row in rows],
                y=[row.accuracy for row in rows],
                marker=True,
                band=None if None in low or None in high else (low, high),  # type: ignore[arg-type]
                tips=[f"{algebra}, {percent(row.weights_left)} left: {mean_and_deviation(row)} %" for row in rows],
                gaps=rounds.gaps(curve.rounds),
            )
        )
    return lines


def _paper_lines(section: Section) -> list[Line]:
    if section.figure is None:
        return []
    return [
        Line(
            name=f"{algebra}, the paper's Figure {section.figure.name}",
            style=f"{algebra} paper",
            x=curve.weights_left.tolist(),
            y=curve.accuracy.tolist(),
            marker=True,
            bars=curve.deviation.tolist(),
        )
        for algebra, curve in section.figure.curves.items()
    ]


def _by_epoch(training: Training, values: str) -> dict[int, float]:
    """Return the values by epoch, without those that are NaN."""
    found = zip(training.epochs, getattr(training, values).tolist(), strict=True)
    return {epoch: value for epoch, value in found if not math.isnan(value)}


def _round_name(training: Training) -> str:
    name = "dense" if training.round == 0 else f"round {training.round}"
    return f"{name} ({percent(training.weights_left)})"


def _by_round(name: str, style: str, survival: Survival, values: np.ndarray, hue: float | None = None) -> Line:
    left = np.flatnonzero(values)  # a logarithmic axis has no 0
    numbers = [survival.rounds[k] for k in left]
    return Line(name, style, numbers, values[left].tolist(), marker=True, hue=hue, gaps=rounds.gaps(numbers))


def _survival(title: str, lines: Sequence[Line]) -> tuple[str, str]:
    y = svg.halvings((value for line in lines for value in line.y), "left, %", falling=False)
    return _small(title, lines, "round", y)


def _small(title: str, lines: Sequence[Line], x_label: str, y: svg.Axis) -> tuple[str, str]:
    x = svg.linear((value for line in lines for value in line.x), x_label, whole=True)
    return title, svg.legend(lines) + svg.chart(lines, x, y, size=SMALL, label=title)
