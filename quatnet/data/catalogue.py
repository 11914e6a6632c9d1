"""Every image set quatnet can train on: `load` by name or path, and `entries`, the list with what is where."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from quatnet.data import cifar, idx, mnist_mini, npz, shapes
from quatnet.data.dataset import Dataset
from quatnet.data.descriptions import DESCRIPTIONS, Description
from quatnet.data.preprocess import channel_statistics
from quatnet.errors import DataError, UsageError

_FORMATS = "an .npz file, or a folder of idx files, or a folder or archive of a binary CIFAR"
_ARCHIVES = (".tar", ".tgz", ".tar.gz")


@dataclass(frozen=True)
class Entry:
    """One line of the list of data sets; `where` is a path, "built in" or "not here"."""

    name: str
    description: str
    train_images: int
    test_images: int
    shape: tuple[int, int, int]
    classes: int
    where: str
    licence: str


def default_data_dir() -> Path:
    """Return the folder of the data sets: $QUATNET_DATA, or else ~/.cache/quatnet-data."""
    chosen = os.environ.get("QUATNET_DATA")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "quatnet-data"


def entries(data_dir: Path | None = None) -> list[Entry]:
    """Return one entry per named data set, with the place where `load` would find it."""
    data_dir = data_dir or default_data_dir()
    return [
        Entry(
            name=known.name,
            description=known.description,
            train_images=known.train_images,
            test_images=known.test_images,
            shape=known.shape,
            classes=len(known.class_names),
            where=_where(known, data_dir),
            licence=known.licence,
        )
        for known in DESCRIPTIONS.values()
    ]


def load(name_or_path: str | os.PathLike[str], *, data_dir: Path | None = None) -> Dataset:
    """Load a data set by its name, or from a path; a name wins over a path of the same spelling.

    Names: mnist, fashion-mnist, cifar10, cifar100 (looked for in `data_dir`), mnist-mini, shapes (built in).
    Paths: an .npz file (see `quatnet.data.npz`), a folder with the four idx files, a folder or archive of
    the binary CIFAR-10 or CIFAR-100; the format is recognised by the names of the files.

    Raises
    ------
    UsageError
        The name is unknown.
    DataError
        The set is not on disk, or a file of it is damaged or not what its name says.
    """
    text = os.fspath(name_or_path)
    if text in DESCRIPTIONS:
        return _load_named(DESCRIPTIONS[text], data_dir or default_data_dir())
    path = Path(text).expanduser()
    if path.exists():
        return _load_path(path)
    if len(path.parts) > 1 or path.suffix:
        raise DataError(f"{path}: no such file or folder, expected {_FORMATS}")
    nearest = difflib.get_close_matches(text, DESCRIPTIONS, n=1)
    hint = f", did you mean {nearest[0]}?" if nearest else ","
    raise UsageError(f"unknown data set {text!r}{hint} allowed are {', '.join(DESCRIPTIONS)}, and a path to {_FORMATS}")


def _load_named(known: Description, data_dir: Path) -> Dataset:
    if known.name == "mnist-mini":
        return mnist_mini.load()
    if known.name == "shapes":
        return shapes.load()
    path = _locate(known, data_dir)
    if path is None:
        raise _not_here(known, data_dir)
    if known.layout is not None:
        return _load_cifar(known.layout, path)
    return _load_idx(path, known)


def _load_path(path: Path) -> Dataset:
    if path.suffix == ".npz":
        return npz.load(path)
    if path.is_dir() and any(idx.find(path, name) for name in idx.FILES):
        return _load_idx(path, None)
    if path.is_dir() or path.name.endswith(_ARCHIVES):
        layout = cifar.recognise(path)
        if layout is not None:
            return _load_cifar(layout, path)
    raise DataError(f"{path}: no known format, expected {_FORMATS}")


def _load_cifar(layout: cifar.Layout, path: Path) -> Dataset:
    known = next(known for known in DESCRIPTIONS.values() if known.layout is layout)
    return _dataset(known, cifar.read(layout, path), path)


def _load_idx(folder: Path, known: Description | None) -> Dataset:
    """Read a folder of idx files: the set `known`, or whichever its first training labels tell."""
    arrays = idx.read_folder(folder, classes=len(known.class_names) if known else None)
    x_train, y_train, x_test, y_test = arrays
    first = tuple(y_train[:10].tolist())
    found = next((other for other in DESCRIPTIONS.values() if other.first_labels == first), known)
    if known is not None and found is not None and found is not known:
        raise DataError(f"{folder}: the labels of {found.name}, expected those of {known.name}")
    if found is not None:
        return _dataset(found, arrays, folder)
    mean, std = channel_statistics(x_train)
    classes = int(max(y_train.max(), y_test.max())) + 1
    return Dataset(
        name=folder.resolve().name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=tuple(str(label) for label in range(classes)),
        mean=mean,
        std=std,
        augment=False,
        source=str(folder),
    )


def _dataset(known: Description, arrays: idx.Arrays, path: Path) -> Dataset:
    x_train, y_train, x_test, y_test = arrays
    counts = ((len(x_train), known.train_images, "training"), (len(x_test), known.test_images, "test"))
    lacking = [f"{n:,} of {whole:,} {half} images" for n, whole, half in counts if n < whole]
    return Dataset(
        name=known.name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=known.class_names,
        mean=known.mean,
        std=known.std,
        augment=known.augment,
        source=f"{path} (part: {', '.join(lacking)})" if lacking else str(path),
    )


def _locate(known: Description, data_dir: Path) -> Path | None:
    if known.layout is not None:
        return cifar.locate(known.layout, data_dir)
    folder = data_dir / known.name
    return folder if all(idx.find(folder, name) for name in idx.FILES) else None


def _where(known: Description, data_dir: Path) -> str:
    if known.built_in:
        return "built in"
    try:
        path = _locate(known, data_dir)
    except DataError:  # only pickles are there
        path = None
    if path is None:
        return "not here"
    part = known.layout is not None and path.is_dir() and not cifar.is_whole(known.layout, path)
    return f"{path} (part of the set)" if part else str(path)


def _not_here(known: Description, data_dir: Path) -> DataError:
    if known.layout is not None:
        wanted, folder = f"{known.layout.archive} or {known.layout.folder}/", data_dir
    else:
        folder = data_dir / known.name
        wanted = next(f"{name}.gz" for name in idx.FILES if idx.find(folder, name) is None)
    return DataError(
        f"data set {known.name} is not here: no {wanted} in {folder}; "
        f"get it with `quatnet data fetch {known.name}`, or use the built-in {known.stand_in}"
    )
