"""The ablations: accuracies of every variant and seed at the same numbers of weights left, and paired differences."""

from __future__ import annotations

import csv
import math
from functools import cache

import numpy as np

from claims.data import ROOT
from quatnet.report import statistics
from quatnet.report.ablations import LEVELS

TICKS = [f"{level:.3g} %" if level > 1 else f"{level:.2f} %" for level in LEVELS]
Difference = tuple[float, float]
"""A mean, and half of its 95 % t interval (NaN with fewer than three pairs)."""


@cache
def variants(name: str) -> dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """Return weights left and accuracies of all rounds, by variant and seed."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    with (ROOT / "results" / name / "results.csv").open() as file:
        for line in csv.DictReader(file):
            rounds = found.setdefault(line["variant"], {}).setdefault(int(line["seed"]), [])
            rounds.append((float(line["weights_left"]), float(line["accuracy"])))
    return {label: {seed: _curve(rounds) for seed, rounds in of.items()} for label, of in found.items()}


def _curve(rounds: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    weights_left, accuracy = np.array(rounds).T
    return weights_left, accuracy


def values(name: str, label: str, weights_left: float) -> dict[int, float]:
    """Return the accuracy of every seed at some weights left; NaN outside the rounds' range."""
    at = np.array([weights_left])
    found = {}
    for seed, (own, accuracy) in variants(name)[label].items():
        inside = statistics.within_range(at, own)[0]
        found[seed] = float(statistics.interpolate(own, accuracy, at)[0, 0]) if inside else math.nan
    return found


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


def crossing(name: str, label: str, subtracted: str) -> float:
    """Return where the mean of a variant overtakes that of another one, in percent of the weights."""
    (x, y), (other_x, other_y) = (_mean_curve(name, one) for one in (label, subtracted))
    at, found = statistics.differences(x, y, other_x, other_y)
    return float(statistics.crossings(at, found)[0])


def _mean_curve(name: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    curves = list(variants(name)[label].values())
    return curves[0][0], np.mean([accuracy for _, accuracy in curves], axis=0, keepdims=True)


def _interval(found: np.ndarray) -> Difference:
    interval = statistics.paired_t(found[:, np.newaxis])
    return float(found.mean()), math.nan if interval is None else float(interval[1][0] - interval[0][0]) / 2


def signed(difference: Difference, *, star: bool = False) -> str:
    """Write a difference, with its sign; a star where the interval has no 0."""
    mean, half = difference
    if math.isnan(mean):
        return "-"
    return f"{mean:+.1f}" + ("" if math.isnan(half) else f" ± {half:.1f}") + (" *" if star and abs(mean) > half else "")


def plain(difference: Difference) -> str:
    """Write how large a difference is."""
    return signed((abs(difference[0]), difference[1]))[1:]
