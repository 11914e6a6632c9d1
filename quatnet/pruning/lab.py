"""The bench on which an experiment happens: a network, its optimizer, the data and the run folder.

`Lab` has the steps that the protocols of lottery.py are made of, and makes each resumable: a training that the run
folder has, whole or begun, is loaded instead of done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from quatnet.backend import to_host
from quatnet.errors import RunError
from quatnet.fast import accelerate_optimizer
from quatnet.nn.networks import Network, count_parameters
from quatnet.pruning.criteria import CRITERIA
from quatnet.pruning.masks import Masks
from quatnet.pruning.units import UNITS
from quatnet.runs import RoundResult, Run
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position, Stream, generator
from quatnet.training import Progress, TrainingData, make_optimizer, train, train_epoch


@dataclass(frozen=True)
class Listener:
    """Functions that follow an experiment (for progress bars); each does nothing unless given.

    `step(batch, batches)` after every batch; `epoch(position, progress, weights_left)` after every epoch, when its
    checkpoint is written; `finished(position, result)` after every round.
    """

    step: Callable[[int, int], None] = lambda batch, batches: None
    epoch: Callable[[Position, Progress, float], None] = lambda position, progress, weights_left: None
    finished: Callable[[Position, RoundResult], None] = lambda position, result: None


class Lab:
    """An experiment's state and its steps."""

    def __init__(self, run: Run, data: TrainingData, network: Network, listener: Listener | None = None) -> None:
        self.run = run
        self.data = data
        self.network = network
        self.settings = run.train_settings
        self.listener = listener or Listener()
        self.optimizer = accelerate_optimizer(make_optimizer(network, self.settings), network)
        self._real_size = sum(
            count_parameters(self.settings.arch, False, data.dataset.input_shape, data.dataset.classes)
        )
        self._progress = Progress()
        self._rewind_points: dict[int, dict[str, np.ndarray]] = {0: run.initial()}
        with _fitting(run.path / "initial.npz"):
            self.rewind()

    def resume(self, round: int, phase: Phase = Phase.ROUNDS) -> bool:
        """Return whether the run folder has a round, whole or begun, and if so load it."""
        position = Position(phase, round)
        self._progress = Progress()
        checkpoint = self.run.load_checkpoint()
        begun = checkpoint is not None and checkpoint.position == position
        if checkpoint is not None and begun:
            self._progress = checkpoint.progress
            with _fitting(self.run.path / "checkpoint.npz"):
                self.network.parameters.set_mask(checkpoint.arrays["mask"])
                self.network.set_flat(checkpoint.arrays["value"])
                self.optimizer.set_state(checkpoint.arrays, checkpoint.steps)
        if not self.run.is_finished(position):
            return begun
        values, masks = self.run.load_round(position)
        masks.apply(self.network.parameters)
        self.network.load(values)
        return True

    def train(self, round: int, phase: Phase = Phase.ROUNDS, *, first_epoch: int = 0) -> None:
        """Train from wherever the round stands to the end, and write it into the run folder."""
        position = Position(phase, round)
        if self.run.is_finished(position):
            self.run.write_results()  # an interruption may have come just before it
            return
        epoch = train(
            self.network,
            self.optimizer,
            self.data,
            self._settings_of(phase),
            position,
            self._progress if self._progress.epochs else Progress(epochs=first_epoch),
            lambda progress: self._save(position, progress),
            self.listener.step,
        )
        parameters = self.network.parameters
        masks = Masks.of(parameters)
        test_loss, accuracy = epoch.tested()
        result = RoundResult(round, self.weights_left(), masks.count(), accuracy, epoch.epoch, epoch.loss, test_loss)
        self.run.save_round(position, self.network.values(), masks, result)
        self.listener.finished(position, result)

    def _settings_of(self, phase: Phase) -> TrainSettings:
        """Return how a training of a phase is done: searches may have epochs of their own."""
        prune = self.run.prune_settings
        if phase is Phase.SEARCH and prune is not None:
            return replace(self.settings, epochs=prune.epochs_of_search(self.settings))
        return self.settings

    def mask(self, round: int, prune: PruneSettings) -> None:
        """Prune the next part of the weights, by the criterion, as they are now."""
        parameters = self.network.parameters
        random = generator(self.settings.seed, Stream.MASK, round)
        units = UNITS[prune.unit](self.network)
        parameters.set_mask(CRITERIA[prune.criterion](parameters, prune.amount, random, units))
        self.optimizer.mask_state()

    def take_mask(self, round: int) -> None:
        """Take the mask that the search found for a round."""
        self.run.load_round(Position(Phase.SEARCH, round))[1].apply(self.network.parameters)
        self.optimizer.mask_state()

    def rewind(self, epoch: int = 0) -> None:
        """Set all weights left, and all biases, to their values after `epoch` epochs of round 0 (0: initial values)."""
        if epoch not in self._rewind_points:
            self._rewind_points[epoch] = self._repeat_round_0(epoch)
        self.network.load(self._rewind_points[epoch])

    def reinitialize(self, round: int) -> None:
        """Draw new initial weights under the present mask."""
        self.network.initialize(self.settings.init, generator(self.settings.seed, Stream.REINIT, round))

    def collapsed(self, round: int, prune: PruneSettings, phase: Phase = Phase.ROUNDS) -> bool:
        """Return whether a round and the one before are below the accuracy at which to stop."""
        accuracies = [r.accuracy for r in self.run.results(phase) if r.round in (round - 1, round)]
        return len(accuracies) == 2 and max(accuracies) < prune.stop_below

    def weights_left(self) -> float:
        """Return the paper's abscissa: weights left and all biases, in percent of the real network's parameters."""
        parameters = self.network.parameters
        biases = parameters.size - int(parameters.prunable.sum())
        return 100 * (parameters.count_kept() + biases) / self._real_size

    def _save(self, position: Position, progress: Progress) -> None:
        parameters = self.network.parameters
        arrays = {"value": self.network.flat(), "mask": to_host(parameters.mask), **self.optimizer.state()}
        self.run.save_checkpoint(position, progress, arrays, self.optimizer.steps)
        self.listener.epoch(position, progress, self.weights_left())

    def _repeat_round_0(self, epochs: int) -> dict[str, np.ndarray]:
        """Train the first epochs of round 0 again: they give the same values, bit for bit, and need no extra files."""
        parameters = self.network.parameters
        mask = to_host(parameters.mask).copy()
        parameters.set_mask(np.ones_like(mask))
        self.rewind(0)
        self.optimizer.reset()
        dense = Position(Phase.ROUNDS, 0)
        for epoch in range(epochs):
            train_epoch(self.network, self.optimizer, self.data.dataset, self.settings, dense, epoch)
        values = self.network.values()
        parameters.set_mask(mask)
        return values


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Turn the failure to put a file's arrays into the network into a RunError."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} does not fit the network of the run's settings ({error})") from None
