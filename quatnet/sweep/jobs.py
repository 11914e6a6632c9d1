"""The jobs of a sweep, and how far each is: read from the run folders, so that it holds wherever the work is done."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quatnet.errors import QuatnetError, RunError, UsageError
from quatnet.pruning.protocols import is_finished
from quatnet.runs import RoundResult, Run, run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position

TAIL = 4096
"""Bytes in which the last line of metrics.jsonl surely lies."""


@dataclass(frozen=True)
class Job:
    """One run: a network that is trained and, if `prune` is given, pruned."""

    train: TrainSettings
    prune: PruneSettings | None = None

    def __post_init__(self) -> None:
        if self.prune is not None:
            self.prune.check_training(self.train)

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return run_name(self.train, self.prune)


@dataclass(frozen=True)
class Status:
    """How far a job is.

    Attributes
    ----------
    job, path : the job and its run folder.
    state : new, begun, finished, damaged (the folder cannot be read), or, once a sweep has tried it, failed.
    position, epoch : the latest training and the last epoch of it; None and 0 before the first epoch.
    results, searched : what the finished rounds gave, and those of the search for masks.
    error : why it is damaged or has failed.
    """

    job: Job
    path: Path
    state: str
    position: Position | None = None
    epoch: int = 0
    results: tuple[RoundResult, ...] = ()
    searched: tuple[RoundResult, ...] = ()
    error: str | None = None


def status_of(job: Job, runs_dir: Path) -> Status:
    """Return how far a job is."""
    path = runs_dir / job.name
    if not (path / "config.json").is_file():
        return Status(job, path, "new")
    try:
        run = Run(path)
        results, searched = tuple(run.results()), tuple(run.results(Phase.SEARCH))
        position, epoch = _last_epoch(path / "metrics.jsonl")
    except QuatnetError as error:
        return Status(job, path, "damaged", error=str(error))
    finished = _belongs(run, job) and is_finished(job.prune, results, searched)
    state = "finished" if finished else "begun"
    return Status(job, path, state, position, epoch, results, searched)


def _belongs(run: Run, job: Job) -> bool:
    """Say whether a run has the settings of a job; if not, the attempt to go on with it says which differ."""
    try:
        if job.prune is not None:
            run.check_prune_settings(job.prune)
    except UsageError:
        return False
    return run.train_settings == job.train


def _last_epoch(metrics: Path) -> tuple[Position | None, int]:
    """Return where the last line of metrics.jsonl stands; the line that is just being written does not count."""
    try:
        with metrics.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return None, 0
    if not lines:
        return None, 0
    try:
        last: dict[str, Any] = json.loads(lines[-1])
        return Position(Phase[last["phase"].upper()], int(last["round"])), int(last["epoch"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{metrics}: not readable as one JSON object per line ({error})") from None


class Watch:
    """The statuses of many jobs; a run folder is read again only when its files have changed."""

    FILES = ("config.json", "metrics.jsonl", "results.csv")

    def __init__(self, jobs: Sequence[Job], runs_dir: Path) -> None:
        self._jobs = list(jobs)
        self._runs_dir = runs_dir
        self._seen: dict[str, tuple[Any, Status]] = {}

    def look(self) -> list[Status]:
        """Return the present statuses, in the order of the jobs."""
        return [self._look(job) for job in self._jobs]

    def _look(self, job: Job) -> Status:
        files = [_stamp(self._runs_dir / job.name / name) for name in self.FILES]
        before = self._seen.get(job.name)
        if before is None or before[0] != files:
            before = self._seen[job.name] = files, status_of(job, self._runs_dir)
        return before[1]


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
