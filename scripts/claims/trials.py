"""The ablations: accuracies of every variant and seed at the same numbers of weights left, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from claims.data import ROOT
from quatnet.report import ablations, statistics
from quatnet.report.ablations import LEVELS
from quatnet.report.crossing import Polyline, turns
from quatnet.report.points import Point

TICKS = [f"{level:.3g} %" if level > 1 else f"{level:.2f} %" for level in LEVELS]
Difference = tuple[float, float]
"""A mean, and half of its 95 % t interval (NaN with one pair)."""


@cache
def variants(name: str) -> dict[str, dict[int, Polyline]]:
    """Return the curves of ablations, by variant and seed."""
    trials = ablations.read_csv(ROOT / "results" / name / "results.csv")
    return {label: {points[0].seed: _curve(points) for points in of} for label, of in trials.items()}


def _curve(points: Sequence[Point]) -> Polyline:
    weights_left, accuracy = np.array([(point.weights_left, point.accuracy) for point in points]).T
    return Polyline.of(weights_left, accuracy, [point.round for point in points])


def values(name: str, label: str, weights_left: float) -> dict[int, float]:
    """Return the accuracy of every seed at some weights left; NaN where there is none."""
    at = np.array([weights_left])
    return {seed: float(curve.at(at)[0, 0]) for seed, curve in variants(name)[label].items()}


def mean(name: str, label: str, weights_left: float) -> float:
    """Return the mean accuracy at some weights left."""
    return float(np.mean(list(values(name, label, weights_left).values())))


def cell(name: str, label: str, weights_left: float) -> str:
    """Write mean and sample deviation at some weights left."""
    found = np.array(list(values(name, label, weights_left).values()))
    if np.isnan(found).any():
        return "-"
    return f"{found.mean():.1f}" + (f" ± {found.std(ddof=1):.1f}" if len(found) > 1 else "")


def difference(name: str, label: str, subtracted: str, weights_left: float) -> Difference:
    """Return the mean difference of the seeds that both variants have."""
    ours, theirs = values(name, label, weights_left), values(name, subtracted, weights_left)
    return _interval(np.array([ours[seed] - theirs[seed] for seed in ours if seed in theirs]))


def gaps(name: str, label: str, weights_left: float) -> Difference:
    """Return how much less the quaternion network is ahead in an ablation than unchanged."""
    of = [values(name, f"{a}{changed}", weights_left) for changed in ("", f", {label}") for a in ("quaternion", "real")]
    return _interval(np.array([of[0][s] - of[1][s] - (of[2][s] - of[3][s]) for s in of[0] if all(s in o for o in of)]))


def pairs(name: str, label: str, subtracted: str) -> int:
    """Return how many seeds both variants have."""
    return len(variants(name)[label].keys() & variants(name)[subtracted].keys())


def crossing(name: str, label: str, subtracted: str) -> float | None:
    """Return where the mean of a variant overtakes that of another one, in percent of the weights."""
    means = (_mean_curve(list(variants(name)[one].values())) for one in (label, subtracted))
    found = turns(next(means).minus(next(means)))
    return found[0].place if len(found) == 1 else None


def _mean_curve(curves: Sequence[Polyline]) -> Polyline:
    mean = np.mean([curve.values for curve in curves], axis=0)
    return Polyline(curves[0].weights_left, mean, curves[0].joined)


def _interval(found: np.ndarray) -> Difference:
    test = statistics.paired_t(found[:, np.newaxis])
    return float(found.mean()), math.nan if test is None else float(test.half[0])


def signed(difference: Difference, *, star: bool = False) -> str:
    """Write a difference, with its sign; a star where the interval has no 0."""
    mean, half = difference
    if math.isnan(mean):
        return "-"
    return f"{mean:+.1f}" + ("" if math.isnan(half) else f" ± {half:.1f}") + (" *" if star and abs(mean) > half else "")


def plain(difference: Difference) -> str:
    """Write how large a difference is."""
    return signed((abs(difference[0]), difference[1]))[1:]
