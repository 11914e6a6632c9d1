"""`quatnet prune`: prune a network round by round, and re-train it."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output, pruned, share, weights_left
from quatnet.cli.size import Size
from quatnet.cli.summary import dense_percent, introduce, summary
from quatnet.deploy.choices import VALUES
from quatnet.errors import RunError, UsageError
from quatnet.nn.architectures import architecture
from quatnet.runs import RoundResult, Run, check_same_settings, list_runs
from quatnet.settings import PruneSettings, TrainSettings

if TYPE_CHECKING:
    from quatnet.deploy.budget import Goal, Trial
    from quatnet.experiment import Experiment

PRUNING = tuple(field.name for field in fields(PruneSettings))


@click.command(cls=options.Command)
@click.argument("run", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@options.of(PruneSettings)
@options.option(
    "Pruning", "--budget", type=Size(), metavar="SIZE", help="Prune until the ticket fits: 900B, 16kB, 64KiB, 1MB."
)
@options.option(
    "Pruning",
    "--target-accuracy",
    type=float,
    metavar="X",
    help="Prune as far as the test accuracy stays at X percent or more.",
)
@options.option(
    "Pruning",
    "--values",
    type=click.Choice(VALUES),
    show_default=VALUES[0],
    help="Type of the weights in the ticket of --budget.",
)
@options.of(TrainSettings)
@options.compute_options
@options.data_dir_option
@options.runs_dir_option
@options.json_option
@options.quiet_option
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    run: Path | None,
    budget: int | None,
    target_accuracy: float | None,
    values: str | None,
    arch: str | None,
    device: str,
    engine: str,
    conv: str,
    threads: int | None,
    data_dir: Path,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Prune a network round by round.

    Prunes RUN, the run worked on last, or with --arch a new run. The same command again resumes or shows it. The
    options of Network, Data and Training describe a new run; RUN keeps the settings it was made with.

    With --budget or --target-accuracy it prunes as many rounds as needed, and prints the cost in accuracy.

    \b
    Examples: quatnet prune --rounds 20
              quatnet prune --arch lenet --quaternion --rounds 20
              quatnet prune --arch lenet --quaternion --budget 16kB
    """
    from quatnet.cli.progress import Follower
    from quatnet.deploy.budget import MOST_ROUNDS, Goal, prune_until
    from quatnet.experiment import reopen, start
    from quatnet.fast import Compute
    from quatnet.pruning import protocols

    output = Output(as_json=as_json, quiet=quiet)
    pruning = options.given({name: settings.pop(name) for name in PRUNING})
    if values is not None and budget is None:
        raise UsageError(f"--values: {values} given; it has an effect only with --budget")
    goal = None if budget is None and target_accuracy is None else Goal(budget, target_accuracy, values or Goal.values)
    if goal is not None:
        pruning.setdefault("rounds", MOST_ROUNDS)
    training = options.given(settings)
    if arch is not None:
        training = {"arch": architecture(arch).name, **training}
    elif run is None:
        run = _newest(ctx, output, runs_dir, quaternion=training.get("quaternion", True))
    compute = Compute(device, conv, threads, engine)
    if run is not None:
        prune_settings = _settings_for(run, training, pruning)
        experiment = reopen(Run(run), data_dir=data_dir, engine=compute)
        output.say(f"pruning the run {run}")
    else:
        default = {"arch": "lenet", "quaternion": arch is None}
        train = TrainSettings.for_architecture(**{**default, **training})
        prune_settings = PruneSettings(**pruning)
        experiment = start(runs_dir, train, prune_settings, data_dir=data_dir, engine=compute)
    introduce(output, experiment, default_data=run is None and "dataset" not in training)
    for words in prune_settings.reductions():
        output.say(f"protocol {prune_settings.protocol}, {words}")
    with Follower(output, experiment.run, dense_percent(experiment.run), prune_settings.rounds) as follower:
        experiment.listener = follower.listener
        if goal is None:
            last = protocols.prune(experiment, prune_settings)
        else:
            trials, met = prune_until(experiment, prune_settings, goal)
    results = experiment.run.results()
    _show(output, experiment, results)
    reached = {} if goal is None else {"goal": _show_goal(output, experiment.run, goal, trials, met)}
    if goal is None and last < prune_settings.rounds:
        output.say(f"stopped before round {last + 1}: two rounds below {prune_settings.stop_below:g} % (--stop-below)")
    output.finish(
        {
            **summary(experiment.run, results[-1]),
            "protocol": prune_settings.protocol,
            "rounds": _rounds(results),
            **reached,
        }
    )


