"""One job in a process of its own: what starts it and waits for it, and what it does.

The process works while its standard input is open. Whoever started it holds the other end, and closes it to stop the
work; if that one is killed, the system does. Results go into the run folder, and only an error comes back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from quatnet.errors import QuatnetError, RunError
from quatnet.experiment import start
from quatnet.fast import Compute
from quatnet.pruning import protocols
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.sweep.jobs import Job

FOLDER = ".sweep"
"""A folder among the run folders, with a lock per run."""

PROGRAM = "import sys; sys.path = [p for p in sys.path if p]; from quatnet.sweep.process import main; main()"
"""What the process runs; modules in the folder where it starts are not its own."""

BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
STOPPED = 130
WAIT_SECONDS = 0.2
GRACE_SECONDS = 10
"""How long a process may take to stop in order; then it just ends, which the run folder survives as well."""


@dataclass(frozen=True)
class Task:
    """A job, and where and how it is done; paths hold in `folder`, where the sweep was started."""

    job: Job
    runs_dir: str
    data_dir: str | None
    compute: Compute
    folder: str

    def to_json(self) -> str:
        """Return the task as one line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        train, prune = values.pop("job").values()
        job = Job(TrainSettings(**train), PruneSettings(**prune) if prune else None)
        return cls(job=job, compute=Compute(**values.pop("compute")), **values)


@dataclass(frozen=True)
class Outcome:
    """How a task ended: without an error, or with one.

    `interrupted`: its process was ended from outside. `fatal`: the worker cannot do any task.
    """

    error: str | None = None
    interrupted: bool = False
    fatal: bool = False


def execute(task: Task, stop: Callable[[], bool], every: float = WAIT_SECONDS) -> Outcome:
    """Do a task in a new process, and wait for its end; `stop` is asked again and again whether to end it early."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, task.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_environment(task.compute.threads or 1),
            start_new_session=True,  # Ctrl-C on a terminal is for the sweep, which then stops its processes
        ) as process:
            while not _ends(process, every) and not stop():
                pass
        # Leaving the block has closed the standard input, and waited.
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    code = process.returncode
    if code == 0:
        return Outcome()
    if code == STOPPED:
        return Outcome("it was interrupted", interrupted=True)
    if code < 0:
        return Outcome(f"its process was ended by signal {-code} ({signal.strsignal(-code)})", interrupted=True)
    return Outcome(lines[-1] if lines else f"its process ended with exit code {code}")


def main() -> None:
    """Do the task in the first argument, in this process."""
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_watch_lifeline, daemon=True).start()
    try:
        work(Task.from_json(sys.argv[1]))
    except QuatnetError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def work(task: Task) -> None:
    """Do a task when no other process works on it: train and prune, or resume what the run folder has."""
    if os.path.isdir(task.folder):
        os.chdir(task.folder)
    runs_dir, job = Path(task.runs_dir), task.job
    locks = runs_dir / FOLDER
    locks.mkdir(parents=True, exist_ok=True)
    while True:
        with held(locks / f"{job.name}.lock") as alone:
            if alone:
                data_dir = Path(task.data_dir) if task.data_dir else None
                experiment = start(runs_dir, job.train, job.prune, data_dir=data_dir, engine=task.compute)
                if job.prune is None:
                    protocols.train_dense(experiment)
                else:
                    protocols.prune(experiment, job.prune)
                return
        time.sleep(WAIT_SECONDS)


@contextmanager
def held(path: Path, mode: str = "a") -> Iterator[bool]:
    """Try to lock a file, and yield whether it is locked now; a RunError where the file system has no locks."""
    import fcntl

    with path.open(mode) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            locked = False
        except OSError as error:
            raise RunError(f"{path} cannot be locked ({error.strerror}); a file system with locks is needed") from None
        yield locked


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _environment(threads: int) -> dict[str, str]:
    """Return the environment in which BLAS has so many threads and this quatnet is found."""
    here = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH")
    path = f"{here}{os.pathsep}{before}" if before else here
    return {**os.environ, **dict.fromkeys(BLAS, str(threads)), "PYTHONPATH": path}


def _watch_lifeline() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(STOPPED)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
