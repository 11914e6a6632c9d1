"""Every image set quatnet can train on, by its name or from a path."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from quatnet.data import cifar, idx, mnist_mini, npz, shapes
from quatnet.data.dataset import Dataset
from quatnet.data.descriptions import DESCRIPTIONS, Description
from quatnet.data.layouts import IDX_FILES, Layout, find_idx
from quatnet.data.places import default_data_dir, locate
from quatnet.data.preprocess import channel_statistics
from quatnet.errors import DataError, UsageError

_FORMATS = "an .npz file, or a folder of idx files, or a folder or archive of a binary CIFAR"
_ARCHIVES = (".tar", ".tgz", ".tar.gz")


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
    path = locate(known, data_dir)
    if path is None:
        raise _not_here(known, data_dir)
    if known.layout is not None:
        return _load_cifar(known.layout, path)
    return _load_idx(path, known)


def _load_path(path: Path) -> Dataset:
    if path.suffix == ".npz":
        return npz.load(path)
    if path.is_dir() and any(find_idx(path, name) for name in IDX_FILES):
        return _load_idx(path, None)
    if path.is_dir() or path.name.endswith(_ARCHIVES):
        layout = cifar.recognise(path)
        if layout is not None:
            return _load_cifar(layout, path)
    raise DataError(f"{path}: unknown format, expected {_FORMATS}")


def _load_cifar(layout: Layout, path: Path) -> Dataset:
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


def _not_here(known: Description, data_dir: Path) -> DataError:
    if known.layout is not None:
        wanted, folder = f"{known.layout.archive} or {known.layout.folder}/", data_dir
    else:
        folder = data_dir / known.name
        wanted = next(f"{name}.gz" for name in IDX_FILES if find_idx(folder, name) is None)
    return DataError(
        f"data set {known.name} is not here: no {wanted} in {folder}; "
        f"get it with `quatnet data fetch {known.name}`, or use the built-in {known.stand_in}"
    )
