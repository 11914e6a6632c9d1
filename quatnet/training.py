"""Training as in section 4 of the paper: epochs of shuffled batches, tests after them, the last one reported.

With a validation set and a patience, training stops early instead, and the epoch of lowest validation loss is the one
reported (section 5.1).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Protocol

import numpy as np

from quatnet.backend import Array, to_device, to_host
from quatnet.data import Dataset
from quatnet.data.preprocess import Normalizer, draw_crops
from quatnet.errors import RunError
from quatnet.nn.networks import Network
from quatnet.nn.optimizers import SGD, Adam, Optimizer
from quatnet.settings import TrainSettings
from quatnet.streams import Position, Stream, generator

EVALUATION_BATCH = 200


class Preprocessing(Protocol):
    """What normalises images: a data set, or the description of one in a run folder."""

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean per channel."""

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation per channel."""


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave: mean losses and test accuracy in percent.

    Test loss and accuracy are None after an epoch without a test (`test_every`), the validation loss without a
    validation set.
    """

    epoch: int
    loss: float
    test_loss: float | None
    accuracy: float | None
    seconds: float
    validation_loss: float | None = None

    def tested(self) -> tuple[float, float]:
        """Return test loss and accuracy. Raises ValueError after an epoch without a test."""
        if self.test_loss is None or self.accuracy is None:
            raise ValueError(f"epoch {self.epoch} was not tested")
        return self.test_loss, self.accuracy


@dataclass(frozen=True)
class Progress:
    """Where a training stands after `epochs` epochs; with the network and the optimizer, all that resuming needs.

    `last` is the latest epoch, `best` the one of lowest validation loss, `best_value` its flat parameter values.
    """

    epochs: int = 0
    last: EpochResult | None = None
    best: EpochResult | None = None
    best_value: np.ndarray | None = None

    @property
    def reported(self) -> EpochResult | None:
        """The epoch whose accuracy counts."""
        return self.best or self.last


@dataclass(frozen=True)
class TrainingData:
    """A data set as training sees it: the cut chosen by the settings, and the images held out for validation."""

    dataset: Dataset
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None

    @classmethod
    def cut(cls, dataset: Dataset, settings: TrainSettings) -> TrainingData:
        """Cut `dataset` to the sizes in the settings; class-balanced and fixed by the seed."""
        dataset = dataset.subset(settings.train_size, settings.test_size, settings.seed)
        if settings.augment is not None:
            dataset = replace(dataset, augment=settings.augment)
        if not settings.validation_size:
            return cls(dataset)
        return cls(*dataset.split_validation(settings.validation_size, settings.seed))

    def on(self, xp: ModuleType) -> TrainingData:
        """Return the same data on the device of `xp`: there batches are gathered, without another upload."""
        if xp is np:
            return self
        dataset = replace(
            self.dataset,
            x_train=to_device(self.dataset.x_train, xp),
            y_train=to_device(self.dataset.y_train, xp),
            x_test=to_device(self.dataset.x_test, xp),
            y_test=to_device(self.dataset.y_test, xp),
        )
        if self.x_validation is None or self.y_validation is None:
            return TrainingData(dataset)
        return TrainingData(dataset, to_device(self.x_validation, xp), to_device(self.y_validation, xp))


def make_optimizer(network: Network, settings: TrainSettings) -> Optimizer:
    """Return a new optimizer for all parameters of a network."""
    if settings.optimizer == "adam":
        return Adam(network.parameters, weight_decay=settings.weight_decay)
    return SGD(network.parameters, momentum=settings.momentum, weight_decay=settings.weight_decay)


def train(
    network: Network,
    optimizer: Optimizer,
    data: TrainingData,
    settings: TrainSettings,
    position: Position,
    progress: Progress,
    after_epoch: Callable[[Progress], None],
    after_step: Callable[[int, int], None] = lambda step, steps: None,
) -> EpochResult:
    """Train from where `progress` stands to the end, and leave the network with the weights that are reported.

    `after_epoch` is called with the new progress after every epoch (to save it), `after_step` with the number of the
    batch and the number of batches. Returns the reported epoch. Raises RunError when the loss is not finite.
    """
    data = data.on(network.parameters.xp)
    while progress.epochs < settings.epochs and not _out_of_patience(progress, settings):
        started = time.perf_counter()
        loss = train_epoch(network, optimizer, data.dataset, settings, position, progress.epochs, after_step)
        progress = _evaluated(network, data, settings, position, progress, loss, started)
        after_epoch(progress)
    if progress.reported is None:
        raise ValueError("progress: no epoch is left to train and none was trained")
    if progress.best_value is not None:
        network.set_flat(progress.best_value)
    return progress.reported


