"""`quatnet reproduce`: make a figure of the paper again, or the ablations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output
from quatnet.cli.report import report
from quatnet.cli.sweep import Screen, exit_if_failed
from quatnet.files import write_bytes
from quatnet.presets import ALIASES, PRESETS, SCALES, Preset
from quatnet.runs import Run
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.sweep.jobs import Job, status_of

if TYPE_CHECKING:
    from quatnet.cost import Cost
    from quatnet.fast import Compute
    from quatnet.report.ablations import Cell

TRAINING = ("dataset", "train_size", "test_size", "epochs", "rate", "test_every")
PRUNING = ("protocol", "rounds", "amount", "fresh_optimizer", "retrain_rounds", "search_epochs")


@click.command(cls=options.Command)
@click.argument("figure", type=click.Choice([*PRESETS, *ALIASES]), metavar="FIGURE")
@options.number_option("Figure", "--seeds", default=5, help="Number of trials; their seeds are 0 to N - 1.")
@options.option(
    "Figure",
    "--only",
    multiple=True,
    metavar="NAME",
    help="Only this ablation and the unchanged networks; its first word is enough.",
)
@options.of(TrainSettings, *TRAINING, defaults=False)
@options.option(
    "Data", "--scale", type=click.Choice(list(SCALES)), default="full", help="Fraction of the training images."
)
@options.of(PruneSettings, *PRUNING, defaults=False)
@options.sweep_options
@options.option("Output", "--dry-run", is_flag=True, help="Only print what it would cost.")
@options.data_dir_option
@options.runs_dir_option
@options.json_option
@options.quiet_option
@click.pass_context
def reproduce(
    ctx: click.Context,
    /,
    figure: str,
    seeds: int,
    scale: str,
    device: str,
    engine: str,
    conv: str,
    threads: int,
    workers: int | None,
    scheduler: str | None,
    only: tuple[str, ...],
    dry_run: bool,
    data_dir: Path,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Reproduce a figure of the paper.

    FIGURE: 2a to 2f (accuracy by epoch), 3a to 3f (loss by epoch), 4a to 4f (pruning), 5a, 5b (lenet-12), 6 (early
    stopping), 5.2-resnet-20 (or just 5.2), 5.2-resnet-18, 5.2-vgg-16; ablations-lenet-12, ablations-conv-2. Settings
    that are not given are the paper's. The cost on this machine is printed first. The same command again resumes.
    The report is written into the runs' directory.

    \b
    Examples: quatnet reproduce 5b --seeds 5
              quatnet reproduce 4c --scale tenth --protocol imp --dry-run
    """
    from quatnet.fast import Compute
    from quatnet.report import paper
    from quatnet.sweep.run import check, run_jobs

    output = Output(as_json=as_json, quiet=quiet)
    figure = ALIASES.get(figure, figure)
    preset, chosen = PRESETS[figure], options.given(given)
    if only:
        preset = preset.only(only)
    pruning: dict[str, Any] = {name: chosen.pop(name) for name in PRUNING if name in chosen}
    jobs = preset.jobs(seeds, scale, chosen, pruning)
    compute = Compute(device, conv, threads, engine)
    check(jobs, workers, scheduler)
    output.say(f"{preset.name}: {preset.title}, {preset.arch} on {jobs[0].train.dataset}, {len(jobs)} runs")
    if different := {"scale": scale, **chosen, **pruning}.items() - {("scale", "full")}:
        words = ", ".join(sorted(f"{name.replace('_', '-')} {_text(value)}" for name, value in different))
        output.say(f"not the paper's settings: {words}")
    todo = [job for job in jobs if status_of(job, runs_dir).state != "finished"]
    seconds = _say_cost(output, todo, compute, data_dir, 1 if scheduler else workers)
    if dry_run:
        output.finish({"runs": len(jobs), "to_do": len(todo), "seconds": seconds})
        return
    with Screen(output, [status_of(job, runs_dir) for job in jobs]) as screen:
        statuses = run_jobs(
            jobs,
            runs_dir=runs_dir,
            data_dir=data_dir,
            compute=compute,
            workers=workers,
            scheduler=scheduler,
            follow=screen.follow,
        )
    exit_if_failed(statuses)
    runs = [Run(s.path) for s in statuses]
    if len(preset.variants) > 2:
        _compare(output, preset, runs, runs_dir)
    elif preset.curve != "pruning":
        _curves(output, preset, runs, runs_dir)
    else:
        page = runs_dir / f"figure-{figure}.html"
        of_paper = figure if figure in paper.FIGURES and jobs[0].train.dataset == preset.dataset else None
        paths = tuple(run.path for run in runs)
        kept = {"table": None, "picture": None, "as_json": as_json, "quiet": quiet}
        ctx.invoke(report, runs=paths, figure=of_paper, html=page, **kept)