def _newest(ctx: click.Context, output: Output, runs_dir: Path, *, quaternion: bool) -> Path | None:
    """Return the newest run, if there is one; the command that resumes names it, lest a newer one takes its place."""
    command, *arguments = ctx.meta["arguments"]
    runs = list_runs(runs_dir)
    if not runs:
        default = ["--arch", "lenet", "--quaternion" if quaternion else "--real"]
        ctx.meta["resume"] = [command, *default, *arguments]
        output.say(f"no RUN given and none in {runs_dir}: starting the default one, {' '.join(default)}")
        return None
    ctx.meta["resume"] = [command, str(runs[0]), *arguments]
    output.say(f"no RUN given: taking the newest in {runs_dir}")
    return runs[0]


def _settings_for(path: Path, training: dict[str, Any], pruning: dict[str, Any]) -> PruneSettings:
    """Return the settings to prune a run with: those it has been pruned with, and the given ones on top.

    Settings that it was trained with need not be given again, but must not differ.
    """
    run = Run(path)
    there = asdict(run.train_settings)
    check_same_settings(path, {name: there[name] for name in training}, training)
    before = asdict(run.prune_settings) if run.prune_settings else {}
    settings = PruneSettings(**{**before, **pruning})
    run.check_prune_settings(settings)
    return settings


def _show(output: Output, experiment: Experiment, results: list[RoundResult]) -> None:
    from quatnet.report.figures import save_curves

    dense = dense_percent(experiment.run)
    output.say()
    output.table(
        ["round", "weights left", "pruned", "weights", "accuracy"],
        [
            [
                str(r.round),
                share(r.weights_left),
                pruned(r.weights_left, dense),
                f"{r.kept_weights:,}",
                f"{r.accuracy:.2f} %",
            ]
            for r in results
        ],
    )
    output.say()
    picture = experiment.run.path / "curve.png"
    title = f"{experiment.settings.arch} on {experiment.data.dataset.name}, seed {experiment.settings.seed}"
    if save_curves(picture, {experiment.settings.algebra: [results]}, title):
        output.say(f"picture: {picture}")
    else:
        output.say("no picture: matplotlib is not installed (extra `plot`)")
    last = results[-1]
    output.say(f"last round {last.round}: accuracy {last.accuracy:.2f} %, {weights_left(last.weights_left, dense)}")


def _show_goal(output: Output, run: Run, goal: Goal, trials: list[Trial], met: Trial | None) -> dict[str, Any]:
    """Say which round meets the goal and what it cost, and return that as a JSON object; a RunError if none does."""
    wanted = [f"a ticket of at most {goal.budget:,} bytes"] if goal.budget is not None else []
    wanted += [f"at least {goal.accuracy:g} % accuracy"] if goal.accuracy is not None else []
    if met is None:
        smallest = min(trials, key=lambda trial: trial.bytes)
        best = max(trials, key=lambda trial: trial.result.accuracy)
        raise RunError(
            f"{run.path}: none of the rounds 0 to {trials[-1].result.round} has {' and '.join(wanted)};"
            f" the smallest has {smallest.bytes:,} bytes and {smallest.result.accuracy:.2f} %,"
            f" the best {best.bytes:,} bytes and {best.result.accuracy:.2f} %"
        )
    dense, result = trials[0], met.result
    output.say(f"round {result.round} has {' and '.join(wanted)}: {met.bytes:,} bytes, {result.accuracy:.2f} %")
    output.say(
        f"the dense network has {dense.bytes:,} bytes and {dense.result.accuracy:.2f} %:"
        f" {result.accuracy - dense.result.accuracy:+.2f} points"
    )
    values = "" if goal.values == "float32" else f" --values {goal.values}"
    output.say(f"to write it: quatnet export {run.path} --round {result.round}{values}")
    return {
        "round": result.round,
        "ticket_bytes": met.bytes,
        "values": goal.values,
        "accuracy": result.accuracy,
        "dense_ticket_bytes": dense.bytes,
        "dense_accuracy": dense.result.accuracy,
    }


def _rounds(results: list[RoundResult]) -> list[dict[str, Any]]:
    keys = ("round", "weights_left", "kept_weights", "accuracy")
    return [{key: getattr(result, key) for key in keys} for result in results]
