"""What a run will cost on this machine, from a few steps of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quatnet.backend import to_device, to_host
from quatnet.data import Dataset
from quatnet.experiment import Compute
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.models import build
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.training import EVALUATION_BATCH, make_optimizer

REPEATS = 3
"""Measurements of which the fastest counts; one call goes before them."""


@dataclass(frozen=True)
class Cost:
    """The epochs of a run, the steps and images of one, and the seconds that this machine needs for an epoch."""

    epochs: int
    steps: int
    images: int
    epoch_seconds: float

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, if every epoch takes as long as one of the dense network."""
        return self.epochs * self.epoch_seconds


def measure(train: TrainSettings, prune: PruneSettings | None, dataset: Dataset, compute: Compute) -> Cost:
    """Time a few steps and a batch of the evaluation, on noise; `dataset` is the whole one, before any cut."""
    images = min(train.train_size or len(dataset.y_train), len(dataset.y_train)) - train.validation_size
    tests = min(train.test_size or len(dataset.y_test), len(dataset.y_test)) + train.validation_size
    steps = math.ceil(images / train.batch_size)
    network = build(
        train.arch,
        quaternion=train.quaternion,
        input_shape=dataset.input_shape,
        classes=dataset.classes,
        dtype=train.dtype,
        width=train.width,
        device=compute.device,
        conv=compute.conv,
        threads=compute.threads_for(train.arch),
    )
    optimizer, random, xp = make_optimizer(network, train), np.random.default_rng(0), network.parameters.xp
    noise = random.normal(size=(max(train.batch_size, EVALUATION_BATCH), *dataset.input_shape)).astype(train.dtype)
    labels = to_device(random.integers(0, dataset.classes, train.batch_size), xp)
    batch, evaluated = to_device(noise[: train.batch_size], xp), to_device(noise[:EVALUATION_BATCH], xp)

    def step() -> None:
        logits, backward = network.forward(batch)
        backward(softmax_cross_entropy(logits, labels)[1], inputs=False)
        optimizer.step(train.rate)
        to_host(logits)  # waits for a GPU

    def evaluate() -> None:
        to_host(network.predict(evaluated))

    with network.limit_blas():
        epoch = steps * _fastest(step) + tests / EVALUATION_BATCH * _fastest(evaluate)
    return Cost(train.epochs * trainings(prune), steps, images, epoch)


def trainings(prune: PruneSettings | None) -> int:
    """Return how often a run trains a network: once dense, and once or twice (masks searched first) per round."""
    if prune is None:
        return 1
    return 1 + prune.rounds * (2 if prune.two_phases else 1)


def _fastest(call: Callable[[], None]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)
