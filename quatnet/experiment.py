"""From settings, or a run folder, to the bench on which the experiment goes on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from quatnet.data import load
from quatnet.errors import RunError, UsageError
from quatnet.fast import Compute
from quatnet.nn.networks import Network, build
from quatnet.pruning.lab import Lab, Listener
from quatnet.runs import DataDescription, RoundResult, Run, check_same_settings, run_name
from quatnet.settings import PruneSettings, TrainSettings, numbers
from quatnet.streams import Phase, Position
from quatnet.training import TrainingData

CPU = Compute()


def start(
    runs_dir: Path,
    train: TrainSettings,
    prune: PruneSettings | None = None,
    *,
    data_dir: Path | None = None,
    compute: Compute = CPU,
    listener: Listener | None = None,
) -> Lab:
    """Return the bench of the run with these settings, which is made if `runs_dir` does not have it yet.

    `prune` are the settings that the run is to be pruned with: part of its name, if they are not the defaults.

    Raises UsageError for settings that do not fit together, DataError for missing or damaged data.
    """
    if prune is not None:
        prune.check_training(train)
    data = TrainingData.cut(load(train.dataset, data_dir=data_dir), train)
    description = DataDescription.of(data)
    path = Path(runs_dir) / run_name(train, prune)
    if (path / "config.json").is_file():
        run = Run(path)
        check_same_settings(path, asdict(run.train_settings), asdict(train))
        run.check_data(description)
    else:
        network = network_for(train, description, compute)
        run = Run.create(path, train, description, network.values(), compute.describe(network))
    return Lab(run, data, network_for(train, description, compute), listener)


def reopen(
    run: Run,
    *,
    data_dir: Path | None = None,
    compute: Compute = CPU,
    listener: Listener | None = None,
) -> Lab:
    """Return the bench of an existing run; a DataError if its data set has changed."""
    data = data_of(run, data_dir=data_dir)
    return Lab(run, data, network_for(run.train_settings, run.data, compute), listener)


def data_of(run: Run, *, data_dir: Path | None = None) -> TrainingData:
    """Return the data that a run was made with; a DataError if they are missing, damaged or have changed."""
    data = TrainingData.cut(load(run.train_settings.dataset, data_dir=data_dir), run.train_settings)
    run.check_data(DataDescription.of(data))
    return data


def trained_network(run: Run, round: int, compute: Compute = CPU) -> Network:
    """Return the network of a finished round, with its masks."""
    network = network_for(run.train_settings, run.data, compute)
    values, masks = run.load_round(Position(Phase.ROUNDS, round))
    try:
        masks.apply(network.parameters)
        network.load(values)
    except (KeyError, ValueError) as error:
        raise RunError(f"{run.path}: round {round} does not fit the network of the run's settings ({error})") from None
    return network


def network_for(train: TrainSettings, data: DataDescription, compute: Compute = CPU) -> Network:
    """Return the network of some settings with its initial weights."""
    network = build(
        train.arch,
        quaternion=train.quaternion,
        input_shape=data.input_shape,
        classes=len(data.class_names),
        seed=train.seed,
        dtype=train.dtype,
        init=train.init,
        width=train.width,
        signs=train.signs,
        norm=train.norm,
        device=compute.device,
    )
    return compute.prepare(network)


def finished_round(run: Run, round: int | None) -> RoundResult:
    """Return the result of a round, by default the last; a UsageError names the rounds there are."""
    results = {result.round: result for result in run.results()}
    if not results:
        raise UsageError(f"{run.path} has no finished round yet; the command that started it goes on with it")
    if round is None:
        return results[max(results)]
    if round not in results:
        raise UsageError(f"--round: {round} given; {run.path} has the rounds {numbers(results)}")
    return results[round]
