"""What a program or a notebook uses: the functions of the package, with the fast engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quatnet import experiment
from quatnet.experiment import Experiment, Listener
from quatnet.fast import Compute
from quatnet.nn import networks
from quatnet.nn.networks import Network
from quatnet.runs import Run
from quatnet.settings import ModelSettings, PruneSettings, TrainSettings

FAST = Compute()


def build(
    arch: str,
    *,
    quaternion: bool,
    input_shape: tuple[int, int, int],
    classes: int,
    device: str = "cpu",
    conv: str = "auto",
    threads: int | None = 1,
    engine: str = "fast",
    **model: Any,
) -> Network:
    """Build a network with its initial weights.

    Parameters
    ----------
    arch, quaternion, model : what it is; `model` are other fields of `ModelSettings`.
    input_shape : (height, width, channels) of one image.
    classes : number of logits.
    device, conv, threads, engine : as of `Compute`.

    Raises
    ------
    UsageError
        If an argument is invalid, or a width does not split into quaternions.
    """
    settings = ModelSettings(arch=arch, quaternion=quaternion, **model)
    network = networks.build(settings, input_shape, classes, device)
    return Compute(device, conv, threads, engine).prepare(network)


def start(
    runs_dir: Path,
    train: TrainSettings,
    prune: PruneSettings | None = None,
    *,
    data_dir: Path | None = None,
    compute: Compute = FAST,
    listener: Listener | None = None,
) -> Experiment:
    """Return the experiment with these settings; its run is made if `runs_dir` does not have it yet.

    `prune` are the settings that the run is to be pruned with; those that are not the defaults enter its name.

    Raises UsageError for settings that do not fit together, DataError for missing or damaged data.
    """
    return experiment.start(runs_dir, train, prune, data_dir=data_dir, engine=compute, listener=listener)


def reopen(
    run: Run,
    *,
    data_dir: Path | None = None,
    compute: Compute = FAST,
    listener: Listener | None = None,
) -> Experiment:
    """Return the experiment of an existing run; a DataError if its data set has changed."""
    return experiment.reopen(run, data_dir=data_dir, engine=compute, listener=listener)


def trained_network(run: Run, round: int, compute: Compute = FAST) -> Network:
    """Return the network of a finished round, with its masks."""
    return experiment.trained_network(run, round, compute)
