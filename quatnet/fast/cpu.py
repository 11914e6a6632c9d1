"""How a network runs on the CPU: the algorithm that each layer uses, and how threads share the work.

Nothing here changes what is computed, beyond rounding: docs/performance.md has the errors and the times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quatnet.fast.batchnorm import FastBatchNorm
from quatnet.fast.conv import FastConv2d, Im2col
from quatnet.fast.dense import Direct, FastDense
from quatnet.fast.parallel import Parallel
from quatnet.fast.sparse import SPARSE_BELOW, Pruned
from quatnet.fast.stacked import Stacked
from quatnet.fast.threads import SERIAL, Buffers, Threads
from quatnet.fast.winograd import F2, F4, Winograd
from quatnet.fast.wrapper import Wrapper
from quatnet.nn.layers import (
    AppendGray,
    Backward,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    MaxPool2d,
    QuaternionConv2d,
    QuaternionDense,
    QuaternionFlatten,
    ReLU,
    Residual,
    ScalarBatchNorm,
    Sequential,
    WhiteningBatchNorm,
)
from quatnet.nn.layers.shape import GRAY

FEWEST_CHANNELS = 16
"""Below this many input channels the inner loops of Winograd's transforms are too short to pay."""

KNOWN = (
    AppendGray, BatchNorm, Conv2d, Dense, QuaternionConv2d, QuaternionDense, ScalarBatchNorm, WhiteningBatchNorm
)  # fmt: skip
"""The layers that have a fast equal. A subclass may have formulas of its own."""

LARGE_WEIGHT = 1 << 19
"""Real entries of a dense weight from which on threads pay."""


def layers(
    network: Sequential,
    input_shape: tuple[int, ...],
    conv: str,
    threads: Threads,
    large_weight: int = LARGE_WEIGHT,
    sparse_below: float = SPARSE_BELOW,
) -> Sequential:
    """Return layers that are equal to those of a network and share its parameters.

    `conv` is `auto`, `im2col`, or `winograd` wherever it applies: to 3x3 kernels with stride 1 and padding 1 on maps of
    even height and width, F(4x4, 3x3) where both are multiples of 4, else F(2x2, 3x3). `auto` takes it where it is
    faster: from 16 input channels on. The threads share what lies before the flattening, and the products of dense
    layers from `large_weight` entries on. Below the density `sparse_below` these leave out the pruned weights.
    """
    accelerated = _Builder(conv, threads, large_weight, sparse_below, Buffers()).sequential(network, input_shape)
    return accelerated if threads.count == 1 else _share(accelerated, threads)


@dataclass(frozen=True)
class _Builder:
    conv: str
    threads: Threads
    large_weight: int
    sparse_below: float
    buffers: Buffers

    def sequential(self, layer: Sequential, shape: tuple[int, ...]) -> Sequential:
        found = {}
        for name, inner in layer.layers.items():
            found[name] = self.layer(inner, shape)
            shape = inner.output_shape(shape)
        return Sequential(found)

    def layer(self, layer: Layer, shape: tuple[int, ...]) -> Layer:
        """Return the fast equal of a layer; a layer of another class, be it a subclass, stays as it is."""
        if isinstance(layer, Sequential):
            return self.sequential(layer, shape)
        if isinstance(layer, Residual):
            return Residual(self.layer(layer.body, shape), self.layer(layer.shortcut, shape))
        if type(layer) not in KNOWN:
            return layer
        if isinstance(layer, Conv2d):
            return self._convolution(layer, shape)
        if isinstance(layer, Dense):
            share = self.threads if layer.inputs * layer.outputs >= self.large_weight else SERIAL
            product = Direct(share) if layer.signs is None else Stacked(share, layer.signs)
            return FastDense(layer, Pruned(product, self.sparse_below))
        if isinstance(layer, BatchNorm):
            return FastBatchNorm(layer, self.threads)
        if isinstance(layer, AppendGray):
            return FastAppendGray(layer)
        return layer

    def _convolution(self, layer: Conv2d, shape: tuple[int, ...]) -> FastConv2d:
        geometry = (layer.kernel, layer.stride, layer.padding)
        fits = geometry == (3, 1, 1) and shape[0] % 2 == shape[1] % 2 == 0 and self.conv != "im2col"
        if fits and (self.conv == "winograd" or layer.inputs >= FEWEST_CHANNELS):
            return FastConv2d(layer, Winograd(F4 if shape[0] % 4 == shape[1] % 4 == 0 else F2, self.buffers))
        return FastConv2d(layer, Im2col(*geometry))


class FastAppendGray(Wrapper[AppendGray]):
    """The gray value as fourth channel, by a product with the shares of the colours."""

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return (n, h, w, 4); backward: each colour also collects its share of the gray channel's gradient."""
        gray = np.asarray(GRAY, dtype=x.dtype)
        y = np.empty((*x.shape[:-1], 4), dtype=x.dtype)
        y[..., :3] = x
        y[..., 3] = x @ gray
        return y, lambda dy, inputs=True: dy[..., :3] + dy[..., 3:] * gray


def _share(network: Sequential, threads: Threads) -> Sequential:
    """Return the layers before the flattening on all threads.

    Threads can share convolutions and layers without parameters; batch normalisation needs the whole batch. Where
    another layer is among them, or nothing is flattened, the layers are shared one by one.
    """
    named = list(network.layers.items())
    flattens = [k for k, (_, layer) in enumerate(named) if isinstance(layer, Flatten | QuaternionFlatten)]
    flatten = flattens[0] if flattens else 0
    trunk, rest = Sequential(dict(named[:flatten])), dict(named[flatten:])
    if flatten and all(isinstance(layer, FastConv2d) or not layer.parameters for layer in trunk.leaves()):
        return Sequential({"trunk": Parallel(trunk, threads), **rest})
    return Sequential({name: _shared(layer, threads) for name, layer in named})


def _shared(layer: Layer, threads: Threads) -> Layer:
    if isinstance(layer, Sequential):
        return Sequential({name: _shared(inner, threads) for name, inner in layer.layers.items()})
    if isinstance(layer, Residual):
        return Residual(_shared(layer.body, threads), _shared(layer.shortcut, threads))
    return Parallel(layer, threads) if isinstance(layer, FastConv2d | ReLU | MaxPool2d) else layer
