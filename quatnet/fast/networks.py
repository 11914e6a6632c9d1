"""Networks that run on the fast layers, with the parameters of the network that they are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from quatnet.backend import Array
from quatnet.data.preprocess import PADDING, Normalizer
from quatnet.fast import blas, gpu
from quatnet.fast.threads import Threads
from quatnet.nn.layers import Backward, Sequential
from quatnet.nn.networks import Network


class FastNetwork(Network):
    """A network whose passes go through other layers, equal to its own and with the same parameters."""

    def __init__(self, network: Network, fast_layers: Sequential) -> None:
        self.layers, self._fast_layers = network.layers, fast_layers
        self.input_shape, self.classes = network.input_shape, network.classes
        self.parameters, self.statistics = network.parameters, network.statistics

    def forward(self, images: Array) -> tuple[Array, Backward]:
        """Return the logits and the backward pass."""
        self._check(images)
        return self._fast_layers.forward(images)

    def predict(self, images: Array) -> Array:
        """Return the logits, for inference."""
        self._check(images)
        return self._fast_layers.predict(images)


class CpuNetwork(FastNetwork):
    """Layers of the CPU, on `threads`; while they work, BLAS has `blas_threads`. One of the two counts is 1."""

    def __init__(self, network: Network, fast_layers: Sequential, threads: Threads, blas_threads: int) -> None:
        super().__init__(network, fast_layers)
        self.threads, self._blas_threads = threads, blas_threads
        self.thread_count = max(threads.count, blas_threads)

    def forward(self, images: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return the logits and the backward pass."""
        with blas.threads(self._blas_threads):
            logits, layers_backward = super().forward(images)

        def backward(dlogits: np.ndarray, inputs: bool = True) -> Array:
            with blas.threads(self._blas_threads):
                return layers_backward(dlogits, inputs)

        return logits, backward

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits, for inference."""
        with blas.threads(self._blas_threads):
            logits: np.ndarray = super().predict(images)
        return logits


class KernelNormalizer(Normalizer):
    """Images are chosen, cropped and normalised in one kernel."""

    def batch(self, images: Array, order: Array, crops: Array = None) -> Array:
        """Return the normalised images[order], cropped if `crops` (3, n) are given."""
        return gpu.kernels.read_images(images, order, crops, PADDING, self.offset, self.factor)


class GpuNetwork(FastNetwork):
    """Layers, loss and reading of images in one kernel each."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, gpu.layers(network.layers))

    def normalizer(
        self, pixel: DTypeLike, shape: tuple[int, ...], mean: Sequence[float], std: Sequence[float]
    ) -> Normalizer:
        """Return what makes inputs of stored images."""
        if np.dtype(pixel) not in gpu.cuda.C_TYPES:
            return super().normalizer(pixel, shape, mean, std)
        return KernelNormalizer(pixel, shape, mean, std, self.parameters.dtype, self.parameters.xp)

    def loss(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        """Return the mean loss of a batch, nan where a label is out of range, and the gradient of the logits."""
        losses, dlogits = gpu.kernels.cross_entropy(logits, labels)
        return losses.mean(), dlogits
