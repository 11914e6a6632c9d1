"""`quatnet train`: train a dense network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output, weights_left
from quatnet.cli.summary import dense_percent, introduce, summary
from quatnet.errors import UsageError
from quatnet.nn.architectures import ALIASES, ARCHITECTURES
from quatnet.settings import TrainSettings

if TYPE_CHECKING:
    from quatnet.deploy.seed_ticket import SeedTicket
    from quatnet.fast import Compute

DIFFERENT = (
    "the weights are not those of the ticket's run bit for bit: another machine, library or number of threads rounds "
    "differently"
)


@click.command(cls=options.Command)
@options.of(TrainSettings)
@options.option(
    "Network",
    "--ticket",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Train a pruned network again, from its seed ticket (quatnet export --format seed), instead of a dense one.",
)
@options.compute_options
@options.data_dir_option
@options.runs_dir_option
@options.json_option
@options.quiet_option
def train(
    arch: str | None,
    ticket: Path | None,
    device: str,
    engine: str,
    conv: str,
    threads: int | None,
    data_dir: Path,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    **training: Any,
) -> None:
    """Train a dense network.

    The network is saved in a run folder. The same command again resumes or shows it.

    \b
    Example: quatnet train --arch lenet --quaternion
    """
    from quatnet.cli.progress import Follower
    from quatnet.deploy.seed_ticket import read_seed_ticket
    from quatnet.experiment import start
    from quatnet.fast import Compute
    from quatnet.pruning.protocols import train_dense

    output = Output(as_json=as_json, quiet=quiet)
    compute = Compute(device, conv, threads, engine)
    given = options.given(training)
    if ticket is not None:
        if arch is not None or given:
            name = "arch" if arch is not None else next(iter(given)).replace("_", "-")
            raise UsageError(f"--ticket: --{name} given too; the ticket has all settings")
        _train_again(output, read_seed_ticket(ticket), runs_dir, data_dir, compute)
        return
    if arch is None:
        architectures = ", ".join([*ALIASES, *ARCHITECTURES])
        raise click.UsageError(
            f"'--arch' or '--ticket' is needed; architectures are {architectures}", click.get_current_context()
        )
    settings = TrainSettings.for_architecture(arch, given.pop("quaternion", False), **given)
    experiment = start(runs_dir, settings, data_dir=data_dir, engine=compute)
    introduce(output, experiment, default_data="dataset" not in given)
    with Follower(output, experiment.run, dense_percent(experiment.run)) as follower:
        experiment.listener = follower.listener
        train_dense(experiment)
    result = experiment.run.results()[0]
    output.say(
        f"accuracy {result.accuracy:.2f} % after epoch {result.epoch}, "
        f"{weights_left(result.weights_left, dense_percent(experiment.run))}"
    )
    output.say(f"saved in {experiment.run.path}; to prune it: quatnet prune {experiment.run.path}")
    output.finish(summary(experiment.run, result))


def _train_again(output: Output, ticket: SeedTicket, runs_dir: Path, data_dir: Path, compute: Compute) -> None:
    """Train the round of a seed ticket, and say whether it ended as the first time."""
    from quatnet.cli.progress import Follower
    from quatnet.deploy import seed_ticket
    from quatnet.experiment import finished_round

    train = ticket.train
    output.say(
        f"{train.arch}, {train.algebra}, on {train.dataset}: round {ticket.round}, {ticket.masks.count():,} weights"
    )
    experiment = seed_ticket.start(ticket, runs_dir, data_dir=data_dir, compute=compute)
    run = experiment.run
    with Follower(output, run, dense_percent(run)) as follower:
        experiment.listener = follower.listener
        seed_ticket.train(experiment, ticket)
    result = finished_round(run, ticket.round)
    same = ticket.matches(run)
    output.say(f"accuracy {result.accuracy:.2f} % after epoch {result.epoch}, saved in {run.path}")
    output.say("the weights are those of the ticket's run, bit for bit" if same else DIFFERENT)
    output.finish({**summary(run, result), "identical": same})
