"""Reader of a user's own image set: one .npz file with x_train, y_train, x_test and y_test."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quatnet.data.dataset import Dataset
from quatnet.data.preprocess import channel_statistics
from quatnet.errors import DataError
from quatnet.files import uninterrupted

KEYS = ("x_train", "y_train", "x_test", "y_test")
NAMES = "class_names"


def load(path: Path) -> Dataset:
    """Read the four arrays of `path`; its classes are 0..(largest label), its name is the file's.

    Images: (n, h, w) or (n, h, w, c), uint8, or float (kept as float32, taken as already scaled).
    Labels: (n,) integers. Mean and standard deviation are those of the training images. A fifth array, `class_names`
    (classes,), gives the classes other names than their numbers.

    Raises
    ------
    DataError
        The file is missing or damaged, or an array is missing or not as described; no pickle is loaded.
    """
    arrays = _read(path)
    x_train, x_test = (_images(path, key, arrays[key]) for key in ("x_train", "x_test"))
    y_train, y_test = (_labels(path, key, arrays[key]) for key in ("y_train", "y_test"))
    for half, images, labels in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(images) != len(labels):
            raise DataError(f"{path}: {len(images):,} images in x_{half} but {len(labels):,} labels in y_{half}")
    if x_train.shape[1:] != x_test.shape[1:] or x_train.dtype != x_test.dtype:
        raise DataError(f"{path}: x_test holds {_kind(x_test)}, expected {_kind(x_train)} as in x_train")
    classes = int(max(y_train.max(), y_test.max())) + 1
    present = np.unique(y_train)
    if len(present) < classes:
        lacking = int(np.argmin(np.append(present, -1) == np.arange(len(present) + 1)))
        raise DataError(f"{path}: y_train lacks class {lacking}, expected every class of 0..{classes - 1}")
    names = _class_names(path, arrays[NAMES], classes) if NAMES in arrays else tuple(map(str, range(classes)))
    mean, std = channel_statistics(x_train)
    return Dataset(
        name=path.stem,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=names,
        mean=mean,
        std=std,
        augment=False,
        source=str(path),
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with uninterrupted(), zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
        missing = [key for key in KEYS if f"{key}.npy" not in names]
        if missing:
            raise DataError(f"{path}: {', '.join(missing)} missing, expected the arrays {', '.join(KEYS)}")
        with uninterrupted(), np.load(path, allow_pickle=False) as file:
            return {key: _member(path, file, key) for key in (*KEYS, NAMES) if key in file}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: damaged or not an .npz file ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _member(path: Path, file: Any, key: str) -> NDArray[Any]:
    try:
        return np.asarray(file[key])
    except ValueError as error:
        raise DataError(f"{path}: {key} is not a plain array ({error})") from None


def _images(path: Path, key: str, images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.size == 0:
        raise DataError(f"{path}: {key} has shape {images.shape}, expected (n, h, w) or (n, h, w, c), none of them 0")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise DataError(f"{path}: {key} has dtype {images.dtype}, expected uint8 or float")
    if not np.isfinite(images).all():
        raise DataError(f"{path}: {key} holds NaN or infinite values, expected finite ones")
    return images.astype(np.float32, copy=False)


def _labels(path: Path, key: str, labels: NDArray[Any]) -> NDArray[np.int64]:
    if labels.dtype.kind not in "iu":
        raise DataError(f"{path}: {key} has dtype {labels.dtype}, expected integers")
    if labels.ndim != 1 or labels.size == 0:
        raise DataError(f"{path}: {key} has shape {labels.shape}, expected (n,) with n above 0")
    if labels.min() < 0 or labels.max() >= 2**31:
        raise DataError(f"{path}: {key} holds labels {labels.min()}..{labels.max()}, expected 0..classes-1")
    return labels.astype(np.int64)


def _class_names(path: Path, names: NDArray[Any], classes: int) -> tuple[str, ...]:
    if names.dtype.kind != "U" or names.shape != (classes,):
        raise DataError(
            f"{path}: {NAMES} has dtype {names.dtype} and shape {names.shape}, expected strings of shape ({classes},)"
        )
    for k, name in enumerate(names.tolist()):
        if not name or not name.isprintable() or name in names[:k]:
            raise DataError(f"{path}: {NAMES} holds {name!r}, expected printable names, all different")
    return tuple(names.tolist())


def _kind(images: NDArray[Any]) -> str:
    return f"{images.dtype} images of {' x '.join(map(str, images.shape[1:]))}"
