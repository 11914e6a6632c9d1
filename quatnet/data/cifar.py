"""Reader of the official binary versions of CIFAR-10 and CIFAR-100, unpacked or straight from the archive."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from quatnet.data.layouts import CIFAR10, CIFAR100, Layout, pickled
from quatnet.errors import DataError

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]


def recognise(path: Path) -> Layout | None:
    """Return the layout of the folder or tar archive at `path`, by the names in it; None when neither.

    Raises
    ------
    DataError
        The archive is damaged, or `path` holds the pickled version.
    """
    if path.is_dir():
        names = {entry.name for entry in path.iterdir()}
    else:
        names = {PurePosixPath(member).name for member, _ in _members(path)}
    for layout in (CIFAR10, CIFAR100):
        if names & {*layout.train, layout.test}:
            return layout
    for layout in (CIFAR10, CIFAR100):
        if layout.pickled_files <= names:
            raise pickled(layout, path)
    return None


def read(layout: Layout, path: Path) -> Arrays:
    """Read the folder or archive at `path`: training images and labels, test images and labels.

    Images come as (n, 32, 32, 3) uint8, labels (fine labels of CIFAR-100) as (n,) int64, in file order.
    A set with fewer images than the official one is read as it is.

    Raises
    ------
    DataError
        A file is missing or damaged, its size is not a multiple of the record, or a label is out of range.
    """
    source = _folder_files(layout, path) if path.is_dir() else _archive_files(layout, path)
    files = {name: _records(layout, where, content) for name, where, content in source}
    missing = [name for name in (*layout.train, layout.test) if name not in files]
    if missing:
        raise DataError(f"{path}: {', '.join(missing)} missing, expected the binary version of {layout.title}")
    x_train, y_train = _split(layout, [files[name] for name in layout.train])
    x_test, y_test = _split(layout, [files[layout.test]])
    return x_train, y_train, x_test, y_test


def _folder_files(layout: Layout, folder: Path) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    for name in (*layout.train, layout.test):
        path = folder / name
        if not path.is_file():
            continue
        try:
            yield name, str(path), np.fromfile(path, np.uint8)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _archive_files(layout: Layout, archive: Path) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    wanted = {*layout.train, layout.test}
    for member, content in _members(archive, frozenset(wanted)):
        name = PurePosixPath(member).name
        if name in wanted:
            wanted.remove(name)
            yield name, f"{archive} ({member})", np.frombuffer(content, np.uint8)
        if not wanted:
            return


def _members(archive: Path, wanted: frozenset[str] = frozenset()) -> Iterator[tuple[str, bytes]]:
    """Yield the path of every file in `archive`, with its content where its name is wanted."""
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None:
                    yield member.name, file.read() if PurePosixPath(member.name).name in wanted else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive}: damaged or not a tar archive ({error})") from None
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror or error})") from None


def _records(layout: Layout, where: str, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Check one file and return its bytes as (n, record)."""
    if content.size == 0 or content.size % layout.record:
        raise DataError(
            f"{where}: {content.size:,} bytes, expected a multiple of {layout.record:,} ({layout.title} records)"
        )
    records = content.reshape(-1, layout.record)
    for column, values in enumerate(layout.label_ranges):
        labels = records[:, column]
        if labels.max() >= values:
            at = int(np.argmax(labels >= values))
            raise DataError(
                f"{where}: label {labels[at]} in record {at}, expected 0..{values - 1} in a {layout.title} file"
            )
    return records


def _split(layout: Layout, files: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Join the records of `files` and return images (n, 32, 32, 3) and labels (n,)."""
    start = len(layout.label_ranges)
    labels = np.concatenate([records[:, start - 1] for records in files]).astype(np.int64)
    images = np.empty((len(labels), 32, 32, 3), np.uint8)
    end = 0
    for records in files:
        planes = records[:, start:].reshape(-1, 3, 32, 32)
        images[end : end + len(planes)] = planes.transpose(0, 2, 3, 1)
        end += len(planes)
    return images, labels
