"""From settings, or a run folder, to the bench on which the experiment goes on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from quatnet.data import load
from quatnet.environment import describe
from quatnet.errors import UsageError
from quatnet.nn.models import Network, build
from quatnet.pruning.lab import Lab, Listener
from quatnet.runs import DataDescription, RoundResult, Run, check_same_settings, run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.training import Position, TrainingData


def start(
    runs_dir: Path,
    train: TrainSettings,
    prune: PruneSettings | None = None,
    *,
    data_dir: Path | None = None,
    device: str = "cpu",
    listener: Listener | None = None,
) -> Lab:
    """Return the bench of the run with these settings, which is made if `runs_dir` does not have it yet.

    Raises UsageError for settings that do not fit together, DataError for missing or damaged data.
    """
    if prune is not None:
        _check_rewind_epoch(prune, train)
    data = TrainingData.cut(load(train.dataset, data_dir=data_dir), train)
    description = DataDescription.of(data)
    path = runs_dir / run_name(train, prune)
    if (path / "config.json").is_file():
        run = Run(path)
        check_same_settings(path, asdict(run.train_settings), asdict(train))
        run.check_data(description)
    else:
        network = network_for(train, description, device)
        run = Run.create(path, train, description, network.parameters.by_name(), describe(device))
    return _bench(run, data, prune, device, listener)


def reopen(
    run: Run,
    prune: PruneSettings | None = None,
    *,
    data_dir: Path | None = None,
    device: str = "cpu",
    listener: Listener | None = None,
) -> Lab:
    """Return the bench of an existing run."""
    if prune is not None:
        _check_rewind_epoch(prune, run.train_settings)
    data = TrainingData.cut(load(run.train_settings.dataset, data_dir=data_dir), run.train_settings)
    run.check_data(DataDescription.of(data))
    return _bench(run, data, prune, device, listener)


def trained_network(run: Run, round: int, device: str = "cpu") -> Network:
    """Return the network of a finished round, with its masks."""
    network = network_for(run.train_settings, run.data, device)
    values, masks = run.load_round(Position(0, round))
    masks.apply(network.parameters)
    network.parameters.load(values)
    return network


def network_for(train: TrainSettings, data: DataDescription, device: str) -> Network:
    """Return the network of some settings with its initial weights."""
    return build(
        train.arch,
        quaternion=train.quaternion,
        input_shape=data.input_shape,
        classes=len(data.class_names),
        seed=train.seed,
        dtype=train.dtype,
        init=train.init,
        device=device,
    )


def _bench(run: Run, data: TrainingData, prune: PruneSettings | None, device: str, listener: Listener | None) -> Lab:
    if prune is not None:
        run.set_prune_settings(prune)
    return Lab(run, data, network_for(run.train_settings, run.data, device), listener)


def _check_rewind_epoch(prune: PruneSettings, train: TrainSettings) -> None:
    if prune.rewind_epoch >= train.epochs:
        raise UsageError(
            f"--rewind-epoch: {prune.rewind_epoch} given; less than the {train.epochs} epochs of training is needed"
        )


def finished_round(run: Run, round: int | None) -> RoundResult:
    """Return the result of a round, by default the last; a UsageError names the rounds there are."""
    results = {result.round: result for result in run.results()}
    if not results:
        raise UsageError(f"{run.path} has no finished round yet; quatnet prune {run.path} finishes its training")
    if round is None:
        return results[max(results)]
    if round not in results:
        raise UsageError(f"--round: {round} given; {run.path} has the rounds 0 to {max(results)}")
    return results[round]
