"""Real against quaternion at equal numbers of weights left, over the seeds that both have.

Runs of one seed see the same batches whatever their algebra, so they are compared in pairs. A quaternion network starts
at about a quarter of the weights: every real run is interpolated, linearly over log2, at the quaternion's levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quatnet.report import statistics
from quatnet.report.experiments import Curve, Experiment
from quatnet.report.points import ALGEBRAS

AHEAD, BEHIND, UNKNOWN = "quaternion is ahead", "real is ahead", "no difference shown"
BY_T = " (t test)"


@dataclass(frozen=True)
class Level:
    """Mean accuracies of the pairs at one number of weights left, in percent.

    `low` and `high` are the 95 % t interval of the difference, of this level by itself. `p` is that of the exact
    sign-flip test and `t_p` that of the t test, both Holm-corrected over the levels. None with fewer than three pairs;
    pairs that differ alike have no interval.
    """

    weights_left: float
    real: float
    quaternion: float
    difference: float
    low: float | None
    high: float | None
    p: float
    t_p: float | None
    verdict: str


@dataclass(frozen=True)
class Crossing:
    """Where the quaternion mean overtakes the real one as weights left fall, in percent.

    None: it does not. `low` and `high` are the 95 % bootstrap interval, over the resamples that have a crossing; `none`
    is the share of those that have none, in percent. All three are None with one pair.
    """

    weights_left: float | None
    low: float | None
    high: float | None
    none: float | None


@dataclass(frozen=True)
class Comparison:
    """What the pairs say, level by level, and where the curves cross.

    `smallest_p` is the least that so many pairs can give; with `pairs_needed` a level could be significant.
    """

    seeds: tuple[int, ...]
    levels: tuple[Level, ...]
    crossing: Crossing
    smallest_p: float
    pairs_needed: int


def obstacle(experiment: Experiment) -> str | None:
    """Say why the two algebras of an experiment cannot be compared, if so."""
    if missing := [algebra for algebra in ALGEBRAS if algebra not in experiment.curves]:
        return f"there is no {missing[0]} run"
    real, quaternion = experiment.curves["real"], experiment.curves["quaternion"]
    seeds = len(_pairs(real, quaternion))
    if not seeds:
        return "real and quaternion have no seed in common"
    if seeds > statistics.MOST_PAIRS:
        return f"the exact test takes up to {statistics.MOST_PAIRS} seeds, and there are {seeds}"
    return None if len(_shared(quaternion, real)) else "real and quaternion have no number of weights left in common"


def compare(experiment: Experiment) -> Comparison | None:
    """Compare the two algebras; None where there is an obstacle."""
    if obstacle(experiment):
        return None
    real, quaternion = experiment.curves["real"], experiment.curves["quaternion"]
    seeds, at = _pairs(real, quaternion), _shared(quaternion, real)
    values = (statistics.interpolate(curve.weights_left, _of_seeds(curve, seeds), at) for curve in (real, quaternion))
    return Comparison(
        seeds=seeds,
        levels=_levels(at, *values),
        crossing=_crossing(real, quaternion, seeds),
        smallest_p=statistics.smallest_p(len(seeds), len(at)),
        pairs_needed=statistics.pairs_needed(len(at)),
    )


def _pairs(real: Curve, quaternion: Curve) -> tuple[int, ...]:
    return tuple(seed for seed in quaternion.seeds if seed in real.seeds)


def _shared(curve: Curve, other: Curve) -> np.ndarray:
    inside = statistics.within_range(curve.weights_left, other.weights_left)
    return np.asarray(curve.weights_left[inside])


def _of_seeds(curve: Curve, seeds: tuple[int, ...]) -> np.ndarray:
    return np.asarray(curve.accuracy[[curve.seeds.index(seed) for seed in seeds]])


def _levels(at: np.ndarray, real: np.ndarray, quaternion: np.ndarray) -> tuple[Level, ...]:
    differences = quaternion - real
    exact = statistics.holm([statistics.sign_flip_p(column) for column in differences.T])
    enough = statistics.smallest_p(len(differences), len(at)) <= statistics.SIGNIFICANCE
    t = statistics.paired_t(differences)
    levels = []
    for k, difference in enumerate(differences.mean(axis=0)):
        low, high, t_p = (None, None, None) if t is None else (t[0][k], t[1][k], statistics.holm(t[2])[k])
        levels.append(
            Level(
                weights_left=float(at[k]),
                real=float(real[:, k].mean()),
                quaternion=float(quaternion[:, k].mean()),
                difference=float(difference),
                low=None if low is None or np.isnan(low) else float(low),
                high=None if high is None or np.isnan(high) else float(high),
                p=float(exact[k]),
                t_p=None if t_p is None else float(t_p),
                verdict=_verdict(difference, exact[k] if enough else None, t_p, len(differences)),
            )
        )
    return tuple(levels)


def _verdict(difference: float, exact: float | None, t_p: float | None, pairs: int) -> str:
    """Go by the exact test where the pairs are enough for it, else by the t test where that shows a difference."""
    p = t_p if exact is None else exact
    if p is not None and p <= statistics.SIGNIFICANCE:
        return (AHEAD if difference > 0 else BEHIND) + (BY_T if exact is None else "")
    return too_few(pairs) if exact is None else UNKNOWN


def too_few(seeds: int) -> str:
    """Say that a test of so many seeds cannot be significant."""
    return f"{seeds} {'seed is' if seeds == 1 else 'seeds are'} too few to tell"


def _crossing(real: Curve, quaternion: Curve, seeds: tuple[int, ...]) -> Crossing:
    at, differences = statistics.differences(
        quaternion.weights_left, _of_seeds(quaternion, seeds), real.weights_left, _of_seeds(real, seeds)
    )
    (place,) = statistics.crossings(at, differences.mean(axis=0, keepdims=True))
    of_means = None if np.isnan(place) else float(place)
    if len(seeds) == 1:
        return Crossing(of_means, None, None, None)
    places = statistics.crossings(at, statistics.resampled_means(differences))
    found = places[~np.isnan(places)]
    none = 100 * (1 - len(found) / len(places))
    if not len(found):
        return Crossing(of_means, None, None, none)
    low, high = statistics.percentile_interval(found)
    return Crossing(of_means, float(low), float(high), none)
