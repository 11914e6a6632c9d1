"""A network as a list of steps for inference, one image shape to the next, with batch normalisation folded away.

At inference a normalisation is y = w z + b for constants w and b (nn/layers/batchnorm.py), and the convolution before
it has no bias: so both are one convolution. A real w, or one per quaternion (`scalar`), is multiplied into the weight.
One for each component (`split`) would take a quaternion weight apart, and stays a factor of the outputs. A matrix
(`whitening`) does take it apart: that convolution becomes a real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from quatnet.nn import layers as nn
from quatnet.nn.layers import Layer, Sequential, WeightLayer
from quatnet.nn.networks import Network
from quatnet.quaternion import Signs, expand


@dataclass(frozen=True, eq=False)
class Dense:
    """y = scale (x w) + bias, for x (in,): a product with a real or a quaternion weight.

    Attributes
    ----------
    name : of the network's layer.
    input_shape, output_shape : of one image.
    weight : (in, out), or (4, in/4, out/4) with `signs`. Pruned entries are 0.
    mask : bool, the shape of the weight: which entries are left.
    bias : (out,).
    scale : (out,), or None for 1.
    signs : of the quaternion product, or None for a real weight.
    """

    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight: np.ndarray
    mask: np.ndarray
    bias: np.ndarray
    scale: np.ndarray | None = None
    signs: Signs | None = None

    @property
    def quaternion(self) -> bool:
        """Whether the weight is one of quaternions."""
        return self.signs is not None

    @property
    def kept(self) -> int:
        """How many weights are left."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def real_weight(self) -> np.ndarray:
        """The weight (..., in, out) that the inputs meet: expanded, if it is one of quaternions."""
        return self.weight if self.signs is None else expand(self.weight, self.signs)

    @cached_property
    def real_mask(self) -> np.ndarray:
        """Which entries of the real weight are left."""
        return self.mask if self.signs is None else expand(self.mask.astype(np.int8), self.signs) != 0


@dataclass(frozen=True, eq=False)
class Conv(Dense):
    """y = scale (x * w) + bias, for x (h, w, in), weight (kh, kw, in, out) or (4, kh, kw, in/4, out/4)."""

    stride: int = 1
    padding: int = 0

    @property
    def kernel(self) -> int:
        """Side of the square kernel."""
        return int(self.weight.shape[-3])


@dataclass(frozen=True)
class Relu:
    """y = max(x, 0)."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class MaxPool:
    """The maximum of every size x size window, side by side; rows and columns that fill none are dropped."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Average:
    """The mean over all pixels, (h, w, c) to (c,)."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class Flatten:
    """(h, w, c) to (h w c,). With `blocks` 4, each quarter of the channels by itself, one after the other."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    blocks: int


@dataclass(frozen=True)
class AppendGray:
    """(h, w, 3) to (h, w, 4): the gray value of the three colours, weighted with `nn.layers.shape.GRAY`, comes last."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class PureReal:
    """(h, w, 1) to (h, w, 4): three channels of zeros come last."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class Subsample:
    """Every `stride`-th pixel, with zeros as further channels at the end of each of the `blocks` of channels."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    stride: int
    blocks: int


@dataclass(frozen=True)
class Residual:
    """y = body(x) + shortcut(x); a shortcut without steps is the identity."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    body: tuple[Step, ...]
    shortcut: tuple[Step, ...]


Step: TypeAlias = Dense | Relu | MaxPool | Average | Flatten | AppendGray | PureReal | Subsample | Residual


def steps_of(network: Network) -> tuple[Step, ...]:
    """Return the steps of a network on the CPU, in order, with copies of its values."""
    return _steps(network.layers.layers, network.input_shape, "")


def products(steps: Iterable[Step]) -> list[Dense]:
    """Return all dense layers and convolutions, those inside residual blocks too, in order."""
    found: list[Dense] = []
    for step in steps:
        if isinstance(step, Residual):
            found += products(step.body) + products(step.shortcut)
        elif isinstance(step, Dense):
            found.append(step)
    return found


def _steps(layers: Mapping[str, Layer], shape: tuple[int, ...], prefix: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    for name, layer in layers.items():
        after = layer.output_shape(shape)
        if isinstance(layer, nn.BatchNorm):
            convolution = steps.pop()
            assert isinstance(convolution, Conv)
            steps.append(_folded(convolution, layer))
        else:
            steps.append(_step(prefix + name, layer, shape, after))
        shape = after
    return tuple(steps)


def _step(name: str, layer: Layer, before: tuple[int, ...], after: tuple[int, ...]) -> Step:
    match layer:
        case WeightLayer():
            return _product(name, layer, before, after)
        case nn.ReLU():
            return Relu(before, after)
        case nn.MaxPool2d():
            return MaxPool(before, after, layer.size)
        case nn.GlobalAveragePool():
            return Average(before, after)
        case nn.Flatten():
            return Flatten(before, after, blocks=1)
        case nn.QuaternionFlatten():
            return Flatten(before, after, blocks=4)
        case nn.AppendGray():
            return AppendGray(before, after)
        case nn.PureReal():
            return PureReal(before, after)
        case nn.Subsample():
            return Subsample(before, after, layer.stride, layer.blocks)
        case nn.Residual():
            body, shortcut = (
                _steps(path.layers if isinstance(path, Sequential) else {part: path}, before, f"{name}.{part}.")
                for part, path in (("body", layer.body), ("shortcut", layer.shortcut))
            )
            return Residual(before, after, body, shortcut)
    raise TypeError(f"{name}: {type(layer).__name__} has no step for inference")


def _product(name: str, layer: WeightLayer, before: tuple[int, ...], after: tuple[int, ...]) -> Dense:
    outputs = after[-1]
    values = {
        "weight": layer.weight.value.astype(np.float32),
        "mask": layer.weight.mask.copy(),
        "bias": layer.bias.value.astype(np.float32) if layer.has_bias else np.zeros(outputs, np.float32),
        "signs": layer.signs if isinstance(layer, nn.QuaternionDense | nn.QuaternionConv2d) else None,
    }
    if isinstance(layer, nn.Conv2d):
        return Conv(name, before, after, **values, stride=layer.stride, padding=layer.padding)
    return Dense(name, before, after, **values)


def _folded(convolution: Conv, norm: nn.BatchNorm) -> Conv:
    """Return (convolution - mean) w + shift as a convolution."""
    w, _ = norm.weight(norm.variance.value.astype(np.float64))
    bias = convolution.bias - norm.mean.value.astype(np.float64)
    if isinstance(norm, nn.WhiteningBatchNorm):
        weight, mask = convolution.real_weight @ w, convolution.real_mask @ (w != 0)
        convolution, bias = replace(convolution, weight=weight.astype(np.float32), mask=mask, signs=None), bias @ w
    else:
        bias = bias * w
        if convolution.quaternion and not isinstance(norm, nn.ScalarBatchNorm):
            convolution = replace(convolution, scale=w.astype(np.float32))
        else:
            per_weight = w[: convolution.weight.shape[-1]]
            convolution = replace(convolution, weight=(convolution.weight * per_weight).astype(np.float32))
    return replace(convolution, bias=(bias + norm.shift.value).astype(np.float32))
