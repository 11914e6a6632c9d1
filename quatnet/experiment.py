"""An experiment: a network, its optimizer, the data and the run folder, with the steps that protocols are made of.

Each step is resumable: a training that the run folder has, whole or begun, is loaded instead of done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from quatnet.backend import to_host
from quatnet.data import load
from quatnet.data.fingerprint import DataDescription
from quatnet.errors import RunError, UsageError
from quatnet.nn.networks import Network, build, count_parameters
from quatnet.nn.optimizers import Optimizer
from quatnet.pruning.criteria import CRITERIA
from quatnet.pruning.masks import Masks, weights_left
from quatnet.pruning.units import UNITS
from quatnet.runs import RoundResult, Run, check_same_settings, run_name
from quatnet.settings import PruneSettings, TrainSettings, numbers
from quatnet.streams import Phase, Position, Stream, generator
from quatnet.training import Progress, TrainingData, make_optimizer, train, train_epoch

DENSE = Position(Phase.ROUNDS, 0)


class Engine(Protocol):
    """What a network runs on: a device, and whatever makes it fast. None of it changes results beyond rounding."""

    @property
    def device(self) -> str:
        """The device: auto, cpu, gpu or gpu:K."""

    def prepare(self, network: Network) -> Network:
        """Return an equal network with the same parameters, as it is to run."""

    def optimizer(self, optimizer: Optimizer, network: Network) -> Optimizer:
        """Return an equal optimizer for a prepared network."""

    def describe(self, network: Network) -> dict[str, Any]:
        """Return what a prepared network runs on, for environment.json."""


@dataclass(frozen=True)
class Reference:
    """The engine of the core: layers and optimizers as they are."""

    device: str = "cpu"

    def prepare(self, network: Network) -> Network:
        """Return the network itself."""
        return network

    def optimizer(self, optimizer: Optimizer, network: Network) -> Optimizer:
        """Return the optimizer itself."""
        return optimizer

    def describe(self, network: Network) -> dict[str, Any]:
        """Return the device and the name of the engine."""
        return {"device": self.device, "engine": "reference"}


REFERENCE = Reference()


@dataclass(frozen=True)
class Listener:
    """Functions that follow an experiment (for progress bars); each does nothing unless given.

    `step(batch, batches)` after every batch; `epoch(position, progress, weights_left)` after every epoch, when its
    checkpoint is written; `finished(position, result)` after every round.
    """

    step: Callable[[int, int], None] = lambda batch, batches: None
    epoch: Callable[[Position, Progress, float], None] = lambda position, progress, weights_left: None
    finished: Callable[[Position, RoundResult], None] = lambda position, result: None


class Experiment:
    """A run that is worked on: its state, and its steps."""

    def __init__(
        self,
        run: Run,
        data: TrainingData,
        network: Network,
        engine: Engine = REFERENCE,
        listener: Listener | None = None,
    ) -> None:
        """Take a run, its data, and its network as the engine has prepared it."""
        self.run = run
        self.data = data
        self.settings = run.train_settings
        self.engine = engine
        self.network = network
        self.optimizer = self._new_optimizer()
        self.listener = listener or Listener()
        self._progress = Progress()
        self._real = count_parameters(self.settings.arch, False, data.dataset.input_shape, data.dataset.classes)

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

    def mask(self, round: int, prune: PruneSettings) -> None:
        """Prune the next weights, by the criterion, as they are now."""
        parameters = self.network.parameters
        random = generator(self.settings.seed, Stream.MASK, round)
        units = UNITS[prune.unit](self.network)
        parameters.set_mask(CRITERIA[prune.criterion](parameters, prune.amount, random, units))
        self.optimizer.mask_state()

    def take_masks(self, round: int) -> None:
        """Take the masks that the search found for a round."""
        self.run.load_round(Position(Phase.SEARCH, round))[1].apply(self.network.parameters)
        self.optimizer.mask_state()

    def rewind(self, epoch: int = 0) -> None:
        """Set all weights left, and all biases, to their values after an epoch of round 0, and go on from there.

        Epoch 0 means the initial values. The values after a later one are written when round 0 gets there.
        """
        values = self.run.load_rewind_point(epoch) if epoch else self.run.initial()
        if values is None:  # round 0 was trained before it was known to which epoch to rewind
            values = self._train_first_epochs(epoch)
            self.run.save_rewind_point(epoch, values)
        with _fitting(f"{self.run.path}: the weights of epoch {epoch}" if epoch else self.run.path / "initial.npz"):
            self.network.load(values)
        self._progress = Progress(epochs=epoch)

    def reinitialize(self, round: int) -> None:
        """Draw new initial weights under the present mask."""
        self.network.initialize(self.settings.init, generator(self.settings.seed, Stream.REINIT, round))

    def train(self, round: int, phase: Phase = Phase.ROUNDS) -> None:
        """Train from wherever the round stands to the end, and write it into the run folder."""
        position, prune = Position(phase, round), self.run.prune_settings
        if self.run.is_finished(position):
            self.run.write_results()  # an interruption may have come just before it
            return
        settings = self.settings
        if phase is Phase.SEARCH and prune is not None:
            settings = replace(settings, epochs=prune.epochs_of_search(settings))
        before, save = self._progress, lambda progress: self._save(position, progress)
        epoch = train(self.network, self.optimizer, self.data, settings, position, before, save, self.listener.step)
        masks = Masks.of(self.network.parameters)
        test_loss, accuracy = epoch.tested()
        result = RoundResult(round, self.weights_left(), masks.count(), accuracy, epoch.epoch, epoch.loss, test_loss)
        self.run.save_round(position, self.network.values(), masks, result)
        self.listener.finished(position, result)

    def weights_left(self) -> float:
        """Return the paper's abscissa, as of now."""
        parameters = self.network.parameters
        return weights_left(parameters.count_kept(), parameters.size - int(parameters.prunable.sum()), self._real)

    def _save(self, position: Position, progress: Progress) -> None:
        """Save an epoch; the checkpoint comes last, so that what is lost with it is done again."""
        prune = self.run.prune_settings
        if prune is not None and position == DENSE and progress.epochs == prune.rewind_epoch:
            self.run.save_rewind_point(progress.epochs, self.network.values())
        parameters = self.network.parameters
        arrays = {"value": self.network.flat(), "mask": to_host(parameters.mask), **self.optimizer.state()}
        self.run.save_checkpoint(position, progress, arrays, self.optimizer.steps)
        self.listener.epoch(position, progress, self.weights_left())

    def _train_first_epochs(self, epochs: int) -> dict[str, np.ndarray]:
        """Train the first epochs of round 0 once more, with an optimizer of their own, and return the values."""
        parameters, optimizer = self.network.parameters, self._new_optimizer()
        mask = to_host(parameters.mask).copy()
        parameters.set_mask(np.ones_like(mask))
        self.rewind()
        for epoch in range(epochs):
            train_epoch(self.network, optimizer, self.data.dataset, self.settings, DENSE, epoch)
        values = self.network.values()
        parameters.set_mask(mask)
        return values

    def _new_optimizer(self) -> Optimizer:
        return self.engine.optimizer(make_optimizer(self.network, self.settings), self.network)


