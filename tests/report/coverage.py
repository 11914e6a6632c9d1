"""How often the intervals of a report hold the true value, by simulation: `python -m tests.report.coverage`.

The seeds of a simulated experiment are drawn around known means, and the share of the experiments is counted whose
interval holds the true value. The percentile bootstrap stands beside the t interval and the inverted t test for
comparison.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

from quatnet.report import crossing, statistics
from quatnet.report.crossing import Polyline

SEEDS = (2, 3, 5, 10)
LEVELS = 100 * 0.8 ** np.arange(6, 20)
TRUE_DIFFERENCE = np.linspace(-4.0, 6.0, len(LEVELS))
"""Quaternion minus real in points: it crosses 0 between two levels."""
CROSSING = float(2 ** np.interp(0.0, TRUE_DIFFERENCE, np.log2(LEVELS)))

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
NOISE: dict[str, Draw] = {
    "normal": lambda generator, shape: generator.normal(size=shape),
    # Most seeds a little above the mean, a few far below it, as where a network collapses; skewness -2.
    "skewed": lambda generator, shape: 1 - generator.exponential(size=shape),
}


def of_bands(seeds: int, noise: Draw, experiments: int) -> dict[str, float]:
    """Return the percentages of the experiments in which the band of one level holds the true mean."""
    accuracies = 60 + 3 * noise(np.random.default_rng([seeds, 1]), (seeds, experiments))
    bands = {"t interval": statistics.confidence_band(accuracies), "percentile bootstrap": _bootstrap(accuracies)}
    return {name: 100 * float(((low <= 60) & (high >= 60)).mean()) for name, (low, high) in bands.items()}


def of_crossings(seeds: int, noise: Draw, experiments: int) -> dict[str, float]:
    """Return the percentages of the experiments in which the interval of the crossing holds the true place.

    A seed has a difference of its own in all levels, and one more in each.
    """
    generator = np.random.default_rng([seeds, 2])
    own = noise(generator, (experiments, seeds, 1)) + noise(generator, (experiments, seeds, len(LEVELS)))
    held = {"inverted t test": 0, "percentile bootstrap": 0}
    for differences in TRUE_DIFFERENCE + own:
        curve = Polyline.of(LEVELS, differences)
        held["inverted t test"] += any(piece.low <= CROSSING <= piece.high for piece in crossing.equality(curve))
        low, high = _bootstrapped_crossing(generator, differences)
        held["percentile bootstrap"] += low <= CROSSING <= high
    return {name: 100 * count / experiments for name, count in held.items()}


def _bootstrap(accuracies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = stats.bootstrap(
        (accuracies,), np.mean, axis=0, vectorized=True, method="percentile", n_resamples=1000, batch=100, rng=1
    )
    return found.confidence_interval.low, found.confidence_interval.high


def _bootstrapped_crossing(generator: np.random.Generator, differences: np.ndarray) -> tuple[float, float]:
    """Return the central 95 % of where the means of resampled seeds first turn, over the resamples that do."""
    drawn = generator.integers(len(differences), size=(500, len(differences)))
    means = differences[drawn].mean(axis=1)
    turns = (means[:, :-1] < 0) & (means[:, 1:] >= 0)
    found = np.flatnonzero(turns.any(axis=1))
    if not len(found):
        return np.inf, -np.inf
    k = turns[found].argmax(axis=1)
    below, above, x = means[found, k], means[found, k + 1], np.log2(LEVELS)
    low, high = np.quantile(2 ** (x[k] + below / (below - above) * (x[k + 1] - x[k])), [0.025, 0.975])
    return float(low), float(high)


def measure(bands: int, crossings: int) -> dict[tuple[str, str, int], dict[str, float]]:
    """Return the percentages by kind of interval, noise and number of seeds, from so many experiments each."""
    return {
        (kind, name, seeds): simulate(seeds, noise, experiments)
        for kind, simulate, experiments in (("band", of_bands, bands), ("crossing", of_crossings, crossings))
        for name, noise in NOISE.items()
        for seeds in SEEDS
    }


def table(measured: dict[tuple[str, str, int], dict[str, float]]) -> str:
    """Return the percentages as lines of a Markdown table."""
    lines = ["| interval | noise | seeds | this report's | percentile bootstrap |", "|---|---|---|---|---|"]
    for (kind, noise, seeds), (ours, bootstrap) in ((key, found.values()) for key, found in measured.items()):
        lines.append(f"| {kind} | {noise} | {seeds} | {ours:.1f} % | {bootstrap:.1f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(measure(20_000, 4_000)) + "\n")
