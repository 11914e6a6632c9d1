"""Statistics over seeds: deviations, t intervals, paired and Welch's t tests, an exact sign-flip test, Holm's method.

Accuracies and differences are arrays in percent or points, with a row per seed and a column per round or level. What
scipy.stats has is done by it; it is imported where it is needed, for that takes longer than most commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
FEWEST_SEEDS = 2
"""How many seeds have a deviation, and with it a t interval and a t test."""
MOST_PAIRS = 40
"""How many pairs the exact test takes: it lists the signed sums of half of them, 2**20 numbers."""
ROUNDING = 1e-9
"""Deviations up to this are rounding, in percent and relative to the mean."""


def sample_deviation(values: np.ndarray) -> np.ndarray | None:
    """Return the sample standard deviation over the seeds, as the paper's error bars; None with one seed."""
    return np.asarray(values.std(axis=0, ddof=1)) if len(values) >= FEWEST_SEEDS else None


@cache
def critical_t(seeds: int) -> float:
    """Return the quantile of Student's t that is half the width of a 95 % interval in standard errors."""
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1))


def confidence_band(accuracy: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the 95 % t interval of the mean accuracy of every column, low and high; None with one seed.

    Each interval is of its column by itself: the band as a whole does not hold all means with that probability. It is
    cut to 0 to 100 %, where every mean lies. Seeds that agree give an interval without width.
    """
    from scipy import stats

    seeds = len(accuracy)
    if seeds < FEWEST_SEEDS:
        return None
    mean = accuracy.mean(axis=0)
    half = critical_t(seeds) * stats.sem(accuracy, axis=0)
    return np.maximum(mean - half, 0.0), np.minimum(mean + half, 100.0)


@dataclass(frozen=True)
class PairedT:
    """The t test of paired differences, by column: the mean, half the width of its 95 % t interval, the two-sided p.

    Differences that are all equal say nothing of their spread: `half` is NaN and `p` is 1.
    """

    mean: np.ndarray
    half: np.ndarray
    p: np.ndarray

    @property
    def low(self) -> np.ndarray:
        """The lower end of the interval."""
        return np.asarray(self.mean - self.half)

    @property
    def high(self) -> np.ndarray:
        """The upper end of the interval."""
        return np.asarray(self.mean + self.half)


def paired_t(differences: np.ndarray) -> PairedT | None:
    """Test whether the mean of each column of `differences` (pairs, columns) is 0; None with one pair.

    The differences of a column are taken as independent draws of a normal distribution. A column with a NaN has the
    mean NaN, and says nothing.
    """
    from scipy import stats

    if len(differences) < FEWEST_SEEDS:
        return None
    mean, deviation = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    half, p = np.full(mean.shape, np.nan), np.ones(mean.shape)
    spread = deviation > ROUNDING * np.maximum(1, np.abs(mean))
    if spread.any():
        test = stats.ttest_1samp(differences[:, spread], 0)
        interval = test.confidence_interval(CONFIDENCE)
        half[spread], p[spread] = (interval.high - interval.low) / 2, test.pvalue
    return PairedT(mean, half, p)


def welch_p(difference: float, deviations: tuple[float, float], sizes: tuple[int, int]) -> float:
    """Return the two-sided p-value of Welch's t test for a difference of two means.

    `deviations` are the sample standard deviations and `sizes` the numbers of the values that were averaged.
    """
    from scipy import stats

    if not any(deviations):
        return float(difference == 0)
    (a, b), (n, m) = deviations, sizes
    return float(stats.ttest_ind_from_stats(difference, a, n, 0, b, m, equal_var=False).pvalue)


def sign_flip_p(differences: np.ndarray) -> float:
    """Return the exact two-sided p-value of paired differences under all 2**n flips of their signs.

    It is the share of flips whose sum is at least as far from 0 as the one observed. The flips are not listed: a sum is
    one of the first half of the differences plus one of the second, and those of the second are sorted.
    """
    observed, rounding = abs(differences.sum()), ROUNDING * np.abs(differences).sum()
    if observed <= rounding:
        return 1.0
    half = len(differences) // 2
    first, second = _signed_sums(differences[:half]), np.sort(_signed_sums(differences[half:]))
    smaller = np.searchsorted(second, observed - rounding - first)
    as_large = len(first) * len(second) - int(smaller.sum())
    return float(2 * as_large / 2 ** len(differences))


def smallest_p(pairs: int, tests: int) -> float:
    """Return the smallest p-value of the sign-flip test of so many pairs, after Holm's correction for so many tests."""
    return min(1.0, tests * 2.0 ** (1 - pairs))


def pairs_needed(tests: int) -> int:
    """Return with how many pairs one of so many sign-flip tests can be significant."""
    return next(pairs for pairs in range(1, 1000) if smallest_p(pairs, tests) <= SIGNIFICANCE)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number by Holm's method, in their order."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, stepped)
    return corrected


def _signed_sums(values: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