def train_epoch(
    network: Network,
    optimizer: Optimizer,
    dataset: Dataset,
    settings: TrainSettings,
    position: Position,
    epoch: int,
    after_step: Callable[[int, int], None] = lambda step, steps: None,
) -> float:
    """Train one epoch, counted from 0, and return the mean training loss.

    The order of the images and their augmentation are functions of seed, phase, round and epoch. Both are uploaded once
    (and the images, unless they are on the device already); the losses stay on the device until the end of the epoch.
    """
    where = (position.phase, position.round, epoch)
    xp, n = network.parameters.xp, len(dataset.y_train)
    batches = [slice(k, min(k + settings.batch_size, n)) for k in range(0, n, settings.batch_size)]
    sizes = [batch.stop - batch.start for batch in batches]
    crops = None
    if dataset.augment:
        crops = to_device(draw_crops(generator(settings.seed, Stream.AUGMENTATION, *where), sizes), xp)
    order = to_device(generator(settings.seed, Stream.ORDER, *where).permutation(n), xp)
    images, labels = to_device(dataset.x_train, xp), to_device(dataset.y_train, xp)[order]
    normalize = _normalizer(network, dataset, images)
    rate = settings.learning_rate(epoch)
    losses = []
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is found out below, once
        for step, batch in enumerate(batches, start=1):
            inputs = normalize.batch(images, order[batch], None if crops is None else crops[:, batch])
            logits, backward = network.forward(inputs)
            loss, dlogits = network.loss(logits, labels[batch])
            backward(dlogits, inputs=False)
            optimizer.step(rate)
            losses.append(loss)
            after_step(step, len(batches))
    mean = sum(loss * size for loss, size in zip(_read(losses, xp), sizes, strict=True)) / n
    _check_finite("training", mean, epoch + 1, settings, position)
    return mean


def evaluate(
    network: Network, preprocessing: Preprocessing, images: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Return the mean loss and the accuracy in percent on raw images (n, h, w, c)."""
    xp, n = network.parameters.xp, len(labels)
    images, labels = to_device(images, xp), to_device(labels, xp)
    normalize = _normalizer(network, preprocessing, images)
    parts = [slice(k, min(k + EVALUATION_BATCH, n)) for k in range(0, n, EVALUATION_BATCH)]
    losses, hits = [], []
    with np.errstate(over="ignore", invalid="ignore"):  # the loss says what has diverged
        for part in parts:
            logits = network.predict(normalize(images[part]))
            losses.append(network.loss(logits, labels[part])[0])
            hits.append((logits.argmax(axis=1) == labels[part]).sum())
    numbers = _read(losses + hits, xp)
    total = sum(loss * (part.stop - part.start) for loss, part in zip(numbers, parts, strict=False))
    return total / n, 100 * sum(numbers[len(parts) :]) / n


def predict(network: Network, preprocessing: Preprocessing, images: np.ndarray) -> np.ndarray:
    """Return the class probabilities (n, classes) of raw images (n, h, w, c), as a host array."""
    parts = []
    normalize = _normalizer(network, preprocessing, images)
    for start in range(0, len(images), EVALUATION_BATCH):
        part = to_device(images[start : start + EVALUATION_BATCH], network.parameters.xp)
        logits = to_host(network.predict(normalize(part)))
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        parts.append(exponentials / exponentials.sum(axis=1, keepdims=True))
    return np.concatenate(parts)


def _normalizer(network: Network, preprocessing: Preprocessing, images: Array) -> Normalizer:
    """Return what makes inputs of images like these; its constants are on the network's device."""
    return network.normalizer(images.dtype, images.shape[1:], preprocessing.mean, preprocessing.std)


def _read(scalars: list[Array], xp: ModuleType) -> list[float]:
    """Read scalars from the device: wait for it once."""
    numbers: list[float] = to_host(xp.stack(scalars)).tolist()
    return numbers


def _evaluated(
    network: Network,
    data: TrainingData,
    settings: TrainSettings,
    position: Position,
    progress: Progress,
    loss: float,
    started: float,
) -> Progress:
    """Return the progress after one more epoch of training with mean loss `loss`."""
    dataset, epoch = data.dataset, progress.epochs + 1
    validation_loss = test_loss = accuracy = None
    if data.x_validation is not None and data.y_validation is not None:
        validation_loss, _ = evaluate(network, dataset, data.x_validation, data.y_validation)
        _check_finite("validation", validation_loss, epoch, settings, position)
    is_best = settings.patience > 0 and _improves(validation_loss, progress.best)
    if is_best or epoch == settings.epochs or epoch % settings.test_every == 0:
        test_loss, accuracy = evaluate(network, dataset, dataset.x_test, dataset.y_test)
        _check_finite("test", test_loss, epoch, settings, position)
    seconds = time.perf_counter() - started
    last = EpochResult(epoch, loss, test_loss, accuracy, seconds, validation_loss)
    progress = replace(progress, epochs=epoch, last=last)
    return replace(progress, best=last, best_value=network.flat()) if is_best else progress


def _check_finite(kind: str, loss: float, epoch: int, settings: TrainSettings, position: Position) -> None:
    """Raise a RunError for an infinite or undefined loss; `epoch` is counted from 1."""
    if not math.isfinite(loss):
        raise RunError(
            f"the {kind} loss is {loss} in epoch {epoch} of round {position.round}:"
            f" try a --rate below {settings.learning_rate(epoch - 1):g}"
        )


def _improves(validation_loss: float | None, best: EpochResult | None) -> bool:
    if best is None or best.validation_loss is None or validation_loss is None:
        return best is None
    return validation_loss < best.validation_loss


def _out_of_patience(progress: Progress, settings: TrainSettings) -> bool:
    if not settings.patience or progress.best is None:
        return False
    return progress.epochs - progress.best.epoch >= settings.patience
