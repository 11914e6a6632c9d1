"""What only run folders tell: losses by epoch, and which weights are left, by layer and by quaternion component.

Everything is a mean over the runs of one algebra, in the rounds that all of them have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quatnet.errors import RunError
from quatnet.pruning.masks import Masks
from quatnet.report import rounds
from quatnet.runs import Run
from quatnet.streams import Phase, Position

COMPONENTS = ("r", "i", "j", "k")


@dataclass(frozen=True)
class Training:
    """The training of one round: training loss and test accuracy (percent; NaN where not all were tested) by epoch."""

    round: int
    weights_left: float
    epochs: tuple[int, ...]
    loss: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class Survival:
    """What is left of every weight, in percent of its entries: one row for each of the `rounds` that all runs have.

    `layers` has a column per weight. `components` has, for every quaternion weight, columns r, i, j, k in percent of a
    quarter of its entries, and `together` the same of all quaternion weights together; of real networks both are empty.
    """

    rounds: tuple[int, ...]
    names: tuple[str, ...]
    layers: np.ndarray
    components: dict[str, np.ndarray]
    together: np.ndarray


def trainings(runs: Sequence[Run]) -> list[Training]:
    """Return the dense training, one in the middle and the last one."""
    shared = _common_rounds(runs)
    chosen = sorted({shared[0], shared[len(shared) // 2], shared[-1]})
    left = {result.round: result.weights_left for result in runs[0].results()}
    epochs = [_epochs(run) for run in runs]
    found = []
    for k in chosen:
        trials = [of_run.get(k, []) for of_run in epochs]
        length = min(len(trial) for trial in trials)
        if not length:
            continue
        values = np.array([trial[:length] for trial in trials]).mean(axis=0)
        found.append(Training(k, left[k], tuple(range(1, length + 1)), values[:, 0], values[:, 1]))
    return found


def survival(runs: Sequence[Run]) -> Survival:
    """Read all masks and count, one mask in memory at a time."""
    shared = _common_rounds(runs)
    trials = [[_Left.of(Masks.load(_mask(run, k))) for k in shared] for run in runs]
    names = tuple(trials[0][0].layers)
    layers = np.mean([[[left.layers[name] for name in names] for left in trial] for trial in trials], axis=0)
    components = {
        name: np.mean([[left.components[name] for left in trial] for trial in trials], axis=0)
        for name in trials[0][0].components
    }
    together = np.mean([[left.together for left in trial] for trial in trials], axis=0)
    return Survival(shared, names, layers, components, together)


@dataclass(frozen=True)
class _Left:
    """One mask: percent left of each weight, of each component of the quaternion ones, and of those together."""

    layers: dict[str, float]
    components: dict[str, np.ndarray]
    together: np.ndarray

    @classmethod
    def of(cls, masks: Masks) -> _Left:
        quaternion = [name for name in masks if is_quaternion(masks.shapes[name])]
        # The rows of a mask are those of r, i, j and k, one component below the other.
        counts = {name: np.diff(masks[name].indptr).reshape(len(COMPONENTS), -1).sum(axis=1) for name in quaternion}
        sizes = {name: np.prod(masks.shapes[name]) / len(COMPONENTS) for name in quaternion}
        together = np.array(sum(counts.values())) / sum(sizes.values()) if quaternion else np.zeros(0)
        return cls(
            {name: 100 * density for name, density in masks.densities().items()},
            {name: 100 * counts[name] / sizes[name] for name in quaternion},
            100 * together,
        )


def is_quaternion(shape: Sequence[int]) -> bool:
    """Say whether a weight has components: a leading axis of four before (in, out) or (kh, kw, in, out)."""
    return len(shape) in (3, 5) and shape[0] == len(COMPONENTS)


def _mask(run: Run, k: int) -> Path:
    return run.folder(Position(Phase.ROUNDS, k)) / "mask.npz"


def _common_rounds(runs: Sequence[Run]) -> tuple[int, ...]:
    return rounds.common([result.round for result in run.results()] for run in runs)


def _epochs(run: Run) -> dict[int, list[tuple[float, float]]]:
    """Return loss and accuracy by round and epoch. Of an epoch that was trained twice, the second time counts."""
    found: dict[int, dict[int, tuple[float, float]]] = {}
    for line in run.metrics():
        phase, round_, epoch, values = _values(run, line)
        if phase == Phase.ROUNDS.folder:
            found.setdefault(round_, {})[epoch] = values
    return {round_: [epochs[epoch] for epoch in sorted(epochs)] for round_, epochs in found.items()}


def _values(run: Run, line: Any) -> tuple[str, int, int, tuple[float, float]]:
    try:
        accuracy = math.nan if line["accuracy"] is None else float(line["accuracy"])
        return line["phase"], int(line["round"]), int(line["epoch"]), (float(line["loss"]), accuracy)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run.path / 'metrics.jsonl'}: not the epochs of a run ({error})") from None
