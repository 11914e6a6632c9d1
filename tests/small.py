"""A tiny image set, and settings with which a whole experiment on it takes a few hundredths of a second."""

from functools import partial
from pathlib import Path

import numpy as np

import quatnet
from quatnet.data import Dataset, npz
from quatnet.experiment import start
from quatnet.fast import Compute
from quatnet.pruning import protocols
from quatnet.runs import Run
from quatnet.settings import PruneSettings, TrainSettings

TRAIN, TEST, CLASSES = 60, 25, 3

build = partial(quatnet.build, engine="reference")
"""A network on the engine of the core."""


def arrays(*, side=4, channels=1, train=TRAIN, test=TEST, classes=CLASSES, noise=60, seed=0):
    """The arrays of an image set: noisy copies of one random image per class. All images differ."""
    generator = np.random.default_rng(seed)
    patterns = generator.integers(0, 256, (classes, side, side, channels))

    def images(labels):
        noisy = patterns[labels] + generator.normal(0, noise, (len(labels), side, side, channels))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    y_train, y_test = np.arange(train) % classes, np.arange(test) % classes
    return {"x_train": images(y_train), "y_train": y_train, "x_test": images(y_test), "y_test": y_test}


def write(path: Path, **given) -> Path:
    """Write an image set, and return its path."""
    np.savez(path, **arrays(**given))
    return path


def load(tmp_path: Path, **given) -> Dataset:
    """An image set in memory."""
    return npz.load(write(tmp_path / "small.npz", **given))


def train_settings(dataset, *, quaternion=True, **given) -> TrainSettings:
    """Two epochs of three batches, unless something else is given."""
    fast = {"epochs": 2, "batch_size": 20, "rate": 0.01}
    return TrainSettings.for_architecture("lenet-12", quaternion, dataset=str(dataset), **{**fast, **given})


def prune_settings(**given) -> PruneSettings:
    """Two rounds that never stop early, unless something else is given."""
    return PruneSettings(**{"rounds": 2, "stop_below": 0, **given})


def experiment(runs_dir: Path, train: TrainSettings, prune: PruneSettings, listener=None) -> Run:
    """Do, or finish, a whole experiment."""
    begun = start(runs_dir, train, prune, engine=Compute(), listener=listener)
    protocols.prune(begun, prune)
    return begun.run
