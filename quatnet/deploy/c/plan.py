"""From the operations of a network to calls of the functions in kernels/, with their arrays placed in one memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from quatnet.deploy.c.packing import Packed, memory_order, pack
from quatnet.deploy.ir import Add, Affine, products
from quatnet.deploy.weightless import Gather, Mix, Operation, Weightless


@dataclass(eq=False)
class Array:
    """Floats of the memory, needed from call number `first` to call number `last`; `place` is where they begin."""

    size: int
    first: int
    last: int
    place: int = 0


@dataclass(frozen=True)
class Call:
    """A call of a function in kernels/: with the constants of a layer, numbers or names, and arrays.

    It reads the first array and writes the others, or there is one alone.
    """

    kernel: str
    arguments: tuple[object, ...]
    arrays: tuple[Array, ...]
    layer: Packed | None = None


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
    black : (channels,) what a black pixel is, normalised.
    from_black : whether the difference from it is loaded.
    logits : the array of the last layer, which is the caller's.
    memory : floats of all others; those that are not needed at the same time share their places.
    """

    def __init__(self, operations: tuple[Operation, ...], black: np.ndarray, *, int8: bool) -> None:
        """Take the operations and the black pixel; `int8` says whether weights are stored in 8 bits."""
        self.calls: list[Call] = []
        self.black = black
        self._arrays: list[Array] = []
        self._int8 = int8
        first = products(operations)[0]
        self.from_black = first.window is None
        state, rest = self._load(operations, 4 if first.quaternion else 1)
        self.logits = self._chain(rest, state).array
        self._arrays.remove(self.logits)
        self.memory = _place(self._arrays)

    def _load(self, operations: tuple[Operation, ...], lanes: int) -> tuple[State, tuple[Operation, ...]]:
        """Load an image as the first product wants it; return the operations that are left to do."""
        first, *rest = operations
        shape, black = first.input_shape, np.broadcast_to(self.black, first.input_shape)
        kernel, loaded = "load", False
        match first:
            case Mix():
                kernel, loaded = "load_gray", True
            case Gather(stride=1, input_shape=(_, _, 1), output_shape=(_, _, 4)):
                kernel, loaded = "load_real", True
            case Gather():
                loaded = first.same_order
        if loaded:
            assert isinstance(first, Weightless)
            shape, black, operations = first.output_shape, first.predict(black), tuple(rest)
        pixels, channels = math.prod(shape[:-1]), shape[-1]
        maps = (channels // lanes,) if kernel == "load" else ()
        x = self._array(pixels * channels)
        self._call(kernel, (pixels, lanes, *maps, "image", "normalised"), x)
        order = memory_order(shape, lanes)
        return State(x, lanes, order, np.ravel(black)[order] if self.from_black else None), operations

    def _chain(self, operations: Iterable[Operation], x: State) -> State:
        for operation in operations:
            x = self._operation(operation, x)
        return x

    def _operation(self, operation: Operation, x: State) -> State:
        if isinstance(operation, Affine):
            return self._affine(operation, x)
        if isinstance(operation, Add):
            body, shortcut = self._chain(operation.body, x), self._chain(operation.shortcut, x)
            self._call("add", (body.array.size,), shortcut.array, body.array)
            return body
        if isinstance(operation, Gather) and operation.flat:
            return replace(x, order=np.argsort(operation.index)[x.order])
        assert isinstance(operation, Weightless)
        kernel, arguments = operation.c(x.lanes)
        if operation.in_place:
            self._call(kernel, arguments, x.array)
            return x
        y = self._array(math.prod(operation.output_shape))
        self._call(kernel, arguments, x.array, y)
        return State(y, x.lanes, memory_order(operation.output_shape, x.lanes))

    def _affine(self, product: Affine, x: State) -> State:
        bias, window, lanes = product.bias, product.window, 4 if product.quaternion else 1
        if x.black is not None:
            share = x.black.astype(np.float64) @ product.real_weight[x.order]
            bias = (bias + share * (1 if product.scale is None else product.scale)).astype(np.float32)
        packed = pack(product, x.order, bias, int8=self._int8)
        kernel, sums, pointers = "dense", 4 * len(bias), [f"&{packed.name}"]
        if window is not None:
            assert lanes == x.lanes
            kernel, sums = "conv", 4 * math.prod(product.output_shape[:2])
            pointers.append(f"&{packed.name}_window")
        elif product.quaternion and packed.sparse:
            kernel, sums = "sparse", 0
        written = [y := self._array(math.prod(product.output_shape))]
        if product.quaternion:
            kernel = f"quaternion_{kernel}"
            written += [self._array(sums)] * (sums > 0)
        self._call(kernel, pointers, x.array, *written, layer=packed)
        return State(y, lanes, memory_order(product.output_shape, lanes))

    def _array(self, size: int) -> Array:
        self._arrays.append(Array(size, len(self.calls), len(self.calls)))
        return self._arrays[-1]

    def _call(self, kernel: str, arguments: Iterable[object], *arrays: Array, layer: Packed | None = None) -> None:
        for array in arrays:
            array.last = len(self.calls)
        self.calls.append(Call(kernel, tuple(arguments), arrays, layer))


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
