"""What people see: text, a progress bar on a terminal or a line per epoch elsewhere, tables, and the JSON object."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from quatnet.pruning.lab import Listener
from quatnet.runs import RoundResult, Run
from quatnet.streams import Phase, Position
from quatnet.training import Progress as TrainingProgress

REFRESH_SECONDS = 0.1


class Output:
    """Where text goes: standard output, or standard error when a JSON object goes to standard output, or nowhere."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, quiet=quiet, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def say(self, text: str = "") -> None:
        """Print a line."""
        self.console.print(text)

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """Print a table, columns of numbers aligned to the right; never cut to the window."""
        cells = [columns, *rows]
        for k in range(len(columns)):
            width = max(len(row[k]) for row in cells)
            is_number = all(row[k] == "-" or (row[k].lstrip("+-")[:1].isdigit() and ", " not in row[k]) for row in rows)
            align = str.rjust if is_number else str.ljust
            cells = [[*row[:k], align(row[k], width), *row[k + 1 :]] for row in cells]
        for index, row in enumerate(cells):
            self.console.print("  ".join(row).rstrip(), style=None if index else "bold")

    def finish(self, value: dict[str, Any]) -> None:
        """Print the JSON object, if it is asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, indent=2) + "\n")


def weights_left(percent: float, dense_percent: float) -> str:
    """Say how many weights are left, in percent of the real network, and how many of the network's own are pruned."""
    return f"weights left {share(percent)} (pruned {pruned(percent, dense_percent)})"


def pruned(percent: float, dense_percent: float) -> str:
    """Say how many of the network's own parameters are pruned."""
    return share(max(0.0, 100 * (1 - percent / dense_percent)))


def share(percent: float) -> str:
    """Write a percentage with one decimal, below 1 % with two digits."""
    return f"{percent:#.2g} %" if 1e-6 < percent < 0.95 else f"{percent:.1f} %"


class Follower:
    """Shows an experiment's progress; use as a context manager and give `listener` to the experiment."""

    def __init__(self, output: Output, run: Run, dense_percent: float, rounds: int = 0) -> None:
        self._output = output
        self._run = run
        self._dense_percent = dense_percent
        self._rounds = rounds
        self._refreshed = 0.0
        self._task: TaskID | None = None
        self._epochs_done = 0
        self._phase = Phase.ROUNDS
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
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
        begun = self._run.load_checkpoint()
        if begun is not None and not self._run.is_finished(begun.position):
            self._epochs_done = begun.progress.epochs
            self._phase = begun.position.phase
            self._output.say(f"resuming {self._name(begun.position)} after epoch {self._epochs_done}/{self._epochs()}")
        if self._shows_bar:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shows_bar:
            self._bar.stop()

    def _epochs(self) -> int:
        """Return the epochs of a training of the phase that was seen last."""
        train, prune = self._run.train_settings, self._run.prune_settings
        return prune.epochs_of_search(train) if self._phase is Phase.SEARCH and prune else train.epochs

    def _name(self, position: Position) -> str:
        search = "search " if position.phase is Phase.SEARCH else ""
        total = f"/{self._rounds}" if self._rounds else ""
        return f"{search}round {position.round:{len(str(self._rounds))}d}{total}"

    def _step(self, batch: int, batches: int) -> None:
        now = time.monotonic()
        if now - self._refreshed < REFRESH_SECONDS:
            return
        self._refreshed = now
        if self._task is None:
            self._task = self._bar.add_task("training", total=self._epochs(), status="")
        self._bar.update(self._task, completed=self._epochs_done + batch / batches)

    def _epoch(self, position: Position, progress: TrainingProgress, percent: float) -> None:
        last = progress.last
        if last is None:
            return
        self._epochs_done, self._phase = progress.epochs, position.phase
        name = self._name(position)
        status = f"loss {last.loss:.4f}"
        if last.accuracy is not None:
            status += f"  accuracy {last.accuracy:.2f} %"
        if self._shows_bar:
            if self._task is None:
                self._task = self._bar.add_task(name, status=status)
            total = self._epochs()
            self._bar.update(self._task, total=total, completed=progress.epochs, description=name, status=status)
        else:
            left = weights_left(percent, self._dense_percent)
            self._output.say(f"{name}  epoch {last.epoch}/{self._epochs()}  {status}  {left}  {last.seconds:.1f} s")

    def _finished(self, position: Position, result: RoundResult) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        self._epochs_done = 0
        if self._shows_bar:
            left = weights_left(result.weights_left, self._dense_percent)
            self._output.say(f"{self._name(position)}  accuracy {result.accuracy:.2f} %  {left}")
