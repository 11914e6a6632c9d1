"""From stored images to network inputs: normalisation per channel, random crop and flip (NumPy and CuPy).

Random numbers are drawn on the host, for many batches at once, so that they can be uploaded in one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from quatnet.backend import array_module, to_device

PADDING = 4
"""Pixels by which the paper's code moves an image at most."""


class Normalizer:
    """(images / 255 - mean) / std for uint8 images, (images - mean) / std for float images.

    It holds the constants `offset` and `factor` on a device. `pixel` is the dtype of the images, (h, w, c) the shape of
    one; `mean` and `std` have c numbers each.
    """

    def __init__(
        self,
        pixel: DTypeLike,
        shape: tuple[int, ...],
        mean: Sequence[float],
        std: Sequence[float],
        dtype: DTypeLike,
        xp: ModuleType,
    ) -> None:
        scale = 255.0 if np.dtype(pixel) == np.uint8 else 1.0
        h, w, _ = shape
        self.dtype = np.dtype(dtype)
        # One row of constants per image: an inner loop over c = 3 channels alone would be ten times slower.
        offset = np.tile(np.asarray(mean, np.float64) * scale, h * w).astype(dtype)
        factor = np.tile(1.0 / (np.asarray(std, np.float64) * scale), h * w).astype(dtype)
        self.offset, self.factor = to_device(offset, xp), to_device(factor, xp)

    def __call__(self, images: Any) -> Any:
        """Return normalised images (n, h, w, c), a new array."""
        n, h, w, c = images.shape
        rows = images.reshape(n, h * w * c).astype(self.dtype)
        rows -= self.offset
        rows *= self.factor
        return rows.reshape(n, h, w, c)

    def batch(self, images: Any, order: Any, crops: Any = None) -> Any:
        """Return the normalised images[order], cropped as `draw_crops` says if `crops` (3, n) are given."""
        chosen = images[order]
        return self(chosen if crops is None else crop(chosen, crops))


def normalize(images: Any, mean: Sequence[float], std: Sequence[float], dtype: DTypeLike = np.float32) -> Any:
    """Return (images / 255 - mean) / std for uint8 images, (images - mean) / std for float images.

    `images`: (n, h, w, c); `mean` and `std`: c numbers each. The result is a new array of `dtype`, of the
    library (NumPy or CuPy) and shape of `images`.
    """
    return Normalizer(images.dtype, images.shape[1:], mean, std, dtype, array_module(images))(images)


def augment(images: Any, generator: np.random.Generator, padding: int = 4) -> Any:
    """Crop every image at a random place of its zero-padded version and mirror half of them.

    `images`: (n, h, w, c), raw (before normalisation), of any dtype; the result is a new array like it.
    A window of (h, w) is cut from the image with `padding` zero pixels on each side, then flipped left to
    right with probability 1/2, as the paper's code does for CIFAR. `generator` is asked three times, for
    the n row offsets, the n column offsets and the n flips, whatever the library of `images`.
    """
    crops = draw_crops(generator, [len(images)], padding)
    return crop(images, to_device(crops, array_module(images)), padding)


def draw_crops(generator: np.random.Generator, sizes: Iterable[int], padding: int = PADDING) -> NDArray[np.int64]:
    """Draw the random numbers of `augment` for batches of these sizes, one batch after the other.

    Returns rows, columns and flips, (3, sum of the sizes). `generator` is asked three times for a batch.
    """
    draws = [[generator.integers(0, high, size=n) for high in (2 * padding + 1, 2 * padding + 1, 2)] for n in sizes]
    return np.concatenate(draws, axis=1)


def crop(images: Any, crops: Any, padding: int = PADDING) -> Any:
    """Return what `augment` returns for given numbers: row offsets, column offsets and flips, on the same device."""
    xp = array_module(images)
    n, h, w, c = images.shape
    offsets = 2 * padding + 1
    rows, columns, flips = crops
    padded = xp.zeros((n, h + 2 * padding, w + 2 * padding, c), dtype=images.dtype)
    padded[:, padding : padding + h, padding : padding + w] = images
    image, row, column, channel = padded.strides
    windows = xp.lib.stride_tricks.as_strided(
        padded, (n, offsets, offsets, h, w * c), (image, row, column, row, channel)
    )
    cropped = windows[xp.arange(n), rows, columns].reshape(n, h, w, c)
    if xp is not np:  # looking for the mirrored images would wait for the device
        return xp.where(flips[:, None, None, None] > 0, cropped[:, :, ::-1], cropped)
    flipped = np.flatnonzero(flips)
    cropped[flipped] = cropped[flipped][:, :, ::-1]
    return cropped


def channel_statistics(images: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation of each channel of (n, h, w, c) images.

    uint8 images are taken as scaled to [0, 1], and their sums are exact; float images are taken as they
    are. A constant channel has the standard deviation 1, so that it can be divided by.
    """
    if images.dtype == np.uint8:
        moments = [_uint8_moments(images[..., channel]) for channel in range(images.shape[-1])]
    else:
        moments = [
            (float(plane.mean(dtype=np.float64)), float(plane.std(dtype=np.float64)))
            for plane in np.moveaxis(images, -1, 0)
        ]
    return tuple(mean for mean, _ in moments), tuple(std or 1.0 for _, std in moments)


def _uint8_moments(plane: NDArray[np.uint8]) -> tuple[float, float]:
    histogram = sum(np.bincount(image.ravel(), minlength=256) for image in plane)
    count, total, squares = (int((histogram * np.arange(256) ** power).sum()) for power in (0, 1, 2))
    variance = (count * squares - total**2) / count**2
    return total / count / 255, float(np.sqrt(variance)) / 255
