"""Reader of the idx files in which MNIST and its relatives are published, plain or gzipped."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quatnet.data.layouts import IDX_FILES, find_idx
from quatnet.errors import DataError

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]

_KINDS = {0x00000803: "images", 0x00000801: "labels"}
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
# Deflate cannot expand its input by more than this factor.
_MOST_EXPANSION = 1032


def read_folder(folder: Path, classes: int | None = None) -> Arrays:
    """Read the four files of `folder`: training images and labels, test images and labels.

    Images come as (n, h, w, 1) uint8, labels as (n,) int64. Labels must be below `classes` where it is given.

    Raises
    ------
    DataError
        A file is missing or damaged, images and labels differ in number, or the image sizes differ.
    """
    paths = []
    for name in IDX_FILES:
        path = find_idx(folder, name)
        if path is None:
            raise DataError(
                f"{folder}: neither {name}.gz nor {name} is here; expected are all of {', '.join(IDX_FILES)}"
            )
        paths.append(path)
    x_train, y_train = _read_pair(paths[0], paths[1], classes)
    x_test, y_test = _read_pair(paths[2], paths[3], classes)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(f"{paths[2]}: images of {_size(x_test)}, expected {_size(x_train)} as in {paths[0].name}")
    return x_train, y_train, x_test, y_test


def read_images(path: Path) -> NDArray[np.uint8]:
    """Read an idx3 file of unsigned bytes as (n, h, w, 1) uint8.

    Raises
    ------
    DataError
        The file is missing, damaged, truncated, too long, or does not hold images.
    """
    return _read(path, "images")[..., None]


def read_labels(path: Path) -> NDArray[np.int64]:
    """Read an idx1 file of unsigned bytes as (n,) int64.

    Raises
    ------
    DataError
        The file is missing, damaged, truncated, too long, or does not hold labels.
    """
    return _read(path, "labels").astype(np.int64)


def _read_pair(
    images_path: Path, labels_path: Path, classes: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = read_images(images_path), read_labels(labels_path)
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: {len(labels):,} labels, expected {len(images):,} as {images_path.name} holds")
    if classes is not None and labels.max() >= classes:
        at = int(np.argmax(labels >= classes))
        raise DataError(f"{labels_path}: label {labels[at]} at position {at}, expected 0..{classes - 1}")
    return images, labels


def _read(path: Path, kind: str) -> NDArray[np.uint8]:
    try:
        size = path.stat().st_size
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as file:
                return _read_array(path, file, size * _MOST_EXPANSION, kind)
        with path.open("rb") as file:
            return _read_array(path, file, size, kind)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file, expected idx {kind}") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: damaged gzip file ({error}), expected idx {kind}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _read_array(path: Path, file: io.BufferedIOBase, capacity: int, kind: str) -> NDArray[np.uint8]:
    shape = _read_header(path, file, kind)
    expected = math.prod(shape)
    if expected > capacity:
        raise DataError(f"{path}: truncated or not idx, its header announces {expected:,} bytes, more than it can hold")
    array = np.empty(expected, np.uint8)
    found = 0
    while count := file.readinto(array[found:].data):
        found += count
    if found < expected:
        raise DataError(f"{path}: truncated, {found:,} bytes after the header, expected {expected:,}")
    if file.read(1):
        raise DataError(f"{path}: bytes after the end of the data, expected {expected:,} after the header")
    return array.reshape(shape)


def _read_header(path: Path, file: io.BufferedIOBase, kind: str) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: truncated, {len(magic)} bytes, expected an idx header")
    (number,) = struct.unpack(">I", magic)
    if _KINDS.get(number) != kind:
        raise DataError(f"{path}: {_describe(magic)}, expected idx {kind}")
    fields = file.read(4 * magic[3])
    if len(fields) < 4 * magic[3]:
        raise DataError(f"{path}: truncated in its header, expected idx {kind}")
    shape = struct.unpack(f">{magic[3]}I", fields)
    if min(shape) == 0:
        raise DataError(f"{path}: empty, dimensions {' x '.join(map(str, shape))}, expected all above 0")
    return shape


def _describe(magic: bytes) -> str:
    (number,) = struct.unpack(">I", magic)
    if number in _KINDS:
        return f"idx {_KINDS[number]}"
    if magic[:2] == b"\0\0" and magic[2] in _TYPES:
        return f"idx of {_TYPES[magic[2]]} with {magic[3]} dimensions"
    return f"magic number {number:#010x}"


def _size(images: NDArray[np.uint8]) -> str:
    return f"{images.shape[1]} x {images.shape[2]} pixels"
