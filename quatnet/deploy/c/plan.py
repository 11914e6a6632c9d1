"""From the steps of a network to calls of the functions in kernels/, with their arrays placed in one memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from quatnet.deploy.c.layouts import Packed, memory_order, pack
from quatnet.deploy.c.text import identifier
from quatnet.deploy.steps import (
    AppendGray,
    Average,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    PureReal,
    Relu,
    Residual,
    Step,
    Subsample,
    products,
)
from quatnet.nn.layers.shape import GRAY


@dataclass(eq=False)
class Array:
    """Floats of the memory, needed from call number `first` to call number `last`; `place` is where they begin."""

    size: int
    first: int
    last: int
    place: int = 0


@dataclass(frozen=True)
class Call:
    """A call of the function of a kernel: with `arguments`, then with arrays, of which it writes the last or two."""

    kernel: str
    arguments: tuple[object, ...]
    arrays: tuple[Array, ...]


@dataclass(frozen=True)
class Layer:
    """A dense layer or a convolution: its arrays, the bytes of RAM that it writes, and the size of a convolution."""

    packed: Packed
    ram: int
    window: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """The name in C."""
        return identifier(self.packed.step.name)


@dataclass(frozen=True, eq=False)
class State:
    """An array of a network.

    Attributes
    ----------
    array : its place.
    lanes : 4 if it holds quaternions with their components side by side, otherwise 1.
    order : (n,) of each number in memory, its place in the engine's array.
    black : (n,) what was subtracted from each number in memory, or None.
    """

    array: Array
    lanes: int
    order: np.ndarray
    black: np.ndarray | None = None


class Plan:
    """The calls that compute the logits, in order.

    Where the first layer is dense, it is given the difference of an image from a black one, whose share goes into the
    bias: images of digits are black for the most part, and a dense layer passes over zeros.

    Attributes
    ----------
    calls : in order.
    layers : dense layers and convolutions, in order.
    black : (channels,) what a black pixel is, normalised.
    from_black : whether the difference from it is loaded.
    logits : the array of the last layer, which is the caller's.
    memory : floats of all others; those that are not needed at the same time share their places.
    """

    def __init__(self, steps: tuple[Step, ...], black: np.ndarray, *, int8: bool) -> None:
        """Take the steps and the black pixel; `int8` says whether weights are stored in 8 bits."""
        self.calls: list[Call] = []
        self.layers: list[Layer] = []
        self.black = black
        self._arrays: list[Array] = []
        self._int8 = int8
        first = products(steps)[0]
        self.from_black = not isinstance(first, Conv)
        state, rest = self._load(steps, 4 if first.quaternion else 1)
        self.logits = self._steps(rest, state).array
        self._arrays.remove(self.logits)
        self.memory = _place(self._arrays)

    def _load(self, steps: tuple[Step, ...], lanes: int) -> tuple[State, tuple[Step, ...]]:
        """Load an image as the first product wants it; return the steps that are left to do."""
        step, *rest = steps
        shape, kernel, black = step.output_shape, "load", self.black
        match step:
            case AppendGray():
                kernel, black = "load_gray", np.append(black, black @ np.array(GRAY, np.float32))
            case PureReal():
                kernel, black = "load_real", np.append(black, np.zeros(3, np.float32))
            case Flatten(blocks=1):
                pass
            case _:
                shape, rest = step.input_shape, list(steps)
        pixels, channels = math.prod(shape[:-1]), shape[-1]
        maps = (channels // lanes,) if kernel == "load" else ()
        x = self._array(pixels * channels)
        self._call(kernel, (pixels, lanes, *maps, "image", "normalised"), x)
        order = memory_order(shape, lanes)
        everywhere = np.tile(black, x.size // len(black))[order] if self.from_black else None
        return State(x, lanes, order, everywhere), tuple(rest)

    def _steps(self, steps: Iterable[Step], state: State) -> State:
        for step in steps:
            state = self._step(step, state)
        return state

    def _step(self, step: Step, x: State) -> State:
        match step:
            case Conv():
                return self._conv(step, x)
            case Dense():
                return self._dense(step, x)
            case Relu():
                self._call("relu", (x.array.size,), x.array)
                return x
            case Flatten():
                return replace(x, order=_flattened(step)[x.order])
            case Residual():
                body, shortcut = self._steps(step.body, x), self._steps(step.shortcut, x)
                self._call("add", (body.array.size,), shortcut.array, body.array)
                return body
        y = self._array(math.prod(step.output_shape))
        self._call(*_arrangement(step, x.lanes), x.array, y)
        return State(y, x.lanes, memory_order(step.output_shape, x.lanes))

    def _dense(self, step: Dense, x: State) -> State:
        bias = step.bias
        if x.black is not None:
            share = x.black.astype(np.float64) @ step.real_weight[x.order]
            bias = (bias + share * (1 if step.scale is None else step.scale)).astype(np.float32)
        packed = pack(step, x.order, bias, int8=self._int8)
        y, lanes = self._array(len(bias)), 4 if step.quaternion else 1
        arrays, kernel = [x.array, y], "dense"
        if step.quaternion:
            kernel = "quaternion_sparse" if packed.sparse else "quaternion_dense"
        if kernel == "quaternion_dense":
            arrays.append(self._array(4 * len(bias)))
        self._product(kernel, Layer(packed, _bytes(arrays[1:])), arrays)
        return State(y, lanes, memory_order((len(bias),), lanes))

    def _conv(self, step: Conv, x: State) -> State:
        assert step.quaternion == (x.lanes == 4)
        packed = pack(step, x.order, step.bias, int8=self._int8)
        y = self._array(math.prod(step.output_shape))
        arrays, kernel = [x.array, y], "conv"
        if step.quaternion:
            arrays.append(self._array(4 * step.output_shape[0] * step.output_shape[1]))
            kernel = "quaternion_conv"
        window = (*step.input_shape[:2], *step.output_shape[:2], step.kernel, step.stride, step.padding)
        self._product(kernel, Layer(packed, _bytes(arrays[1:]), window), arrays)
        return State(y, x.lanes, memory_order(step.output_shape, x.lanes))

    def _product(self, kernel: str, layer: Layer, arrays: list[Array]) -> None:
        self.layers.append(layer)
        window = () if layer.window is None else (f"&{layer.name}_window",)
        self._call(kernel, (f"&{layer.name}", *window), *arrays)

    def _array(self, size: int) -> Array:
        self._arrays.append(Array(size, len(self.calls), len(self.calls)))
        return self._arrays[-1]

    def _call(self, kernel: str, arguments: tuple[object, ...], *arrays: Array) -> None:
        for array in arrays:
            array.last = len(self.calls)
        self.calls.append(Call(kernel, arguments, arrays))


def _arrangement(step: Step, lanes: int) -> tuple[str, tuple[object, ...]]:
    """Return the kernel and the arguments of a step without weights."""
    height, width, channels = step.input_shape
    maps = channels // lanes
    match step:
        case MaxPool():
            return "max_pool", (maps, height, width, lanes, step.size)
        case Average():
            return "average", (maps, height * width, lanes)
        case Subsample():
            blocks = step.blocks // lanes if lanes > 1 else step.blocks
            return "subsample", (
                blocks,
                maps // blocks,
                step.output_shape[-1] // lanes // blocks,
                height,
                width,
                lanes,
                step.stride,
            )
    raise TypeError(f"{type(step).__name__} has no function in C")


def _flattened(step: Flatten) -> np.ndarray:
    """Return where flattening puts each number of a map."""
    channels = step.input_shape[-1]
    places = np.arange(math.prod(step.input_shape)).reshape(step.blocks, -1, channels // step.blocks)
    return np.ravel(places.transpose(1, 0, 2))


def _place(arrays: Iterable[Array]) -> int:
    """Give arrays their places, the large ones first; return the floats that they need together."""
    placed: list[Array] = []
    for array in sorted(arrays, key=lambda array: -array.size):
        others = [other for other in placed if other.first <= array.last and array.first <= other.last]
        array.place = min(
            place
            for place in (0, *(other.place + other.size for other in others))
            if all(other.place + other.size <= place or place + array.size <= other.place for other in others)
        )
        placed.append(array)
    return max((array.place + array.size for array in placed), default=0)


def _bytes(arrays: Iterable[Array]) -> int:
    return 4 * sum(array.size for array in arrays)
