"""Files that are whole or not there: atomic writes, checksums, locks, and .npz archives without pickles."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quatnet.errors import RunError, UsageError

if TYPE_CHECKING:
    import numpy as np

NPZ_ERRORS = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise for a damaged .npz file."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block has ended.

    For blocks that are short and in which an exception at any place does harm: a ZipFile that is interrupted
    while it is being made complains when it is collected.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before: dict[int, Any] = {}
    try:
        for signum in (signal.SIGINT, signal.SIGTERM):
            before[signum] = signal.getsignal(signum) or signal.SIG_DFL  # None: not set from Python
            signal.signal(signum, lambda given, frame: waiting.append(given))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for given in waiting:
            signal.raise_signal(given)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file; a RunError if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not a readable JSON file ({error})") from None


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], *, compress: bool = False) -> None:
    """Write arrays as .npz, atomically. Equal arrays give equal bytes."""
    import numpy as np

    buffer = io.BytesIO()
    with uninterrupted(), zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # has a fixed date
            member.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file, never a pickle; a RunError if it is missing or damaged."""
    import numpy as np

    try:
        with uninterrupted(), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except NPZ_ERRORS as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path}: not a readable .npz file ({reason})") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seal(path: Path, values: Mapping[str, Any], names: Sequence[str]) -> None:
    """Write a JSON file with the checksums of files beside it, which are whole when it is there."""
    write_json(path, {**values, "sha256": {name: sha256(path.with_name(name)) for name in names}})


def verify(path: Path, names: Sequence[str]) -> None:
    """Raise a RunError unless the files beside a JSON file are those that it was written for."""
    values = read_json(path)
    checksums = values.get("sha256") if isinstance(values, dict) else None
    if not isinstance(checksums, dict):
        raise RunError(f"{path}: it has no checksums")
    for file in map(path.with_name, names):
        if not file.is_file():
            raise RunError(f"{file} is missing")
        if sha256(file) != checksums.get(file.name):
            raise RunError(f"{file} is damaged: its SHA-256 is not the one in {path.name}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, where the system has advisory locks; a UsageError if it is held elsewhere."""
    with (folder / ".lock").open("a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # pragma: no cover
            pass
        except BlockingIOError:
            raise UsageError(f"{folder} is in use by another process") from None
        yield
