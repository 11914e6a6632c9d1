"""`quatnet prune`: prune a network round by round, and re-train it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quatnet.cli import options
from quatnet.cli.console import Follower, Output, weights_left
from quatnet.cli.summary import algebra, dense_percent, introduce, summary
from quatnet.errors import UsageError
from quatnet.experiment import reopen, start
from quatnet.pruning import lottery
from quatnet.pruning.lab import Lab
from quatnet.report.figures import save_curve
from quatnet.runs import RoundResult, Run, list_runs
from quatnet.settings import PruneSettings, TrainSettings

PRUNING = ("rounds", "amount", "criterion", "protocol", "rewind_epoch", "fresh_optimizer", "stop_below")


@click.command()
@click.argument("run", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@options.pruning_options
@options.arch_option(required=False)
@options.training_options
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
    arch: str | None,
    device: str,
    threads: int | None,
    data_dir: Path,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Prune RUN, the newest run, or with --arch a new run; the same command again resumes or shows it.

    The options from --arch on describe a new run; RUN keeps the settings it was made with.

    \b
    Examples: quatnet prune --rounds 20
              quatnet prune --arch lenet --quaternion --rounds 20
    """
    output = Output(as_json=as_json, quiet=quiet)
    pruning = options.given({name: settings.pop(name) for name in PRUNING})
    training = options.given(settings)
    if run is None and arch is None:
        run = _newest(output, runs_dir)
    if run is not None:
        lab = _existing(run, arch, training, pruning, data_dir, device)
        ctx.meta["resume"] = _with_run(ctx.meta["arguments"], run)
        output.say(f"pruning the run {run}")
    else:
        default = {"arch": "lenet", "quaternion": True} if arch is None else {"arch": arch, "quaternion": False}
        train = TrainSettings.for_architecture(**{**default, **training})
        lab = start(runs_dir, train, PruneSettings(**pruning), data_dir=data_dir, device=device)
    prune_settings = lab.run.prune_settings or PruneSettings()
    introduce(output, lab, default_data=run is None and "dataset" not in training)
    with (
        options.blas_limit(threads, lab.settings.arch),
        lab.run.locked(),
        Follower(output, lab.settings.epochs, dense_percent(lab.run)) as follower,
    ):
        lab.listener = follower.listener
        last = lottery.prune(lab, prune_settings)
    results = [result for result in lab.run.results() if result.round <= last]
    _show(output, lab, results)
    output.finish({**summary(lab.run, results[-1]), "protocol": prune_settings.protocol, "rounds": _rounds(results)})


def _newest(output: Output, runs_dir: Path) -> Path | None:
    """Return the newest run, if there is one."""
    runs = list_runs(runs_dir)
    if not runs:
        output.say(f"no RUN given and none in {runs_dir}: starting the default one, --arch lenet --quaternion")
        return None
    output.say(f"no RUN given: taking the newest in {runs_dir}")
    return runs[0]


def _existing(
    path: Path, arch: str | None, training: dict[str, Any], pruning: dict[str, Any], data_dir: Path, device: str
) -> Lab:
    """Open a run to prune it; settings it already has need not be given again, but must not differ."""
    if arch is not None or training:
        first = "arch" if arch is not None else next(iter(training)).replace("_", "-")
        raise UsageError(f"--{first}: {path} keeps the settings it was trained with; give either RUN or a new --arch")
    run = Run(path)
    before = run.prune_settings
    if before is None:
        settings = PruneSettings(**pruning)
    elif pruning:
        settings = PruneSettings(**{"rounds": before.rounds, **pruning})
    else:
        settings = before
    return reopen(run, settings, data_dir=data_dir, device=device)


def _with_run(arguments: list[str], run: Path) -> list[str]:
    """Return a command's arguments with the run named, so that a newer one does not take its place."""
    if str(run) in arguments:
        return arguments
    return [arguments[0], str(run), *arguments[1:]]


def _show(output: Output, lab: Lab, results: list[RoundResult]) -> None:
    dense = dense_percent(lab.run)
    output.say()
    output.table(
        ["round", "weights left", "pruned", "weights", "accuracy"],
        [
            [
                str(r.round),
                f"{r.weights_left:.3g} %",
                f"{100 * (1 - r.weights_left / dense):.3g} %",
                f"{r.kept_weights:,}",
                f"{r.accuracy:.2f} %",
            ]
            for r in results
        ],
    )
    output.say()
    picture = lab.run.path / "curve.png"
    title = f"{lab.settings.arch} on {lab.data.dataset.name}, seed {lab.settings.seed}"
    if save_curve(picture, results, algebra(lab.run), title):
        output.say(f"picture: {picture}")
    else:
        output.say("no picture: matplotlib is not installed (extra `plot`)")
    last = results[-1]
    output.say(f"last round {last.round}: accuracy {last.accuracy:.2f} %, {weights_left(last.weights_left, dense)}")


def _rounds(results: list[RoundResult]) -> list[dict[str, Any]]:
    keys = ("round", "weights_left", "kept_weights", "accuracy")
    return [{key: getattr(result, key) for key in keys} for result in results]
