"""MNIST-mini: 8,000 + 2,000 real MNIST digits that travel with quatnet, so that it trains without a download."""

from __future__ import annotations

from importlib import resources

import numpy as np

from quatnet.data.dataset import Dataset
from quatnet.data.descriptions import MNIST_MEAN, MNIST_STD
from quatnet.files import uninterrupted


def load() -> Dataset:
    """Return the built-in digits: (n, 28, 28, 1) uint8, 800 training and 200 test images per class.

    They are cut class-balanced from MNIST's own training and test sets by `scripts/make_mnist_mini.py` and
    are normalised with MNIST's constants.
    """
    packaged = resources.files("quatnet.data") / "builtin" / "mnist-mini.npz"
    with uninterrupted(), packaged.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Dataset(
            name="mnist-mini",
            x_train=arrays["x_train"],
            y_train=arrays["y_train"].astype(np.int64),
            x_test=arrays["x_test"],
            y_test=arrays["y_test"].astype(np.int64),
            class_names=tuple("0123456789"),
            mean=MNIST_MEAN,
            std=MNIST_STD,
            augment=False,
            source="built in, a class-balanced subset of MNIST (CC BY-SA 3.0)",
        )
