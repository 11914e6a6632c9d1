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
from quatnet.streams import Phase, Position
from quatnet.training import Progress, TrainingData, evaluate, make_optimizer, train, train_epoch

TRAIN, TEST, CLASSES = 60, 25, 3
ROUND_0 = Position(Phase.ROUNDS, 0)

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


class Bench:
    """A network on some device and engine, its optimizer, data and settings."""

    def __init__(
        self, dataset, device="cpu", arch="lenet-12", *, engine="fast", quaternion=True, dtype="float64", **given
    ):
        self.settings = train_settings(dataset.source, quaternion=quaternion, dtype=dtype, **given)
        self.data = TrainingData.cut(dataset, self.settings)
        compute = Compute(device, conv="im2col", threads=1, engine=engine)
        of_it = {"input_shape": dataset.input_shape, "classes": dataset.classes, "dtype": dtype, "device": device}
        self.network = compute.prepare(build(arch, quaternion=quaternion, **of_it))
        self.optimizer = compute.optimizer(make_optimizer(self.network, self.settings), self.network)

    def train_epoch(self, epoch=0, position=ROUND_0, after_step=lambda step, steps: None):
        everything = self.network, self.optimizer, self.data.dataset, self.settings, position, epoch
        return train_epoch(*everything, after_step)

    def train(self, position=ROUND_0, progress=None, after_epoch=lambda progress: None, **given):
        everything = self.network, self.optimizer, self.data, self.settings, position, progress or Progress()
        return train(*everything, after_epoch, **given)

    def evaluate(self):
        return evaluate(self.network, self.data.dataset, self.data.dataset.x_test, self.data.dataset.y_test)
