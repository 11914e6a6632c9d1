"""Download of the official data sets: several mirrors, checksums, and partial files that are resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests

from quatnet.data import idx
from quatnet.data.descriptions import DESCRIPTIONS
from quatnet.data.layouts import CIFAR10, CIFAR100, is_whole
from quatnet.errors import DataError, UsageError

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes of it that are here, and their final number where it is known."""

_TIMEOUT = (10, 60)
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Source:
    """Where one data set is published: SHA-256 by file name, mirrors, and its folder in the data directory."""

    folder: str
    mirrors: tuple[str, ...]
    files: dict[str, str]


SOURCES = {
    "mnist": Source(
        folder="mnist",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files={
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion-mnist": Source(
        folder="fashion-mnist",
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        files={
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
    "cifar10": Source(
        folder="",
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        files={CIFAR10.archive: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
    "cifar100": Source(
        folder="",
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        files={CIFAR100.archive: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"},
    ),
}


class _MirrorError(Exception):
    """One mirror could not give the file, for the reason in the message."""


class _ChecksumError(_MirrorError):
    """One mirror gave a file of another checksum."""


def fetch(name: str, data_dir: Path, *, mirrors: Sequence[str] | None = None, progress: Progress | None = None) -> Path:
    """Bring the data set `name` into `data_dir` and return its folder or archive.

    A set that is there whole is kept without a look at the network. Otherwise every file is taken from the
    first of `mirrors` (base addresses; default: the public ones) that gives it with the right checksum. A
    file grows as NAME.part, is resumed by the next call, and gets its name once its checksum is right.

    Raises
    ------
    UsageError
        `name` has no download.
    DataError
        No mirror can be reached, a checksum is wrong, or `data_dir` cannot be written.
    """
    if name not in SOURCES:
        raise UsageError(f"nothing to download for data set {name!r}, allowed are {', '.join(SOURCES)}")
    source = SOURCES[name]
    folder = data_dir / source.folder
    here = _whole(name, data_dir, folder)
    if here is not None:
        return here
    pooch.get_logger().setLevel("WARNING")  # what is shown to the user is the command line's affair
    for file in source.files:
        try:
            _fetch_file(name, folder, file, source.mirrors if mirrors is None else mirrors, progress)
        except OSError as error:
            raise DataError(f"{folder / file}: cannot be written ({error.strerror or error})") from None
    return folder if source.folder else folder / next(iter(source.files))


def _whole(name: str, data_dir: Path, folder: Path) -> Path | None:
    """Return where the set lies in a readable form other than the downloaded files, None if it does not."""
    layout, images = DESCRIPTIONS[name].layout, DESCRIPTIONS[name].train_images
    if layout is not None:
        return data_dir / layout.folder if is_whole(layout, data_dir / layout.folder) else None
    try:
        return folder if len(idx.read_folder(folder, classes=10)[0]) == images else None
    except DataError:
        return None


def _fetch_file(name: str, folder: Path, file: str, mirrors: Sequence[str], progress: Progress | None) -> None:
    failures: list[_MirrorError] = []
    checksum = SOURCES[name].files[file]
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file}"
        downloader = _Resumable(folder / f"{file}.part", checksum, progress)
        try:
            pooch.retrieve(url, f"sha256:{checksum}", fname=file, path=folder, downloader=downloader)
        except _MirrorError as failure:
            failures.append(failure)
        else:
            return
    damaged = [failure for failure in failures if isinstance(failure, _ChecksumError)]
    if damaged:
        raise DataError(f"{folder / file}: {damaged[-1]}")
    raise DataError(
        f"{file} of {name} cannot be downloaded ({'; '.join(map(str, failures))}): "
        f"put {', '.join(SOURCES[name].files)} into {folder} by hand, "
        f"or use the built-in data set {DESCRIPTIONS[name].stand_in}"
    )


@dataclass
class _Resumable:
    """A downloader for pooch that continues a partial file and checks it before pooch sees it."""

    part: Path
    checksum: str
    progress: Progress | None

    def __call__(self, url: str, output_file: Any, pooch_: Any) -> None:
        """Complete the partial file from `url` and move it to `output_file`."""
        try:
            self._complete(url)
        except requests.RequestException as error:
            raise _MirrorError(f"{url}: {_reason(error)}") from None
        found = pooch.file_hash(str(self.part), alg="sha256")
        if found != self.checksum:
            self.part.unlink()
            raise _ChecksumError(
                f"SHA-256 of {url} is {found}, expected {self.checksum}; the partial file is deleted, try again"
            )
        self.part.replace(output_file)

    def _complete(self, url: str) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        with _get(url, have) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable and have:
                return  # nothing follows what is here: the checksum decides
            if not response.ok:
                raise _MirrorError(f"{url}: HTTP status {response.status_code}")
            if response.status_code != requests.codes.partial_content:
                have = 0  # the server ignores ranges and starts at the beginning
            self._save(response, have)

    def _save(self, response: requests.Response, have: int) -> None:
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with self.part.open("ab" if have else "wb") as file:
            for block in response.iter_content(_BLOCK):
                file.write(block)
                have += len(block)
                if self.progress is not None:
                    self.progress(self.part.stem, have, total)


def _get(url: str, start: int) -> requests.Response:
    headers = {"Accept-Encoding": "identity"}  # the stored bytes are what the checksum is of
    if start:
        headers["Range"] = f"bytes={start}-"
    return requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "connection lost"
    return "no connection"
