"""Randomness: one seed per run, from which every use gets its own independent stream.

A stream is a function of the seed, its name and its place in the experiment (phase, round, epoch), not a generator that
is passed around: nothing about it needs to be saved, a resumed run draws the same numbers, and a real and a quaternion
run of one seed see the same batches in every round whatever happened before. All numbers are drawn on the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Stream(IntEnum):
    """What random numbers are drawn for. The numbers are part of the file format: never reuse one."""

    INIT = 0
    ORDER = 1
    AUGMENTATION = 2
    MASK = 3
    REINIT = 4
    SIGNS = 5
    CUT = 1000
    SHAPES = 1001


class Phase(IntEnum):
    """The trainings of a run that are reported, and those that only search for masks."""

    ROUNDS = 0
    SEARCH = 1

    @property
    def folder(self) -> str:
        """The name of the phase in files: rounds or search."""
        return self.name.lower()


@dataclass(frozen=True)
class Position:
    """Which of a run's trainings this is; round 0 is the dense network."""

    phase: Phase
    round: int


def generator(seed: int, stream: Stream, *position: int) -> np.random.Generator:
    """Return a fresh generator for `stream` at `position` (phase, round, epoch, as far as they apply)."""
    import numpy as np

    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(stream), *position)))
