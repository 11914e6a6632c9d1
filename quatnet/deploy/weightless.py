"""Operations without weights, one image to the next: what they compute, what they are in an ONNX graph, and in C.

`weightless_of` has the table from layers to operations. For a new kind of layer it gets a line, and if no operation
does what the layer does, there is one more here and its function in c/kernels.
"""
# ruff: noqa: D102 (what the methods do is said in Weightless)

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from quatnet.nn import layers as nn
from quatnet.nn.layers.shape import GRAY

if TYPE_CHECKING:
    from quatnet.deploy.onnx import Graph

Shape: TypeAlias = tuple[int, ...]
Call: TypeAlias = tuple[str, tuple[object, ...]]

ZERO = np.zeros((), np.float32)


@dataclass(frozen=True)
class Operation:
    """From an array of `input_shape` to one of `output_shape`: (n,), or maps (h, w, c)."""

    input_shape: Shape
    output_shape: Shape


class Weightless(Operation, ABC):
    """An operation without weights; `in_place` says whether y takes the place of x."""

    in_place: ClassVar[bool] = False

    @property
    def separate(self) -> bool:
        """Whether each number of y is made from numbers of one channel."""
        return True

    @abstractmethod
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return y for one image, or for images along further axes in front; it may be a view of x."""

    @abstractmethod
    def onnx(self, graph: Graph, x: str) -> str:
        """Append nodes for x (n, c, h, w) to a graph, and return their output."""

    @abstractmethod
    def c(self, lanes: int) -> Call:
        """Return a function of c/kernels, and its arguments before the arrays.

        `lanes` is 4 where quaternions have their components side by side, otherwise 1.
        """


class Rectify(Weightless):
    """y = max(x, 0)."""

    in_place = True

    def predict(self, x: np.ndarray) -> np.ndarray:
        y: np.ndarray = np.maximum(x, ZERO, out=x)
        return y

    def onnx(self, graph: Graph, x: str) -> str:
        return graph.node("Relu", x)

    def c(self, lanes: int) -> Call:
        return "relu", (prod(self.input_shape),)


@dataclass(frozen=True)
class Maximum(Weightless):
    """The maximum of every size x size window, side by side; rows and columns that fill none are dropped."""

    size: int

    def predict(self, x: np.ndarray) -> np.ndarray:
        h, w, size = *self.output_shape[:2], self.size
        first, *others = (x[..., i : h * size : size, j : w * size : size, :] for i in range(size) for j in range(size))
        y: np.ndarray = first.copy()
        for corner in others:
            np.maximum(y, corner, out=y)
        return y

    def onnx(self, graph: Graph, x: str) -> str:
        return graph.node("MaxPool", x, kernel_shape=[self.size] * 2, strides=[self.size] * 2)

    def c(self, lanes: int) -> Call:
        h, w, channels = self.input_shape
        return "max_pool", (channels // lanes, h, w, lanes, self.size)


class Mean(Weightless):
    """The mean over all pixels, (h, w, c) to (c,)."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        y: np.ndarray = x.mean(axis=(-3, -2))
        return y

    def onnx(self, graph: Graph, x: str) -> str:
        return graph.node("Flatten", graph.node("GlobalAveragePool", x))

    def c(self, lanes: int) -> Call:
        h, w, channels = self.input_shape
        return "average", (channels // lanes, h * w, lanes)


@dataclass(frozen=True)
class Gather(Weightless):
    """Numbers of x in another order, and zeros.

    Of maps (h, w, c) every `stride`-th pixel. The channels are in `blocks`, each of which gets zeros as its last
    channels, up to the channels of y. Where y is flat, (n,), there is one block after the other.
    """

    stride: int = 1
    blocks: int = 1

    @property
    def flat(self) -> bool:
        """Whether y is (n,)."""
        return len(self.output_shape) == 1

    @property
    def separate(self) -> bool:
        return self.flat

    @property
    def same_order(self) -> bool:
        """Whether y has the numbers of x in their order."""
        return self.flat and self.blocks == 1

    @cached_property
    def index(self) -> np.ndarray:
        """The place in x of each number of y; -1 for a zero."""
        return self.predict(np.arange(1, prod(self.input_shape) + 1).reshape(self.input_shape)) - 1

    def predict(self, x: np.ndarray) -> np.ndarray:
        *images, channels = *x.shape[:-3], x.shape[-1] // self.blocks
        taken = x[..., :: self.stride, :: self.stride, :].reshape(*images, -1, self.blocks, channels)
        y: np.ndarray
        if self.flat:
            y = taken.swapaxes(-3, -2).reshape(*images, -1)
            return y
        y = np.zeros((*images, *self.output_shape), x.dtype)
        y.reshape(*images, -1, self.blocks, self.output_shape[-1] // self.blocks)[..., :channels] = taken
        return y

    def fold(self, w: np.ndarray) -> np.ndarray:
        """Return the weight for x of a product with weight w (..., in, out) for y; (h, w, c, out) where y is flat.

        The stride must be 1. Zeros around a map stay zeros, so that this holds for convolutions with padding.
        """
        if not self.flat:
            return w[..., self.index[0, 0] >= 0, :]
        folded = np.empty((*self.input_shape, w.shape[-1]), w.dtype)
        folded.reshape(w.shape)[self.index] = w
        return folded

    def onnx(self, graph: Graph, x: str) -> str:
        h, w, channels = self.input_shape
        name, each = f"subsample_{len(graph.nodes)}", channels // self.blocks
        zeros = 0 if self.flat else self.output_shape[-1] // self.blocks - each
        slices = {"starts": [0, 0], "ends": [h, w], "axes": [2, 3], "steps": [self.stride] * 2}
        x = graph.node("Slice", x, *(graph.constant(f"{name}.{key}", values) for key, values in slices.items()))
        if self.blocks == 1 and not self.flat:
            return graph.node("Pad", x, graph.constant(f"{name}.pads", [0] * 5 + [zeros, 0, 0]))
        h, w = -(-h // self.stride), -(-w // self.stride)
        x = graph.node("Reshape", x, graph.constant(f"{name}.apart", [0, self.blocks, each, h, w]))
        if self.flat:
            return graph.node("Flatten", graph.node("Transpose", x, perm=[0, 1, 3, 4, 2]))
        x = graph.node("Pad", x, graph.constant(f"{name}.pads", [0] * 7 + [zeros, 0, 0]))
        return graph.node("Reshape", x, graph.constant(f"{name}.together", [0, self.output_shape[-1], h, w]))

    def c(self, lanes: int) -> Call:
        h, w, channels = self.input_shape
        blocks = self.blocks // lanes
        maps = (count // lanes // blocks for count in (channels, self.output_shape[-1]))
        return "subsample", (blocks, *maps, h, w, lanes, self.stride)


@dataclass(frozen=True)
class Mix(Weightless):
    """(h, w, c) to (h, w, c + 1): the weighted sum of the channels comes last."""

    weights: tuple[float, ...]
    separate = False

    def predict(self, x: np.ndarray) -> np.ndarray:
        y = np.empty((*x.shape[:-1], x.shape[-1] + 1), x.dtype)
        y[..., :-1] = x
        y[..., -1] = x @ np.array(self.weights, x.dtype)
        return y

    def fold(self, w: np.ndarray) -> np.ndarray:
        """Return the weight (..., c, out) for x of a product with weight w (..., c + 1, out) for y."""
        folded: np.ndarray = w[..., :-1, :] + np.array(self.weights)[:, None] * w[..., -1:, :]
        return folded

    def onnx(self, graph: Graph, x: str) -> str:
        w = np.vstack([np.eye(len(self.weights)), self.weights]).astype(np.float32)
        return graph.node("Conv", x, graph.constant(f"mix_{len(graph.nodes)}.weight", w[..., None, None]))

    def c(self, lanes: int) -> Call:
        return "load_gray", (prod(self.input_shape[:2]), lanes)


def weightless_of(layer: nn.Layer, before: Shape, after: Shape) -> Weightless:
    """Return what a layer does to an image; a TypeError if there is no operation that does."""
    match layer:
        case nn.ReLU():
            return Rectify(before, after)
        case nn.MaxPool2d():
            return Maximum(before, after, layer.size)
        case nn.GlobalAveragePool():
            return Mean(before, after)
        case nn.Flatten() | nn.PureReal():
            return Gather(before, after)
        case nn.QuaternionFlatten():
            return Gather(before, after, blocks=4)
        case nn.Subsample():
            return Gather(before, after, layer.stride, layer.blocks)
        case nn.AppendGray():
            return Mix(before, after, GRAY)
    raise TypeError(f"{type(layer).__name__} has no operation for inference")