def start(
    runs_dir: Path,
    train: TrainSettings,
    prune: PruneSettings | None = None,
    *,
    data_dir: Path | None = None,
    engine: Engine = REFERENCE,
    listener: Listener | None = None,
) -> Experiment:
    """Return the experiment with these settings; its run is made if `runs_dir` does not have it yet.

    `prune` are the settings that the run is to be pruned with; those that are not the defaults enter its name.

    Raises UsageError for settings that do not fit together, DataError for missing or damaged data.
    """
    if prune is not None:
        prune.check_training(train)
    data, description = load_data(train, data_dir)
    network = network_for(train, description, engine)
    run = find_or_make(Path(runs_dir) / run_name(train, prune), train, description, network, engine)
    return Experiment(run, data, network, engine, listener)


def reopen(
    run: Run,
    *,
    data_dir: Path | None = None,
    engine: Engine = REFERENCE,
    listener: Listener | None = None,
) -> Experiment:
    """Return the experiment of an existing run; a DataError if its data set has changed."""
    data = data_of(run, data_dir=data_dir)
    return Experiment(run, data, network_for(run.train_settings, run.data, engine), engine, listener)


def find_or_make(path: Path, train: TrainSettings, data: DataDescription, network: Network, engine: Engine) -> Run:
    """Return the run in a folder, which is made with the values of the network; errors if it is of something else."""
    if (path / "config.json").is_file():
        run = Run(path)
    else:
        run = Run.create(path, train, data, network.values(), engine.describe(network))
    check_same_settings(path, asdict(run.train_settings), asdict(train))
    run.check_data(data)
    return run


def load_data(train: TrainSettings, data_dir: Path | None) -> tuple[TrainingData, DataDescription]:
    """Return the data of some settings, and what a run keeps of them."""
    data = TrainingData.cut(load(train.dataset, data_dir=data_dir), train)
    return data, DataDescription.of(data.dataset, data.x_validation, data.y_validation)


def data_of(run: Run, *, data_dir: Path | None = None) -> TrainingData:
    """Return the data that a run was made with; a DataError if they are missing, damaged or have changed."""
    data, description = load_data(run.train_settings, data_dir)
    run.check_data(description)
    return data


def trained_network(run: Run, round: int, engine: Engine = REFERENCE) -> Network:
    """Return the network of a finished round, with its masks."""
    network = network_for(run.train_settings, run.data, engine)
    values, masks = run.load_round(Position(Phase.ROUNDS, round))
    with _fitting(f"{run.path}: round {round}"):
        masks.apply(network.parameters)
        network.load(values)
    return network


def network_for(train: TrainSettings, data: DataDescription, engine: Engine = REFERENCE) -> Network:
    """Return the network of some settings with its initial weights, as it is to run."""
    network = build(train, data.input_shape, len(data.class_names), engine.device)
    return engine.prepare(network)


def finished_round(run: Run, round: int | None) -> RoundResult:
    """Return the result of a round, by default the last; a UsageError names the rounds there are."""
    results = {result.round: result for result in run.results()}
    if not results:
        raise UsageError(f"{run.path} has no finished round yet; the command that started it resumes it")
    if round is None:
        return results[max(results)]
    if round not in results:
        raise UsageError(f"{round} given; {run.path} has the rounds {numbers(results)}", "round")
    return results[round]


@contextmanager
def _fitting(what: Path | str) -> Iterator[None]:
    """Turn the failure to put arrays from a file into the network into a RunError."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise RunError(f"{what} does not fit the network of the run's settings ({error})") from None
