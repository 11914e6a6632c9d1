"""`quatnet sweep`: a grid of runs, on this machine or on a Dask cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output, share, weights_left
from quatnet.errors import RunError, UsageError
from quatnet.pruning.protocols import PROTOCOLS
from quatnet.runs import RoundResult
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase
from quatnet.sweep.grid import CHOICES, LISTED, jobs_of, read
from quatnet.sweep.jobs import Status, status_of

if TYPE_CHECKING:
    from rich.table import Table

STATES = ("finished", "begun", "new", "failed", "damaged")
ON_TOP = ("begun", "failed", "damaged", "new", "finished")
OTHER_LINES = 6
"""Lines of the window that are not rows of the table."""


@click.command(cls=options.Command)
@click.argument("grid", metavar="[GRID]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.listed(TrainSettings, "arch")
@options.listed(TrainSettings, "quaternion", key="algebra", values=CHOICES["quaternion"], default="both")
@options.listed(TrainSettings, "seed", key="seeds")
@options.listed(TrainSettings, "init")
@options.listed(TrainSettings, "dataset")
@options.of(TrainSettings, but=LISTED)
@options.listed(PruneSettings, "protocol", values=(*PROTOCOLS, "none (only train)"))
@options.of(PruneSettings, but=LISTED)
@options.sweep_options
@options.option("Output", "--dry-run", is_flag=True, help="Only list the runs and their states.")
@options.data_dir_option
@options.runs_dir_option
@options.json_option
@options.quiet_option
def sweep(
    grid: Path | None,
    device: str,
    engine: str,
    conv: str,
    threads: int,
    workers: int | None,
    scheduler: str | None,
    dry_run: bool,
    data_dir: Path,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train and prune a grid of networks.

    GRID is a TOML file; its keys are the options below without their dashes. Options on the command line replace keys
    of the file. There is one run per combination of the lists. The same command again resumes, or shows the results.

    \b
    Examples: quatnet sweep --arch lenet-12 --seeds 0-4
              quatnet sweep grid.toml --dry-run
    """
    from quatnet.fast import Compute
    from quatnet.sweep.run import check, run_jobs

    output = Output(as_json=as_json, quiet=quiet)
    given = {name.replace("_", "-"): value for name, value in options.given(settings).items()}
    from_file = read(grid) if grid else {}
    try:
        jobs = jobs_of({**from_file, **given})
    except UsageError as error:
        if grid is None or error.field in given:
            raise
        raise UsageError(f"{grid}: {error}") from None
    check(jobs, workers, scheduler)
    statuses = [status_of(job, runs_dir) for job in jobs]
    output.say(f"{_count(statuses)}, in {runs_dir}")
    if not dry_run:
        with Screen(output, statuses) as screen:
            statuses = run_jobs(
                jobs,
                runs_dir=runs_dir,
                data_dir=data_dir,
                compute=Compute(device, conv, threads, engine),
                workers=workers,
                scheduler=scheduler,
                follow=screen.follow,
            )
    output.say()
    output.table(
        ["run", "state", "dense", "last", "weights left"],
        [[s.path.name, _state(s), *_numbers(s.results)] for s in statuses],
    )
    output.say()
    output.say(_count(statuses))
    output.finish({"runs": [_row(s) for s in statuses]})
    exit_if_failed(statuses)


def exit_if_failed(statuses: Sequence[Status]) -> None:
    """End the command with exit code 1 and a line per run that has failed, if any has."""
    failed = [s for s in statuses if s.state == "failed"]
    for s in failed:
        click.echo(f"Error: {s.path}: {s.error}", err=True)
    if failed:
        raise click.exceptions.Exit(RunError.exit_code)


class Screen:
    """All runs at once: a table on a terminal, elsewhere a line per finished round and per run that has ended."""

    def __init__(self, output: Output, statuses: Sequence[Status]) -> None:
        from rich.live import Live

        self._output = output
        self._before = {s.job: s for s in statuses}
        shown = output.console.is_terminal and not output.console.quiet
        self._live = Live(console=output.console, transient=True, auto_refresh=False) if shown else None

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._live.stop()

    def follow(self, statuses: Sequence[Status]) -> None:
        """Show how far all runs are."""
        if self._live:
            self._live.update(self._table(statuses), refresh=True)
        for now in statuses:
            before = self._before[now.job]
            if now is not before and not self._live:
                self._lines(before, now)
            self._before[now.job] = now

    def _lines(self, before: Status, now: Status) -> None:
        name = now.path.name
        for phase, old, new in (("search ", before.searched, now.searched), ("", before.results, now.results)):
            for r in new[len(old) :]:
                left = weights_left(r.weights_left, now.results[0].weights_left)
                self._output.say(f"{name}  {phase}round {_of(now, r.round)}  accuracy {r.accuracy:.2f} %  {left}")
        if now.state != before.state and now.state in ("finished", "failed"):
            self._output.say(f"{name}  {now.state}" + (f": {now.error}" if now.error else ""))

    def _table(self, statuses: Sequence[Status]) -> Table:
        from rich.table import Table

        table = Table("run", "state", "epoch", "dense", "last", "weights left", box=None, caption=_count(statuses))
        rows = sorted(statuses, key=lambda s: ON_TOP.index(s.state))
        for s in rows[: max(1, self._output.console.height - OTHER_LINES)]:
            epoch = f"{s.epoch}/{_epochs(s)}" if s.state == "begun" else "-"
            table.add_row(s.path.name, _state(s), epoch, *_numbers(s.results))
        return table


def _count(statuses: Sequence[Status]) -> str:
    states = Counter(s.state for s in statuses)
    total = f"{len(statuses)} run" + "s" * (len(statuses) != 1)
    return f"{total}: {', '.join(f'{states[state]} {state}' for state in STATES if states[state])}"


def _state(s: Status) -> str:
    """Say how far a run is."""
    if s.state != "begun":
        return s.state
    if s.position is None:
        return "begun"
    phase = "search " if s.position.phase is Phase.SEARCH else ""
    return f"begun, {phase}round {_of(s, s.position.round)}"


def _epochs(s: Status) -> int:
    """Return the epochs of the training that a run is at."""
    searches = s.position is not None and s.position.phase is Phase.SEARCH
    return s.job.prune.epochs_of_search(s.job.train) if searches and s.job.prune else s.job.train.epochs


def _of(s: Status, round: int) -> str:
    return f"{round}/{s.job.prune.rounds}" if s.job.prune else str(round)


def _numbers(results: Sequence[RoundResult]) -> list[str]:
    if not results:
        return ["-", "-", "-"]
    return [f"{results[0].accuracy:.2f} %", f"{results[-1].accuracy:.2f} %", share(results[-1].weights_left)]


def _row(s: Status) -> dict[str, Any]:
    """Return the JSON object of a run."""
    train, prune = s.job.train, s.job.prune
    row: dict[str, Any] = {
        "run": str(s.path),
        "state": s.state,
        "arch": train.arch,
        "algebra": train.algebra,
        "dataset": train.dataset,
        "protocol": prune.protocol if prune else None,
        "init": train.init,
        "seed": train.seed,
    }
    if s.results:
        keys = ("round", "weights_left", "kept_weights", "accuracy")
        row["rounds"] = [{key: getattr(result, key) for key in keys} for result in s.results]
    if s.error:
        row["error"] = s.error
    return row
