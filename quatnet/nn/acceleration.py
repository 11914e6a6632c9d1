"""How a network runs on the CPU: the algorithm that each layer uses, and how threads share the work.

Nothing here changes what is computed, beyond rounding: docs/performance.md has the errors and the times.
"""

from __future__ import annotations

from quatnet.errors import UsageError
from quatnet.nn.layers import (
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    MaxPool2d,
    Parallel,
    QuaternionDense,
    QuaternionFlatten,
    ReLU,
    Residual,
    Sequential,
)
from quatnet.nn.layers.dense import Direct
from quatnet.nn.layers.sparse import Pruned
from quatnet.nn.layers.stacked import Stacked
from quatnet.nn.layers.winograd import F2, F4, Winograd
from quatnet.threads import SERIAL, Buffers, Threads

CONVOLUTIONS = ("auto", "im2col", "winograd")
FEWEST_CHANNELS = 16
"""Below this many input channels the inner loops of the transforms are too short to pay."""

LARGE_WEIGHT = 1 << 19
"""Real entries of a dense weight from which on threads pay."""


def choose_convolutions(network: Sequential, input_shape: tuple[int, ...], conv: str) -> None:
    """Set the algorithm of every convolution: `auto`, `im2col`, or `winograd` wherever it applies.

    Winograd applies to 3x3 kernels with stride 1 and padding 1 on maps of even height and width: F(4x4, 3x3) where both
    are multiples of 4, else F(2x2, 3x3). `auto` takes it where it is faster: from 16 input channels on.
    """
    if conv not in CONVOLUTIONS:
        raise UsageError(f"conv: {conv!r} given; allowed are {', '.join(CONVOLUTIONS)}")
    _choose_convolutions(network, input_shape, conv, Buffers())


def _choose_convolutions(layer: Layer, shape: tuple[int, ...], conv: str, buffers: Buffers) -> None:
    if isinstance(layer, Sequential):
        for inner in layer.layers.values():
            _choose_convolutions(inner, shape, conv, buffers)
            shape = inner.output_shape(shape)
    elif isinstance(layer, Residual):
        _choose_convolutions(layer.body, shape, conv, buffers)
        _choose_convolutions(layer.shortcut, shape, conv, buffers)
    elif isinstance(layer, Conv2d) and _uses_winograd(layer, shape, conv):
        layer.algorithm = Winograd(F4 if shape[0] % 4 == shape[1] % 4 == 0 else F2, buffers)


def _uses_winograd(layer: Conv2d, shape: tuple[int, ...], conv: str) -> bool:
    usual = (layer.kernel, layer.stride, layer.padding) == (3, 1, 1)
    if conv == "im2col" or not usual or shape[0] % 2 or shape[1] % 2:
        return False
    return conv == "winograd" or layer.inputs >= FEWEST_CHANNELS


def speed_up_dense_layers(network: Sequential, threads: Threads) -> None:
    """Let threads share the products of large dense layers, spare quaternion weights the expansion, and use masks."""
    for layer in network.leaves():
        if isinstance(layer, Dense):
            share = threads if layer.inputs * layer.outputs >= LARGE_WEIGHT else SERIAL
            dense = Stacked(share, layer.signs) if isinstance(layer, QuaternionDense) else Direct(share)
            layer.algorithm = Pruned(dense)


def share_among_threads(network: Sequential, threads: Threads) -> Sequential:
    """Return the network with the layers before the flattening on all threads; `network` itself for a single thread.

    Batch normalisation needs the whole batch: where there is one, or nothing is flattened, the layers are shared one by
    one.
    """
    if threads.count == 1:
        return network
    named = list(network.layers.items())
    flattens = [k for k, (_, layer) in enumerate(named) if isinstance(layer, Flatten | QuaternionFlatten)]
    if not flattens or any(isinstance(layer, BatchNorm) for layer in network.leaves()):
        return Sequential({name: _shared(layer, threads) for name, layer in named})
    flatten = flattens[0]
    trunk, rest = Sequential(dict(named[:flatten])), dict(named[flatten:])
    return Sequential({"trunk": Parallel(trunk, threads), **rest})


def _shared(layer: Layer, threads: Threads) -> Layer:
    if isinstance(layer, Sequential):
        return Sequential({name: _shared(inner, threads) for name, inner in layer.layers.items()})
    if isinstance(layer, Residual):
        return Residual(_shared(layer.body, threads), _shared(layer.shortcut, threads))
    if isinstance(layer, BatchNorm):
        layer.threads = threads
    return Parallel(layer, threads) if isinstance(layer, Conv2d | ReLU | MaxPool2d) else layer
