"""A trained network with all that it takes to classify images: what every format is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quatnet.deploy.ir import operations_of
from quatnet.deploy.shrink import shrink
from quatnet.deploy.weightless import Operation
from quatnet.experiment import finished_round, trained_network
from quatnet.fast import Compute, accelerate
from quatnet.nn.networks import Network, build
from quatnet.pruning.masks import Masks
from quatnet.runs import Run
from quatnet.settings import ModelSettings
from quatnet.training import evaluate, predict


@dataclass(frozen=True)
class Description:
    """What a network is and what its images are, without the weights.

    Attributes
    ----------
    settings : of the network, float32; the seed draws the signs, where they are shuffled.
    input_shape : (height, width, channels) of one image.
    class_names : one per logit.
    mean, std : per channel; a network's input is (pixel - mean) / std for pixels from 0 to 1.
    """

    settings: ModelSettings
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, run: Run) -> Description:
        """Describe the network of a run, whatever its initial weights and its dtype were."""
        t, data = run.train_settings, run.data
        settings = ModelSettings(
            arch=t.arch, quaternion=t.quaternion, seed=t.seed, width=t.width, signs=t.signs, norm=t.norm
        )
        return cls(settings, data.input_shape, data.class_names, data.mean, data.std)

    def build(self) -> Network:
        """Return the network, on one thread of the CPU, with initial weights."""
        return accelerate(build(self.settings, self.input_shape, len(self.class_names)), threads=1)


@dataclass(frozen=True)
class Model:
    """A description and the network with its values and masks; the formats need it on the CPU."""

    description: Description
    network: Network

    @classmethod
    def of(cls, run: Run, round_number: int | None = None) -> Model:
        """Return the network of a finished round, by default the last; a UsageError if there is no such round."""
        return cls(Description.of(run), trained_network(run, finished_round(run, round_number).round, Compute()))

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The network for inference, without the channels that the logits do not depend on."""
        return shrink(operations_of(self.network))

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
