"""The workers of a Dask cluster that is there already; run folders are on a file system that all its workers see.

While a sweep is under way it holds the lock of a file among the run folders. A worker that does not see the file, or
could lock it, has other files or no locks in common with the others, and does nothing. One that finds it unlocked
later knows that the sweep has ended, and stops its run.
"""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quatnet.errors import QuatnetError, UsageError
from quatnet.sweep.process import FOLDER, Outcome, Task, execute, held
from quatnet.version import VERSION

CONNECT_SECONDS = 10
LOOK_SECONDS = 1.0
RETRIES = 3
"""How often a run is resumed elsewhere when its process, but not its worker, is ended from outside."""


class Cluster:
    """A Dask scheduler, as `local.Local` is a machine: every thread of its workers does one run at a time."""

    def __init__(self, client: Any, sign: Path) -> None:
        self._client = client
        self._sign = sign

    def submit(self, task: Task) -> Any:
        """Do a task as soon as a worker is free; Dask gives it to another one if the worker is lost."""
        key = f"{task.job.name}-{self._sign.name}"
        return self._client.submit(on_worker, task.to_json(), str(self._sign), VERSION, key=key, retries=RETRIES)


@contextmanager
def connected(scheduler: str, runs_dir: Path) -> Iterator[Cluster]:
    """Connect to a scheduler; in the end the sign is taken away, at which the workers stop what still runs."""
    address = re.fullmatch(r"(?:tcp|tls)://\[?(.+?)\]?:(\d{1,5})", scheduler)
    if address is None:
        raise UsageError(f"{scheduler!r} given; an address such as tcp://HOST:8786 is needed", "scheduler")
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("Dask is not installed here (extra `cluster`)", "scheduler") from None
    try:
        socket.create_connection((address[1], int(address[2])), CONNECT_SECONDS).close()  # fails at once; Dask waits
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Dask scheduler at {scheduler} ({error})", "scheduler") from None
    sign = (runs_dir / FOLDER / f"sweep-{uuid.uuid4().hex[:8]}").absolute()
    sign.parent.mkdir(parents=True, exist_ok=True)
    with client, held(sign):
        try:
            yield Cluster(client, sign)
        finally:
            sign.unlink()


def on_worker(task: str, sign: str, version: str) -> Outcome:
    """Do a task on a worker; an exception lets Dask try it again."""
    path = Path(sign)
    reason = refusal(path, version)
    if reason is not None:
        return Outcome(f"the Dask worker on {socket.gethostname()} {reason}", fatal=True)
    outcome = execute(Task.from_json(task), lambda: has_ended(path), LOOK_SECONDS)
    if outcome.interrupted and not has_ended(path):
        raise RuntimeError(outcome.error)
    return outcome


def refusal(sign: Path, version: str) -> str | None:
    """Return why this worker cannot take part in a sweep, or None if it can."""
    runs_dir = sign.parents[1]
    if version != VERSION:
        return f"has quatnet {VERSION}, and the sweep {version}"
    try:
        with held(sign, "r+") as locked:
            if not locked:
                return None
    except FileNotFoundError:
        return f"does not see {runs_dir}: the run folders must be on a file system that all workers see, by this path"
    except (OSError, QuatnetError) as error:
        return f"cannot work in {runs_dir}: {error}"
    return f"shares {runs_dir}, but not its locks: a file system with locks (flock) between machines is needed"


def has_ended(sign: Path) -> bool:
    """Say whether the sweep has ended."""
    try:
        with held(sign, "r+") as locked:
            return locked
    except FileNotFoundError:
        return True
    except (OSError, QuatnetError):
        return False  # the file system is out of order for a moment
