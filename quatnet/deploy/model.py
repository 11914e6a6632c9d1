"""A trained network with all that it takes to classify images: what every format is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quatnet.experiment import finished_round, trained_network
from quatnet.fast import Compute, accelerate
from quatnet.nn.networks import Network, build
from quatnet.pruning.masks import Masks
from quatnet.runs import Run
from quatnet.training import evaluate, predict


@dataclass(frozen=True)
class Description:
    """What a network is and what its images are, without the weights.

    Attributes
    ----------
    arch, quaternion, width, signs, norm : as of `quatnet.build`; `seed` draws the signs, where they are shuffled.
    input_shape : (height, width, channels) of one image.
    class_names : one per logit.
    mean, std : per channel; a network's input is (pixel - mean) / std for pixels from 0 to 1.
    """

    arch: str
    quaternion: bool
    width: float
    signs: str
    norm: str
    seed: int
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, run: Run) -> Description:
        """Describe the network of a run."""
        train, data = run.train_settings, run.data
        return cls(
            arch=train.arch,
            quaternion=train.quaternion,
            width=train.width,
            signs=train.signs,
            norm=train.norm,
            seed=train.seed,
            input_shape=data.input_shape,
            class_names=data.class_names,
            mean=data.mean,
            std=data.std,
        )

    def build(self, threads: int = 1) -> Network:
        """Return the network, float32 on the CPU, with initial weights."""
        network = build(
            self.arch,
            quaternion=self.quaternion,
            input_shape=self.input_shape,
            classes=len(self.class_names),
            seed=self.seed,
            width=self.width,
            signs=self.signs,
            norm=self.norm,
        )
        return accelerate(network, threads=threads)


@dataclass(frozen=True)
class Model:
    """A description and the network with its values and masks; the formats need it on the CPU."""

    description: Description
    network: Network

    @classmethod
    def of(cls, run: Run, round: int | None = None) -> Model:
        """Return the network of a finished round, by default the last; a UsageError if there is no such round."""
        return cls(Description.of(run), trained_network(run, finished_round(run, round).round, Compute()))

    @property
    def masks(self) -> Masks:
        """The masks of the network's weights."""
        return Masks.of(self.network.parameters)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, classes) of raw images (n, h, w, c): uint8, or floats from 0 to 1."""
        return predict(self.network, self.description, images)

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Return the percentage of raw images (n, h, w, c) that are classified as their label (n,)."""
        return evaluate(self.network, self.description, images, labels)[1]
