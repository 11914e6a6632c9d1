"""Tiny sweeps, and a diary in which their processes write down what they do."""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import quatnet
from quatnet.sweep import Job, run_jobs
from tests import small
from tests.folders import content

ROOT = Path(quatnet.__file__).parents[1]
PATIENCE = 60

# Python imports `sitecustomize` when it starts. Only the processes that do a run keep the diary.
SITECUSTOMIZE = """
import os, sys

if any("quatnet.sweep.process" in argument for argument in sys.orig_argv):
    import time
    from contextlib import contextmanager
    from pathlib import Path
    from quatnet.runs import Run
    from quatnet.sweep import process

    HERE = Path(__file__).parent

    def note(name, *words):
        with (HERE / "diary").open("a") as diary:
            diary.write(" ".join([name, str(os.getpid()), *map(str, words)]) + "\\n")

    def save_round(run, position, *arguments, before=Run.save_round):
        before(run, position, *arguments)
        note(run.path.name, "round", position.phase.folder, position.round)

    def save_checkpoint(run, position, progress, *arguments, before=Run.save_checkpoint):
        before(run, position, progress, *arguments)
        note(run.path.name, "epoch", position.phase.folder, position.round, progress.epochs)
        while "DIARY_HOLD" in os.environ and (HERE / "hold").exists():
            time.sleep(0.02)

    @contextmanager
    def locked(run, before=Run.locked):
        with before(run):
            note(run.path.name, "begin")
            yield

    @contextmanager
    def held(path, *arguments, before=process.held):
        with before(path, *arguments) as alone:
            if not alone:
                note("any", "wait")
            yield alone

    Run.locked, Run.save_round, Run.save_checkpoint, process.held = locked, save_round, save_checkpoint, held
    note("any", "start", os.getppid())
"""


class Diary:
    """What the processes of a sweep wrote: the name of the run, the process, and what it has just done.

    While they are held, those that are started with `environment(hold=True)` wait after every epoch.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
        (folder / "hold").touch()
        self.folder = folder

    def release(self):
        (self.folder / "hold").unlink(missing_ok=True)

    def environment(self, hold=False):
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        return {**os.environ, "PYTHONPATH": path, **({"DIARY_HOLD": "1"} if hold else {})}

    def lines(self):
        file = self.folder / "diary"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def processes(self, word="start"):
        """The processes that did something, in their order, each once."""
        return list(dict.fromkeys(int(line[1]) for line in self.lines() if line[2] == word))

    def children(self, parent):
        """The processes that a process has started."""
        return [int(line[1]) for line in self.lines() if line[2] == "start" and int(line[3]) == parent]

    def count(self, word):
        """How often every round or epoch of every run was written."""
        return Counter((line[0], *line[3:]) for line in self.lines() if line[2] == word)

    def check(self, jobs):
        """Assert that no two processes were at one run at the same time, and that nothing was written twice."""
        for job in jobs:
            alone = None
            for _, process, word, *_ in (line for line in self.lines() if line[0] == job.name):
                alone = process if word == "begin" else alone
                assert process == alone, f"{process} writes, while {alone} has the run"
        assert set(self.count("round").values()) == {1}
        assert set(self.count("epoch").values()) == {1}


def jobs(data, *, seeds=(0, 1), epochs=1, rate=0.01, protocols=("imp",)):
    """Small jobs of two pruning rounds, a real and a quaternion one per seed."""
    return [
        Job(
            small.train_settings(data, quaternion=quaternion, seed=seed, epochs=epochs, rate=rate),
            small.prune_settings(protocol=protocol),
        )
        for seed in seeds
        for protocol in protocols
        for quaternion in (False, True)
    ]


def sweep(jobs, follow=lambda statuses: None, **given):
    """Do all jobs, and lose patience if they never end."""
    deadline = time.monotonic() + PATIENCE

    def patient(statuses):
        assert time.monotonic() < deadline, "the sweep does not end"
        follow(statuses)

    return run_jobs(jobs, follow=patient, **given)


def undisturbed(jobs, folder):
    """The content of the same runs, made one after the other in this process."""
    return {job.name: content(small.experiment(folder, job.train, job.prune).path) for job in jobs}


def made(jobs, runs_dir):
    """The content of the runs of a sweep."""
    return {job.name: content(runs_dir / job.name) for job in jobs}


def wait_for(condition, what):
    """Wait until a condition holds, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)
    return value


def is_alive(process):
    """Say whether a process, by its number, still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.is_file() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def python(*arguments):
    """The command of a Python process."""
    return [sys.executable, *map(str, arguments)]
