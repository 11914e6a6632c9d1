"""Which rounds runs have: those that all of them have, and which of them follow each other.

A run always has round 0, the dense network. Later rounds may be missing, where only some masks were trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np


class Measured(Protocol):
    """A round of a run: a RoundResult, or a Point of a table."""

    @property
    def round(self) -> int:
        """Its number."""

    @property
    def weights_left(self) -> float:
        """In percent of the real network."""

    @property
    def accuracy(self) -> float:
        """In percent."""


def common(trials: Iterable[Iterable[int]]) -> tuple[int, ...]:
    """Return the numbers of the rounds that all trials have, in order."""
    return tuple(sorted(set.intersection(*(set(trial) for trial in trials))))


def successive(numbers: Sequence[int]) -> np.ndarray:
    """Say of each pair of neighbours whether no round is missing between them: (rounds - 1,), bool."""
    return np.asarray(np.diff(np.asarray(numbers, np.int64)) == 1)


def gaps(numbers: Sequence[int]) -> tuple[int, ...]:
    """Return at which positions a line over these rounds is interrupted: before those that follow a missing round."""
    return tuple(int(k) + 1 for k in np.flatnonzero(~successive(numbers)))


def text(numbers: Sequence[int]) -> str:
    """Write the numbers of rounds: 0 to 20, or 0, 7 to 9, 12."""
    starts = [0, *gaps(numbers)]
    pieces = (numbers[start:end] for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True))
    return ", ".join(f"{piece[0]}" if len(piece) == 1 else f"{piece[0]} to {piece[-1]}" for piece in pieces)


def shared(trials: Sequence[Sequence[Measured]]) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Return the numbers of the rounds that all trials have, the weights left, and the accuracies (trials, rounds).

    The weights left are those of the first trial.
    """
    numbers = common([measured.round for measured in trial] for trial in trials)
    by_round = [{measured.round: measured for measured in trial} for trial in trials]
    weights_left = np.array([by_round[0][k].weights_left for k in numbers])
    return numbers, weights_left, np.array([[trial[k].accuracy for k in numbers] for trial in by_round])
