"""A network as a chain of operations on one image, which all but the tickets is made from.

They are products with a weight, sums of two chains, and the operations of weightless.py.

At inference a normalisation is y = w z + b for constants w and b (nn/layers/batchnorm.py), and the convolution before
it has no bias: so both are one convolution. A real w, or one per quaternion (`scalar`), is multiplied into the weight.
One for each component (`split`) would take a quaternion weight apart, and stays a factor of the outputs. A matrix
(`whitening`) does take it apart: that convolution becomes a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from quatnet.deploy.weightless import Operation, Shape, weightless_of
from quatnet.nn import layers as nn
from quatnet.nn.networks import Network
from quatnet.quaternion import Signs, expand


class Window(NamedTuple):
    """Side of the square kernel of a convolution, its stride, and the zeros around the maps."""

    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """y = scale (x w) + bias: a dense product, or with a `window` a convolution, real or quaternion.

    Attributes
    ----------
    name : of the network's layer.
    weight : (in, out), of convolutions (kh, kw, in, out); with `signs` (4, ..., in/4, out/4). Pruned entries are 0.
    mask : bool, the shape of the weight: which entries are left.
    bias : (out,).
    scale : (out,), or None for 1.
    signs : of the quaternion product, or None for a real weight.
    """

    name: str
    weight: np.ndarray
    mask: np.ndarray
    bias: np.ndarray
    scale: np.ndarray | None = None
    signs: Signs | None = None
    window: Window | None = None

    @property
    def quaternion(self) -> bool:
        """Whether the weight is one of quaternions."""
        return self.signs is not None

    @cached_property
    def real_weight(self) -> np.ndarray:
        """The weight (..., in, out) that the inputs meet: expanded, if it is one of quaternions."""
        return self.weight if self.signs is None else expand(self.weight, self.signs)

    @cached_property
    def real_mask(self) -> np.ndarray:
        """Which entries of the real weight are left."""
        return self.mask if self.signs is None else expand(self.mask.astype(np.int8), self.signs) != 0

    def scaled_weight(self, dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return the real weight times the scale, so that y = x w + bias."""
        w = self.real_weight.astype(dtype, copy=False)
        return w if self.scale is None else w * self.scale


@dataclass(frozen=True)
class Add(Operation):
    """y = body(x) + shortcut(x); a shortcut without operations is the identity."""

    body: tuple[Operation, ...]
    shortcut: tuple[Operation, ...]


def operations_of(network: Network) -> tuple[Operation, ...]:
    """Return the operations of a network on the CPU, in order, with copies of its values."""
    return _chain(network.layers.layers, network.input_shape, "")


def products(operations: Iterable[Operation]) -> list[Affine]:
    """Return all products with a weight, those inside sums too, in order."""
    found: list[Affine] = []
    for operation in operations:
        if isinstance(operation, Add):
            found += products(operation.body) + products(operation.shortcut)
        elif isinstance(operation, Affine):
            found.append(operation)
    return found


def map_products(function: Callable[[Affine], Affine], operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return the operations with what a function makes of each product, those inside sums too."""

    def mapped(operation: Operation) -> Operation:
        if isinstance(operation, Add):
            body, shortcut = (map_products(function, path) for path in (operation.body, operation.shortcut))
            return replace(operation, body=body, shortcut=shortcut)
        return function(operation) if isinstance(operation, Affine) else operation

    return tuple(map(mapped, operations))


def _chain(layers: Mapping[str, nn.Layer], shape: Shape, prefix: str) -> tuple[Operation, ...]:
    operations: list[Operation] = []
    for name, layer in layers.items():
        after = layer.output_shape(shape)
        if isinstance(layer, nn.BatchNorm):
            operations.append(_normalised(operations.pop(), layer))
        else:
            operations.append(_operation(prefix + name, layer, shape, after))
        shape = after
    return tuple(operations)


def _operation(name: str, layer: nn.Layer, before: Shape, after: Shape) -> Operation:
    if isinstance(layer, nn.Residual):
        body, shortcut = (
            _chain(path.layers if isinstance(path, nn.Sequential) else {part: path}, before, f"{name}.{part}.")
            for part, path in (("body", layer.body), ("shortcut", layer.shortcut))
        )
        return Add(before, after, body, shortcut)
    if not isinstance(layer, nn.WeightLayer):
        return weightless_of(layer, before, after)
    return Affine(
        before,
        after,
        name,
        weight=layer.weight.value.astype(np.float32),
        mask=layer.weight.mask.copy(),
        bias=layer.bias.value.astype(np.float32) if layer.has_bias else np.zeros(after[-1], np.float32),
        signs=layer.signs,
        window=Window(layer.kernel, layer.stride, layer.padding) if isinstance(layer, nn.Conv2d) else None,
    )


def _normalised(product: Operation, norm: nn.BatchNorm) -> Affine:
    """Return (product - mean) w + shift as a product."""
    assert isinstance(product, Affine)
    w, _ = norm.weight(norm.variance.value.astype(np.float64))
    bias = product.bias - norm.mean.value.astype(np.float64)
    if isinstance(norm, nn.WhiteningBatchNorm):
        weight, mask = product.real_weight @ w, product.real_mask @ (w != 0)
        product, bias = replace(product, weight=weight.astype(np.float32), mask=mask, signs=None), bias @ w
    else:
        bias = bias * w
        if product.quaternion and not isinstance(norm, nn.ScalarBatchNorm):
            product = replace(product, scale=w.astype(np.float32))
        else:
            per_weight = w[: product.weight.shape[-1]]
            product = replace(product, weight=(product.weight * per_weight).astype(np.float32))
    return replace(product, bias=(bias + norm.shift.value).astype(np.float32))
