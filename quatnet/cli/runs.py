"""`quatnet runs`: the run folders and how far they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output, share
from quatnet.cli.summary import summary
from quatnet.errors import QuatnetError
from quatnet.runs import Run, list_runs
from quatnet.settings import PruneSettings


@click.command()
@options.runs_dir_option
@options.json_option
@options.quiet_option
def runs(runs_dir: Path, as_json: bool, quiet: bool) -> None:
    """List the runs, the one worked on last first.

    With the accuracy of the dense network and of the last round.

    \b
    Example: quatnet runs
    """
    output = Output(as_json=as_json, quiet=quiet)
    rows = [_row(path, whole=as_json) for path in list_runs(runs_dir)]
    if not rows:
        output.say(f"no runs in {runs_dir}; start one with: quatnet train --arch lenet --quaternion")
    else:
        output.table(["run", "state", "protocol", "dense", "last", "weights left"], [_cells(row) for row in rows])
    output.finish({"runs": rows})


def _row(path: Path, *, whole: bool) -> dict[str, Any]:
    """Return the cells of a run, or its whole JSON object, which takes the network to count its parameters."""
    try:
        run = Run(path)
        results = run.results()
    except QuatnetError as error:
        return {"run": str(path), "state": "damaged", "error": str(error)}
    prune = run.prune_settings
    row: dict[str, Any] = {
        "run": str(path),
        "state": _state(results[-1].round, prune) if results else "training",
        "protocol": prune.protocol if prune else None,
    }
    if results:
        last = results[-1]
        row |= {"dense_accuracy": results[0].accuracy, "accuracy": last.accuracy, "weights_left": last.weights_left}
        if whole:
            row |= summary(run, last)
    return row


def _state(last: int, prune: PruneSettings | None) -> str:
    return f"round {last} of {max(last, prune.rounds)}" if prune else f"round {last}"


def _cells(row: dict[str, Any]) -> list[str]:
    def number(key: str) -> str:
        return f"{row[key]:.2f} %" if key in row else "-"

    left = share(row["weights_left"]) if "weights_left" in row else "-"
    name, protocol = Path(row["run"]).name, row.get("protocol") or "-"
    return [name, row["state"], protocol, number("dense_accuracy"), number("accuracy"), left]
