"""Curves over log2 of the weights left, where one overtakes another, and the 95 % interval of that place.

Weights left are in percent and fall from left to right. A curve is linear between the levels of rounds that follow each
other, and has no values between others: across missing rounds nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from quatnet.report import rounds, statistics

SAME_LEVEL = 1e-4
"""Relative difference up to which two numbers of weights left are the same one, rounded."""


@dataclass(frozen=True)
class Polyline:
    """Values with a row per seed and a column per level; `joined`: between which neighbouring levels it is linear."""

    weights_left: np.ndarray
    values: np.ndarray
    joined: np.ndarray

    @classmethod
    def of(cls, weights_left: np.ndarray, values: np.ndarray, numbers: Sequence[int] | None = None) -> Polyline:
        """Return a curve by its rounds; `numbers` are theirs, and if not given they follow each other.

        `values` may be those of one seed, without its axis.
        """
        numbers = range(len(weights_left)) if numbers is None else numbers
        return cls(weights_left, np.atleast_2d(values), rounds.successive(numbers))

    def reaches(self, at: np.ndarray) -> np.ndarray:
        """Say at which numbers of weights left it has values: at its levels, up to rounding, and where it is linear."""
        here, high, low = at[:, None], self.weights_left[:-1], self.weights_left[1:]
        is_level = np.isclose(here, self.weights_left, rtol=SAME_LEVEL, atol=0).any(axis=1)
        between = ((here <= high) & (here >= low) & self.joined).any(axis=1)
        return np.asarray(is_level | between)

    def at(self, at: np.ndarray) -> np.ndarray:
        """Return the values (seeds, levels) at other numbers of weights left; NaN where there are none."""
        x, new = np.log2(self.weights_left[::-1]), np.log2(at)
        values = np.array([np.interp(new, x, row[::-1]) for row in self.values])
        return np.where(self.reaches(at), values, np.nan)

    def minus(self, other: Polyline) -> Polyline:
        """Return the difference, by seed, at the levels of either curve that both reach."""
        both = np.union1d(self.weights_left, other.weights_left)[::-1]
        at = both[self.reaches(both) & other.reaches(both)]
        middles = np.sqrt(at[:-1] * at[1:])
        return Polyline(at, self.at(at) - other.at(at), self.reaches(middles) & other.reaches(middles))


@dataclass(frozen=True)
class Turn:
    """Two neighbouring levels between which a mean difference turns from negative to 0 or more, and where.

    `place` is None where rounds are missing between the two.
    """

    high: float
    low: float
    place: float | None


@dataclass(frozen=True)
class Piece:
    """Weights left from `high` down to `low`. An end is open where nothing is known of what lies beyond it."""

    high: float
    low: float
    high_open: bool
    low_open: bool


def turns(difference: Polyline) -> tuple[Turn, ...]:
    """Return where the mean difference turns from negative to 0 or more, in the order of falling weights left."""
    mean, levels = difference.values.mean(axis=0), difference.weights_left
    found = []
    for k in np.flatnonzero((mean[:-1] < 0) & (mean[1:] >= 0)):
        x, next_x = np.log2(levels[k : k + 2])
        place = 2 ** (x + mean[k] / (mean[k] - mean[k + 1]) * (next_x - x))
        found.append(Turn(float(levels[k]), float(levels[k + 1]), float(place) if difference.joined[k] else None))
    return tuple(found)


def equality(difference: Polyline) -> tuple[Piece, ...]:
    """Return the weights left at which the paired t test does not reject that both curves are equal, at 5 %.

    This is the interval of a crossing by inversion of the test (Fieller 1954): where the true means cross they are
    equal, which the test rejects with a probability of 5 %. It may have several pieces, and open ends. It is empty with
    one pair, and where equality is rejected everywhere. Between two joined levels the difference of each pair is linear
    in log2 of the weights left. The ends of a piece are therefore levels, or roots of the quadratic equation
    n mean^2 = t^2 variance.
    """
    pieces: list[Piece] = []
    end, before = None, False
    for span in _spans(difference):
        adjoins = span.high == end
        if before and adjoins:
            last = pieces.pop()
            pieces.append(Piece(last.high, span.low if span.equal else last.low, last.high_open, span.equal))
        elif span.equal:
            pieces.append(Piece(span.high, span.low, not adjoins, True))
        end, before = span.low, span.equal
    return tuple(pieces)


@dataclass(frozen=True)
class _Span:
    """A stretch of weights left, within which equality is rejected everywhere or nowhere."""

    high: float
    low: float
    equal: bool


def _spans(difference: Polyline) -> Iterator[_Span]:
    """Cut a curve at its levels and at the roots between them; a level that is joined to no other stands alone."""
    levels, values, joined = difference.weights_left, difference.values, difference.joined
    if len(values) < statistics.FEWEST_SEEDS:
        return
    for k in range(len(levels)):
        high, first = float(levels[k]), values[:, k]
        if not joined[max(0, k - 1) : k + 1].any():
            yield _Span(high, high, _is_equal(first, np.zeros_like(first), 0.0))
        if k < len(joined) and joined[k]:
            low, step = float(levels[k + 1]), values[:, k + 1] - first
            parts = _roots(first, step)
            places = [high, *(high * (low / high) ** part for part in parts), low]
            for (start, end), (above, below) in zip(pairwise([0.0, *parts, 1.0]), pairwise(places), strict=True):
                yield _Span(above, below, _is_equal(first, step, (start + end) / 2))


def _is_equal(first: np.ndarray, step: np.ndarray, part: float) -> bool:
    """Say whether equality is not rejected at first + part step; pairs that differ alike all the way say nothing."""
    alike = max(float(np.ptp(first)), float(np.ptp(step))) <= statistics.ROUNDING
    here = first + part * step
    return alike or _excess(here, here) <= 0


def _roots(first: np.ndarray, step: np.ndarray) -> list[float]:
    """Return where, between 0 and 1, the t test of first + part step is just significant."""
    found = np.roots([_excess(step, step), 2 * _excess(first, step), _excess(first, first)])
    return sorted(float(root.real) for root in found if abs(root.imag) < 1e-12 and 0 < root.real < 1)


def _excess(a: np.ndarray, b: np.ndarray) -> float:
    """Return the bilinear form that is n mean^2 - t^2 variance where both differences are the same."""
    pairs = len(a)
    covariance = (a - a.mean()) @ (b - b.mean()) / (pairs - 1)
    return float(pairs * a.mean() * b.mean() - statistics.critical_t(pairs) ** 2 * covariance)
