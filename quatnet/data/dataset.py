"""A labelled image set in memory, and class-balanced cuts of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quatnet.errors import UsageError
from quatnet.streams import Stream, generator

# Positions in the stream that chooses images.
_TRAIN, _TEST, _VALIDATION = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set of images with integer labels.

    `x_train`, `x_test`: (n, h, w, c), uint8 in 0..255, or float32 taken as already scaled.
    `y_train`, `y_test`: (n,), int64 in 0..classes-1.
    `mean`, `std`: one number per channel, of the images scaled to [0, 1].
    `augment`: whether random crops and flips belong to the training protocol of this set.
    `source`: one line that says where the images came from.
    """

    name: str
    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: bool
    source: str

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        height, width, channels = self.x_train.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def subset(self, train_size: int | None, test_size: int | None, seed: int) -> Dataset:
        """Return a smaller, class-balanced set; None keeps that half as it is.

        Every class gives floor(size / classes) images and the lowest labels give the remainder; what a
        class lacks, the others fill in. Images keep their order, and for one seed a smaller subset is
        contained in a larger one as long as every class has enough images.

        Raises
        ------
        UsageError
            A size is below the number of classes or above the number of images.
        """
        train = self._cut("train_size", self.y_train, train_size, seed, _TRAIN)
        test = self._cut("test_size", self.y_test, test_size, seed, _TEST)
        return replace(
            self,
            x_train=self.x_train[train],
            y_train=self.y_train[train],
            x_test=self.x_test[test],
            y_test=self.y_test[test],
        )

    def split_validation(self, size: int, seed: int) -> tuple[Dataset, NDArray[Any], NDArray[np.int64]]:
        """Take `size` class-balanced training images away for validation.

        Returns the set with the remaining training images, in their order, and the validation images
        (size, h, w, c) and labels (size,). Every class keeps at least one training image.

        Raises
        ------
        UsageError
            `size` is below the number of classes, or leaves a class without training images.
        """
        counts = np.bincount(self.y_train, minlength=self.classes)
        room = np.maximum(counts - 1, 0)
        _check_size("validation size", size, self.classes, int(room.sum()))
        chosen = _balanced(self.y_train, room, size, seed, _VALIDATION)
        kept = np.ones(len(self.y_train), dtype=bool)
        kept[chosen] = False
        rest = replace(self, x_train=self.x_train[kept], y_train=self.y_train[kept])
        return rest, self.x_train[chosen], self.y_train[chosen]

    def _cut(
        self, argument: str, labels: NDArray[np.int64], size: int | None, seed: int, position: int
    ) -> slice | NDArray[np.intp]:
        if size is None:
            return slice(None)
        _check_size(argument, size, self.classes, len(labels))
        counts = np.bincount(labels, minlength=self.classes)
        return _balanced(labels, counts, size, seed, position)


def _check_size(argument: str, size: int, least: int, most: int) -> None:
    if not least <= size <= most:
        raise UsageError(f"{argument}: {size:,} images asked for, allowed are {least:,} to {most:,}")


def _balanced(
    labels: NDArray[np.int64], room: NDArray[np.intp], size: int, seed: int, position: int
) -> NDArray[np.intp]:
    """Return the sorted indices of `size` images, drawn class by class, at most `room` of each class."""
    random = generator(seed, Stream.CUT, position)
    chosen = [
        random.permutation(np.flatnonzero(labels == label))[:count] for label, count in enumerate(_shares(room, size))
    ]
    return np.sort(np.concatenate(chosen))


def _shares(room: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Divide `size` over the classes as evenly as `room` allows, the remainder to the lowest labels."""
    shares = np.zeros_like(room)
    while (left := size - int(shares.sum())) > 0:
        unfilled = np.flatnonzero(shares < room)
        shares[unfilled[:left]] += 1
    return shares
