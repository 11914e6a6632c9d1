"""Statistics over seeds: deviations, bootstrap bands, the crossing of two curves, exact tests of paired differences.

Accuracies are arrays with a row per seed and a column per round. Curves are compared over log2 of the weights left,
which fall from left to right. Everything is a function of arrays; the random numbers of the bootstrap are always the
same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

RESAMPLES = 10_000
SEED = 0
CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
FEWEST_PAIRS = 3
"""With how many pairs the paired t test is made: two have a single degree of freedom."""
MOST_PAIRS = 40
"""How many pairs the exact test takes: it lists the signed sums of half of them, 2**20 numbers."""


def sample_deviation(values: np.ndarray) -> np.ndarray | None:
    """Return the sample standard deviation over the seeds, as the paper's error bars; None with one seed."""
    return np.asarray(values.std(axis=0, ddof=1)) if len(values) > 1 else None


def resampled_means(values: np.ndarray, resamples: int = RESAMPLES) -> np.ndarray:
    """Return the means of bootstrap samples of the rows: row b is the mean of as many rows, drawn with replacement.

    Equal numbers of rows are drawn alike, so that two arrays with the same seeds are resampled together.
    """
    n = len(values)
    counts = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.asarray(counts @ values / n)


def percentile_interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper end of the central 95 % of the samples, along the first axis."""
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(samples, [outside, 1 - outside], axis=0)
    return low, high


def confidence_band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the 95 % percentile-bootstrap band of the mean over the seeds; None with one seed.

    Few seeds make it too narrow. It never leaves the range of the seeds, which holds the true mean of a symmetric
    distribution with probability 1 - 2 / 2**n only: 75 % for three seeds, 94 % for five.
    """
    return percentile_interval(resampled_means(values)) if len(values) > 1 else None


def interpolate(weights_left: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return values at other numbers of weights left, linearly over log2; a row of `values` per seed."""
    x, new = np.log2(weights_left[::-1]), np.log2(at)
    return np.array([np.interp(new, x, row[::-1]) for row in np.atleast_2d(values)])


def within_range(weights_left: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Say which of the first numbers of weights left lie within the range of the other ones, up to their rounding."""
    low, high = other.min() * (1 - 1e-4), other.max() * (1 + 1e-4)
    return np.asarray((weights_left >= low) & (weights_left <= high))


def differences(
    weights_left: np.ndarray, values: np.ndarray, other_weights_left: np.ndarray, other_values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all numbers of weights left in the range of both curves, and there the first values minus the others."""
    own = weights_left[within_range(weights_left, other_weights_left)]
    others = other_weights_left[within_range(other_weights_left, weights_left)]
    at = np.union1d(own, others)[::-1]
    return at, interpolate(weights_left, values, at) - interpolate(other_weights_left, other_values, at)


def crossings(weights_left: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Return, per row, where a difference first turns from negative to 0 or more as weights left fall; NaN: nowhere.

    Differences are linear over log2 between the given numbers of weights left.
    """
    if len(weights_left) < 2:
        return np.full(len(difference), np.nan)
    x = np.log2(weights_left)
    turns = (difference[:, :-1] < 0) & (difference[:, 1:] >= 0)
    found = np.flatnonzero(turns.any(axis=1))
    k = turns[found].argmax(axis=1)
    below, above = difference[found, k], difference[found, k + 1]
    places = np.full(len(difference), np.nan)
    places[found] = 2 ** (x[k] + below / (below - above) * (x[k + 1] - x[k]))
    return places


def sign_flip_p(differences: np.ndarray) -> float:
    """Return the exact two-sided p-value of paired differences under all 2**n flips of their signs.

    It is the share of flips whose sum is at least as far from 0 as the one observed. The flips are not listed: a sum is
    one of the first half of the differences plus one of the second, and those of the second are sorted.
    """
    observed, rounding = abs(differences.sum()), 1e-9 * np.abs(differences).sum()
    if observed <= rounding:
        return 1.0
    half = len(differences) // 2
    first, second = _signed_sums(differences[:half]), np.sort(_signed_sums(differences[half:]))
    smaller = np.searchsorted(second, observed - rounding - first)
    as_large = len(first) * len(second) - int(smaller.sum())
    return float(2 * as_large / 2 ** len(differences))


def smallest_p(pairs: int, tests: int) -> float:
    """Return the smallest p-value that so many pairs can give, after Holm's correction for so many tests."""
    return min(1.0, tests * 2.0 ** (1 - pairs))


def pairs_needed(tests: int) -> int:
    """Return with how many pairs one of so many tests can be significant."""
    return next(pairs for pairs in range(1, 1000) if smallest_p(pairs, tests) <= SIGNIFICANCE)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number by Holm's method, in their order."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, stepped)
    return corrected


def paired_t(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the 95 % t interval of the mean of each column, low and high, and the two-sided p-values of its t test.

    `differences` (pairs, levels) are taken as normally distributed, which a sign-flip test need not assume; in return,
    few pairs can be enough. None with fewer than three. Differences that are all equal say nothing of their spread:
    their interval is NaN and their p is 1.
    """
    pairs = len(differences)
    if pairs < FEWEST_PAIRS:
        return None
    mean, error = differences.mean(axis=0), differences.std(axis=0, ddof=1) / pairs**0.5
    error = np.where(error > 1e-9 * np.abs(mean), error, np.nan)
    half = special.stdtrit(pairs - 1, (1 + CONFIDENCE) / 2) * error
    p = 2 * special.stdtr(pairs - 1, -np.abs(mean) / error)
    return mean - half, mean + half, np.where(np.isnan(p), 1.0, p)


def welch_p(difference: float, deviations: tuple[float, float], sizes: tuple[int, int]) -> float:
    """Return the two-sided p-value of Welch's t test for a difference of two means.

    `deviations` are the sample standard deviations and `sizes` the numbers of the values that were averaged.
    """
    errors = [deviation**2 / size for deviation, size in zip(deviations, sizes, strict=True)]
    if not sum(errors):
        return float(difference == 0)
    freedom = sum(errors) ** 2 / sum(error**2 / (size - 1) for error, size in zip(errors, sizes, strict=True))
    return float(2 * special.stdtr(freedom, -abs(difference) / sum(errors) ** 0.5))


def _signed_sums(values: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
