"""What a run will cost on this machine, from a few steps of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from quatnet.data import Dataset
from quatnet.data.fingerprint import DataDescription
from quatnet.experiment import DENSE, network_for
from quatnet.fast import Compute
from quatnet.pruning import protocols
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.training import (
    EVALUATION_BATCH,
    TrainingData,
    evaluate,
    make_optimizer,
    train_epoch,
)

TIMED_STEPS = 5
REPEATS = 3
"""Number of measurements, of which the fastest counts; one more, before them, is not counted."""


@dataclass(frozen=True)
class Cost:
    """The epochs of a run, the steps of one, and the seconds that this machine needs for an epoch, on average."""

    epochs: int
    steps: int
    epoch_seconds: float

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, if every epoch takes as long as one of the dense network."""
        return self.epochs * self.epoch_seconds


def measure(train: TrainSettings, prune: PruneSettings | None, dataset: Dataset, compute: Compute) -> Cost:
    """Time a few steps, and a batch of the evaluation; `dataset` is the whole one, before any cut."""
    whole = TrainingData.cut(dataset, train)
    images, held_out = len(whole.dataset.y_train), 0 if whole.y_validation is None else len(whole.y_validation)
    few = replace(
        train,
        train_size=min(images, max(dataset.classes, TIMED_STEPS * train.batch_size)),
        test_size=min(len(whole.dataset.y_test), max(dataset.classes, EVALUATION_BATCH)),
        validation_size=0,
        patience=0,
    )
    cut = TrainingData.cut(whole.dataset, few).dataset
    steps, timed = (math.ceil(n / train.batch_size) for n in (images, len(cut.y_train)))
    network = network_for(train, DataDescription.of(cut), compute)
    optimizer = compute.optimizer(make_optimizer(network, train), network)
    step = _fastest(lambda: train_epoch(network, optimizer, cut, few, DENSE, 0)) / timed
    image = _fastest(lambda: evaluate(network, cut, cut.x_test, cut.y_test)) / len(cut.y_test)
    tests = 1.0 if train.patience else math.ceil(train.epochs / train.test_every) / train.epochs
    epoch = steps * step + (tests * len(whole.dataset.y_test) + held_out) * image
    return Cost(protocols.epochs(train, prune), steps, epoch)


def _fastest(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)
