"""What people see: text, a progress bar on a terminal or a line per epoch elsewhere, tables, and the JSON object."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from quatnet.pruning.lab import Listener
from quatnet.runs import PHASES, RoundResult
from quatnet.training import Position
from quatnet.training import Progress as TrainingProgress

REFRESH_SECONDS = 0.1


class Output:
    """Where text goes: standard output, or standard error when a JSON object goes to standard output, or nowhere."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, quiet=quiet, highlight=False, soft_wrap=True, markup=False)

    def say(self, text: str = "") -> None:
        """Print a line."""
        self.console.print(text)

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """Print a table, all columns but the first aligned to the right; never cut to the window."""
        widths = [max(len(row[k]) for row in [columns, *rows]) for k in range(len(columns))]
        for row in [columns, *rows]:
            cells = [
                cell.rjust(width) if k else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.console.print("  ".join(cells).rstrip(), style="bold" if row is columns else None)

    def finish(self, value: dict[str, Any]) -> None:
        """Print the JSON object, if it is asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, indent=2) + "\n")


def weights_left(percent: float, dense_percent: float) -> str:
    """Say how many weights are left, in percent of the real network, and how many of the network's own are pruned."""
    return f"weights left {percent:.3g} % (pruned {100 * (1 - percent / dense_percent):.3g} %)"


class Follower:
    """Shows an experiment's progress; use as a context manager and give `listener` to the experiment."""

    def __init__(self, output: Output, epochs: int, dense_percent: float) -> None:
        self._output = output
        self._epochs = epochs
        self._dense_percent = dense_percent
        self._refreshed = 0.0
        self._task: TaskID | None = None
        self._epochs_done = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=output.console,
            transient=True,
        )
        terminal = output.console.is_terminal and not output.console.quiet
        self._shows_bar = terminal
        self.listener = Listener(
            step=self._step if terminal else (lambda batch, batches: None),
            epoch=self._epoch,
            finished=self._finished,
        )

    def __enter__(self) -> Follower:
        if self._shows_bar:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shows_bar:
            self._bar.stop()

    def _step(self, batch: int, batches: int) -> None:
        now = time.monotonic()
        if now - self._refreshed < REFRESH_SECONDS:
            return
        self._refreshed = now
        if self._task is None:
            self._task = self._bar.add_task("training", total=self._epochs, status="")
        self._bar.update(self._task, completed=self._epochs_done + batch / batches)

    def _epoch(self, position: Position, progress: TrainingProgress, percent: float) -> None:
        last = progress.last
        if last is None:
            return
        self._epochs_done = progress.epochs
        name = f"{'search ' if PHASES[position.phase] == 'search' else ''}round {position.round}"
        status = f"loss {last.loss:.4f}  accuracy {last.accuracy:.2f} %  {weights_left(percent, self._dense_percent)}"
        if self._shows_bar:
            if self._task is None:
                self._task = self._bar.add_task(name, total=self._epochs, status=status)
            self._bar.update(self._task, completed=progress.epochs, description=name, status=status)
        else:
            self._output.say(f"{name}  epoch {last.epoch}/{self._epochs}  {status}  {last.seconds:.1f} s")

    def _finished(self, position: Position, result: RoundResult) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        self._epochs_done = 0
        if self._shows_bar:
            search = "search " if PHASES[position.phase] == "search" else ""
            self._output.say(
                f"{search}round {result.round:2d}  accuracy {result.accuracy:.2f} %  "
                f"{weights_left(result.weights_left, self._dense_percent)}"
            )
