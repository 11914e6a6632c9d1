"""A sweep: all jobs, as many at once as there are workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from quatnet.data import load
from quatnet.errors import DataError, RunError, UsageError
from quatnet.fast import Compute
from quatnet.nn.networks import count_parameters
from quatnet.sweep.cluster import connected
from quatnet.sweep.jobs import Job, Status, Watch
from quatnet.sweep.local import Local, at_once, devices
from quatnet.sweep.process import Outcome, Task
from quatnet.training import TrainingData

ONE_THREAD = Compute(threads=1)
FOLLOW_SECONDS = 0.5
VISIBLE_SECONDS = 120.0
"""How long it may take until the files of a run that was done elsewhere are seen here: network file systems cache."""


class Future(Protocol):
    """A task under way, as `concurrent.futures` and Dask have it."""

    def done(self) -> bool:
        """Say whether it has ended."""

    def result(self) -> Outcome:
        """Return its outcome."""


def run_jobs(
    jobs: Sequence[Job],
    *,
    runs_dir: Path,
    data_dir: Path | None = None,
    compute: Compute = ONE_THREAD,
    workers: int | None = None,
    scheduler: str | None = None,
    follow: Callable[[Sequence[Status]], None] = lambda statuses: None,
) -> list[Status]:
    """Do all jobs, each in a process of its own, and return how each has ended: finished, or failed with an error.

    A finished run is not done again, and one that is begun is resumed; so the same call again resumes a sweep. An
    exception, KeyboardInterrupt included, stops all runs; each has its last finished epoch.

    Parameters
    ----------
    runs_dir, data_dir : where run folders and data sets are kept.
    compute : for every run; `threads` is 1 unless given. With `device` gpu, or auto, local workers share the GPUs.
    workers : how many runs at once on this machine; None for as many as it has cores.
    scheduler : the address of a Dask scheduler, whose workers do the runs instead.
    follow : called twice a second with the statuses of all jobs, in their order.

    Raises
    ------
    UsageError, DataError
        If something is wrong before any run is started.
    RunError
        A worker of the cluster cannot take part: it does not see `runs_dir`, for instance.
    """
    runs_dir = Path(runs_dir)
    compute = replace(compute, threads=compute.threads or 1)
    check(jobs, workers, scheduler)
    watch = Watch(jobs, runs_dir)
    statuses = watch.look()
    follow(statuses)
    todo = [job for job, status in zip(jobs, statuses, strict=True) if status.state != "finished"]
    if not todo:
        return statuses
    _check_data(todo, data_dir, elsewhere=scheduler is not None)
    failed: dict[Job, str] = {}
    first_done: dict[Job, float] = {}
    with connected(scheduler, runs_dir) if scheduler else _this_machine(len(todo), workers, compute) as pool:
        under_way: dict[Job, Future] = {job: pool.submit(_task(job, runs_dir, data_dir, compute)) for job in todo}
        while under_way:
            time.sleep(FOLLOW_SECONDS)
            statuses = watch.look()
            for status in statuses:
                job = status.job
                if job not in under_way or not under_way[job].done():
                    continue
                error = error_of(under_way[job])
                if error is None and status.state != "finished":
                    if time.monotonic() - first_done.setdefault(job, time.monotonic()) < VISIBLE_SECONDS:
                        continue
                    error = "a worker has finished it, but its results are not visible here"
                if error is not None:
                    failed[job] = error
                del under_way[job]
            statuses = [_with(status, failed.get(status.job)) for status in statuses]
            follow(statuses)
    return statuses


def check(jobs: Sequence[Job], workers: int | None, scheduler: str | None) -> None:
    """Raise a UsageError unless the jobs differ and the workers and the scheduler fit together."""
    if not jobs:
        raise UsageError("jobs: none given; at least one is needed")
    if workers is not None and scheduler is not None:
        raise UsageError(f"{workers} given; a cluster has as many as it was started with (scheduler)", "workers")
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} given; 1 or more is needed", "workers")
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"jobs: {names.count(name)} of them have the run folder {name}; they must all differ")


def _check_data(jobs: Sequence[Job], data_dir: Path | None, *, elsewhere: bool) -> None:
    """Load every data set, cut it, and lay out every network, so that what is wrong is said once and at once.

    Workers elsewhere may have data sets that are missing here.
    """
    for dataset in dict.fromkeys(job.train.dataset for job in jobs):
        try:
            data = load(dataset, data_dir=data_dir)
        except DataError:
            if not elsewhere:
                raise
            continue
        for train in dict.fromkeys(replace(job.train, seed=0) for job in jobs if job.train.dataset == dataset):
            TrainingData.cut(data, train)
            count_parameters(train.arch, train.quaternion, data.input_shape, data.classes, train.width, train.norm)


def _this_machine(jobs: int, workers: int | None, compute: Compute) -> Local:
    return Local(at_once(jobs, workers, compute.threads or 1), devices(compute.device))


def _task(job: Job, runs_dir: Path, data_dir: Path | None, compute: Compute) -> Task:
    return Task(job, str(runs_dir.absolute()), str(data_dir.absolute()) if data_dir else None, compute, os.getcwd())


def error_of(future: Future) -> str | None:
    """Return why a task has failed, or None if it has not; a RunError if its worker cannot do any."""
    try:
        outcome = future.result()
    except Exception as error:  # Dask's own: the workers of a task died again and again, or the scheduler is gone
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    if outcome.fatal:
        raise RunError(outcome.error)
    return outcome.error


def _with(status: Status, error: str | None) -> Status:
    return status if error is None else replace(status, state="failed", error=error)
