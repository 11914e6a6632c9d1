"""Progress of a training or a download: a bar on a terminal, elsewhere a line per epoch."""

from __future__ import annotations

import time
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from quatnet.cli.console import Output, weights_left
from quatnet.experiment import Listener
from quatnet.runs import RoundResult, Run
from quatnet.streams import Phase, Position
from quatnet.training import Progress as TrainingProgress

REFRESH_SECONDS = 0.1


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
            self._output.console.print(f"{self._name(position)}  accuracy {result.accuracy:.2f} %  {left}")


class DownloadBars:
    """A bar per file, on a terminal."""

    def __init__(self, output: Output) -> None:
        self._shown = output.console.is_terminal and not output.console.quiet
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=output.console,
        )

    def __enter__(self) -> DownloadBars:
        if self._shown:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._bars.stop()

    def update(self, file: str, done: int, total: int | None) -> None:
        """Show how much of a file is here."""
        if file not in self._tasks:
            self._tasks[file] = self._bars.add_task(file, total=total)
        self._bars.update(self._tasks[file], completed=done, total=total)
