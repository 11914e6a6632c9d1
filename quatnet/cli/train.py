"""`quatnet train`: train a dense network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quatnet.cli import options
from quatnet.cli.console import Follower, Output, weights_left
from quatnet.cli.summary import dense_percent, introduce, summary
from quatnet.experiment import Compute, start
from quatnet.pruning.lottery import train_dense
from quatnet.settings import TrainSettings


@click.command()
@options.arch_option(required=True)
@options.training_options
@options.compute_options
@options.data_dir_option
@options.runs_dir_option
@options.json_option
@options.quiet_option
def train(
    arch: str,
    quaternion: bool | None,
    device: str,
    conv: str,
    threads: int | None,
    data_dir: Path,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    **training: Any,
) -> None:
    """Train a dense network.

    It is saved in a run folder; the same command again resumes or shows it.

    \b
    Example: quatnet train --arch lenet --quaternion
    """
    output = Output(as_json=as_json, quiet=quiet)
    settings = TrainSettings.for_architecture(arch, bool(quaternion), **options.given(training))
    lab = start(runs_dir, settings, data_dir=data_dir, compute=Compute(device, conv, threads))
    introduce(output, lab, default_data=training["dataset"] is None)
    with Follower(output, lab.run, dense_percent(lab.run)) as follower:
        lab.listener = follower.listener
        train_dense(lab)
    result = lab.run.results()[0]
    output.say(
        f"accuracy {result.accuracy:.2f} % after epoch {result.epoch}, "
        f"{weights_left(result.weights_left, dense_percent(lab.run))}"
    )
    output.say(f"saved in {lab.run.path}; to prune it: quatnet prune {lab.run.path}")
    output.finish(summary(lab.run, result))
