"""Ablations side by side: the accuracy of every variant at the same numbers of weights left."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from quatnet.errors import DataError
from quatnet.report import points, rounds, statistics
from quatnet.report.crossing import Polyline
from quatnet.report.figures import Series, save_panels
from quatnet.report.points import Point
from quatnet.report.rounds import Measured
from quatnet.runs import CSV_COLUMNS, Run

LEVELS = (25.0, 12.5, 6.25, 3.125, 1.5625, 0.78125)
"""Weights left in percent of the real network: the paper's ticks."""

VARIANT = "variant"
"""The first column of a table of ablations."""

Cell = tuple[float, float | None] | None
"""A mean and its spread, at one level; None where there is no value."""

Trials = Mapping[str, Sequence[Sequence[Measured]]]
"""The label of a variant, and one list of rounds per seed."""


def at_levels(trials: Sequence[Sequence[Measured]]) -> list[Cell]:
    """Return mean accuracy and sample deviation (None with one seed) at every level; None outside the runs' range."""
    values = _at_levels(trials)
    return _cells(values, statistics.sample_deviation(values))


def differences(trials: Trials) -> dict[str, list[Cell]]:
    """Return, per level, the mean paired differences between variants, and half the widths of their 95 % t intervals.

    The quaternion minus the real network, for every ablation that has both; and every variant minus the unchanged
    network of its algebra. Runs of one seed are a pair. There is no interval (None) with one seed, nor where all
    differences are equal.
    """
    values = {label: _at_levels(of_seed) for label, of_seed in trials.items()}
    algebras = ("real", "quaternion")
    names = dict.fromkeys(label.partition(", ")[2] for label in trials)
    pairs = {f"quaternion - {_label('real', name)}": [_label(algebra, name) for algebra in algebras] for name in names}
    pairs |= {f"{_label(a, name)} - unchanged": [a, _label(a, name)] for name in names for a in algebras if name}
    return {
        title: _difference(values[subtracted], values[label])
        for title, (subtracted, label) in pairs.items()
        if subtracted in values and label in values
    }


def to_csv(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return all points as the text of a results.csv, with the label of the variant as first column."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (VARIANT, *CSV_COLUMNS), lineterminator="\n")
    writer.writeheader()
    for label, of_seed in runs.items():
        writer.writerows({VARIANT: label, **asdict(point)} for run in of_seed for point in points.of_run(run))
    return text.getvalue()


def read_csv(path: Path) -> dict[str, list[list[Point]]]:
    """Read what `to_csv` wrote: the trials by the label of their variant, a list of points per seed."""
    found = points.read_csv(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if VARIANT not in (rows.fieldnames or ()):
            raise DataError(f"{path}: no column {VARIANT}")
        labels = [row[VARIANT] for row in rows]
    trials: dict[str, dict[int, list[Point]]] = {}
    for label, point in zip(labels, found, strict=True):
        trials.setdefault(label, {}).setdefault(point.seed, []).append(point)
    return {label: [of_seed[seed] for seed in sorted(of_seed)] for label, of_seed in trials.items()}


def save_ablations(path: Path, trials: Trials) -> bool:
    """Draw a panel per ablation, with the two networks that nothing was changed in behind it. False without matplotlib.

    The first two variants are the unchanged ones; `algebra, name` of the others says which panel they belong to.
    """
    unchanged = [_series(label, trials[label], behind=True) for label in list(trials)[:2]]
    panels: dict[str, list[Series]] = {}
    for label in list(trials)[2:]:
        _, _, name = label.partition(", ")
        panels.setdefault(name, list(unchanged)).append(_series(label, trials[label], behind=False))
    return save_panels(path, list(panels.items()), columns=3)


def _label(algebra: str, name: str) -> str:
    return f"{algebra}, {name}" if name else algebra


def _at_levels(trials: Sequence[Sequence[Measured]]) -> np.ndarray:
    """Return the accuracies (seeds, levels), NaN outside the runs' range and where rounds are missing."""
    numbers, weights_left, accuracy = rounds.shared(trials)
    return Polyline.of(weights_left, accuracy, numbers).at(np.array(LEVELS))


def _difference(subtracted: np.ndarray, values: np.ndarray) -> list[Cell]:
    pairs = values - subtracted
    test = statistics.paired_t(pairs)
    return _cells(pairs, None if test is None else test.half)


def _cells(values: np.ndarray, spread: np.ndarray | None) -> list[Cell]:
    """Return mean and spread of the columns of `values` (seeds, levels); None for a mean or a spread that is NaN."""
    means = values.mean(axis=0).tolist()
    spreads = [math.nan] * len(means) if spread is None else spread.tolist()
    return [
        None if math.isnan(mean) else (mean, None if math.isnan(half) else half)
        for mean, half in zip(means, spreads, strict=True)
    ]


def _series(label: str, trials: Sequence[Sequence[Measured]], *, behind: bool) -> Series:
    numbers, weights_left, accuracy = rounds.shared(trials)
    deviation = statistics.sample_deviation(accuracy)
    mean, algebra = accuracy.mean(axis=0), label.partition(",")[0]
    gaps = rounds.gaps(numbers)
    if behind:
        return Series(f"{algebra}, unchanged", algebra, weights_left, mean, bars=np.zeros_like(mean), gaps=gaps)
    band = None if deviation is None else (mean - deviation, mean + deviation)
    return Series(algebra, algebra, weights_left, mean, band=band, gaps=gaps)