def _say_cost(output: Output, todo: Sequence[Job], compute: Compute, data_dir: Path, workers: int | None) -> float:
    """Say how much is left to do, measured once per network, and return the seconds that it takes at most."""
    from quatnet.cost import measure
    from quatnet.data import load
    from quatnet.sweep.local import at_once

    if not todo:
        output.say("all runs are finished")
        return 0.0
    dataset, threads = load(todo[0].train.dataset, data_dir=data_dir), compute.threads or 1
    costs: dict[tuple[object, ...], Cost] = {}
    total = 0.0
    for job in todo:
        train, prune = job.train, job.prune
        key = (train.quaternion, train.width, train.epochs, prune)
        if key not in costs:
            costs[key] = measure(train, prune, dataset, compute)
        total += costs[key].seconds
    first, together = next(iter(costs.values())), at_once(len(todo), workers, threads)
    longest = max(cost.epochs for cost in costs.values())
    output.say(
        f"{len(todo)} runs to do, up to {longest} epochs a run, {first.steps} steps an epoch;"
        f" {first.epoch_seconds:.2g} s an epoch here ({todo[0].train.algebra}, dense):"
        f" at most about {_duration(total / together)} with {together} at once"
    )
    return total / together


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"


def _curves(output: Output, preset: Preset, runs: Sequence[Run], runs_dir: Path) -> None:
    """Show the last epochs beside the paper's, and draw the curves."""
    from quatnet.report import epochs, paper

    curves = {
        algebra: epochs.ours([run for run in runs if run.train_settings.algebra == algebra], preset.curve)
        for algebra in ("real", "quaternion")
    }
    same_data = runs[0].train_settings.dataset == preset.dataset
    theirs = paper.epochs(preset.figure) if same_data else {}
    rows = []
    for algebra, curve in curves.items():
        deviation = "" if curve.deviation is None else f" ± {curve.deviation[-1]:.2f}"
        row = [algebra, str(curve.epochs[-1]), f"{curve.mean[-1]:.3f}{deviation}"]
        if algebra in theirs:
            at, mean, spread = theirs[algebra]
            row.append(f"{mean[-1]:.3f} ± {spread[-1]:.2f} (epoch {at[-1]:.0f})")
        rows.append(row)
    output.table(["algebra", "epochs", epochs.VALUES[preset.curve], *(["paper"] if theirs else [])], rows)
    picture = runs_dir / f"figure-{preset.figure}.png"
    title = f"{preset.arch} on {Path(runs[0].train_settings.dataset).stem}"
    if epochs.save_epochs(picture, curves, preset.figure if same_data else "", preset.curve, title):
        output.say(f"picture: {picture}")
    output.finish({a: {"epochs": int(c.epochs[-1]), preset.curve: float(c.mean[-1])} for a, c in curves.items()})


def _compare(output: Output, preset: Preset, runs: Sequence[Run], runs_dir: Path) -> None:
    """Show all variants at the same numbers of weights left, and draw them."""
    from quatnet.report import ablations

    count = len(preset.variants)
    by_variant = {variant.label: runs[index::count] for index, variant in enumerate(preset.variants)}
    trials = {label: [run.results() for run in of_seed] for label, of_seed in by_variant.items()}
    table = {label: ablations.at_levels(of_seed) for label, of_seed in trials.items()}
    output.say("test accuracy in %, mean and deviation over the seeds, by weights left in % of the real network,")
    output.say("interpolated between the rounds; -: the rounds do not reach there")
    output.table(
        ["weights left", *(f"{level:.3g} %" for level in ablations.LEVELS)],
        [[label, *map(_cell, cells)] for label, cells in table.items()],
    )
    differences = ablations.differences(trials)
    output.say("paired differences in points, ± half the 95 % t interval; *: it excludes 0 (each alone, not corrected)")
    output.table(
        ["difference", *(f"{level:.3g} %" for level in ablations.LEVELS)],
        [[title, *map(_difference, cells)] for title, cells in differences.items()],
    )
    points = runs_dir / f"{preset.figure}.csv"
    write_bytes(points, ablations.to_csv(by_variant).encode())
    output.say(f"points: {points}")
    settings = runs_dir / f"{preset.figure}.json"
    write_bytes(settings, _settings(by_variant).encode())
    output.say(f"settings: {settings}")
    picture = runs_dir / f"{preset.figure}.png"
    if ablations.save_ablations(picture, trials):
        output.say(f"picture: {picture}")
    output.finish({"levels": list(ablations.LEVELS), "accuracy": table, "differences": differences})


def _settings(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the settings of every variant, those of its first run, as JSON with a line each."""
    lines = []
    for label, of_seed in runs.items():
        train, prune = of_seed[0].train_settings, of_seed[0].prune_settings
        settings = {"train": asdict(train), "prune": asdict(prune) if prune else None}
        lines.append(f"{json.dumps(label)}: {json.dumps(settings)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    mean, deviation = cell
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"


def _difference(cell: Cell) -> str:
    if cell is None:
        return "-"
    mean, half = cell
    if half is None:
        return f"{mean:+.1f}"
    return f"{mean:+.1f} ± {half:.1f}{' *' if abs(mean) > half else ''}"
