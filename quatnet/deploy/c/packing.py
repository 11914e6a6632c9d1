"""How the weights of a layer lie in memory: the rows of a matrix, whole or sparse, in 32 or 8 bits.

The rows of a real dense layer are its inputs, so that one that is 0 is passed over with all its weights. The rows of
the others are their outputs, so that a sum is finished before the next begins. In a row of a sparse layer each weight
has a byte: how many places it is from the one before. Where that is more than a byte holds, a weight of 0 is put in.

A quaternion layer has a row for each component of its weights. With the quaternions of x and of y as vectors of four
numbers, y = sum over m of P_m (w_m x) for the components w_m and signed permutations P_m of the product: a row is one
of a real matrix, but each of its weights is multiplied with four numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from quatnet.deploy.c.text import identifier
from quatnet.deploy.ir import Affine, map_products
from quatnet.deploy.values import quantise
from quatnet.deploy.weightless import Operation

WHOLE_FROM = {"dense": 0.25, "quaternion dense": 0.5}
"""The density from which all weights of a layer are stored: where that is faster, on an x86-64 with SSE2.

A convolution is as fast either way; all its weights are stored where that is smaller.
"""


@dataclass(frozen=True, eq=False)
class Packed:
    """The arrays of one layer.

    Attributes
    ----------
    product : the layer.
    kind : dense or convolution, with `quaternion` in front.
    inputs, outputs : how many there are, of a convolution channels; quaternions count as one.
    count, skip : per row, int64 (in C as wide as the largest needs), and per weight, uint8; None if all are stored.
    weight : float32 or int8.
    scale, bias : per output, float32; quaternions have their four components side by side. A scale of 1 is None.
    """

    product: Affine
    kind: str
    inputs: int
    outputs: int
    count: np.ndarray | None
    skip: np.ndarray | None
    weight: np.ndarray
    scale: np.ndarray | None
    bias: np.ndarray

    @property
    def name(self) -> str:
        """The name in C."""
        return identifier(self.product.name)

    @property
    def sparse(self) -> bool:
        """Whether only weights that are left are stored."""
        return self.skip is not None


def pack(product: Affine, order: np.ndarray, bias: np.ndarray, *, int8: bool) -> Packed:
    """Return the arrays of a layer.

    `order` (in,) says of each number in memory, in front of a dense layer, which input it is. `bias` takes the place of
    the product's.
    """
    weight, scale, lanes = product.weight, product.scale, 4 if product.quaternion else 1
    if int8:
        weight, grid = _rounded(weight)
        grid = np.tile(grid, lanes)
        scale = grid if scale is None else scale * grid
    kind = ("quaternion " if product.quaternion else "") + ("dense" if product.window is None else "convolution")
    *_, inputs, outputs = weight.shape
    smaller = weight.itemsize / (weight.itemsize + 1)
    is_sparse = np.count_nonzero(weight) < WHOLE_FROM.get(kind, smaller) * weight.size
    match kind:
        case "dense":
            rows = weight[order]
        case "quaternion dense":
            quaternions = order.reshape(-1, 4)
            assert np.array_equal(quaternions, quaternions[:, :1] + inputs * np.arange(4))
            by_input = weight[:, quaternions[:, 0]].transpose(1, 2, 0).reshape(inputs, -1)
            rows = by_input.T if is_sparse else by_input
        case "convolution":
            rows = weight.reshape(-1, outputs).T
        case _:
            rows = weight.reshape(4, -1, outputs).transpose(2, 0, 1).reshape(4 * outputs, -1)
    count, skip, stored = _sparse(rows) if is_sparse else (None, None, rows.ravel())
    places = memory_order((len(bias),), lanes)
    scale = None if scale is None else scale[places]
    return Packed(product, kind, inputs, outputs, count, skip, stored, scale, bias[places])


def memory_order(shape: tuple[int, ...], lanes: int) -> np.ndarray:
    """Return, of each number in memory, its place in an array of `shape`, (n,) or (h, w, c).

    Maps lie one after the other: of channels (lanes 1), or of quaternions with their four components side by side.
    """
    channels = shape[-1]
    places = np.arange(math.prod(shape)).reshape(-1, lanes, channels // lanes)
    return np.ravel(places.transpose(2, 0, 1))


def quantised(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return the operations with weights that 8 bits can hold: whole numbers from -127 to 127 times one per output."""
    return map_products(lambda product: replace(product, weight=np.multiply(*_rounded(product.weight))), operations)


def _rounded(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 numbers and a float32 factor per output, for (..., out): their product is next to the weight."""
    scale, steps = quantise(weight, axis=tuple(range(weight.ndim - 1)))
    return steps, scale


def _sparse(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many weights each row stores, how many places each is from the one before, and the weights."""
    matrix = csr_array(rows)
    row, column = np.repeat(np.arange(len(rows)), np.diff(matrix.indptr)), matrix.indices.astype(np.int64)
    skip = np.where(np.diff(row, prepend=-1) > 0, column, np.diff(column, prepend=0))
    fillers = np.maximum(skip - 1, 0) // 255
    stored = np.cumsum(fillers + 1)
    size = int(stored[-1]) if len(stored) else 1  # C has no empty arrays
    skips, weights = np.full(size, 255, np.uint8), np.zeros(size, rows.dtype)
    skips[stored - 1], weights[stored - 1] = skip - 255 * fillers, matrix.data
    count = np.bincount(row, fillers + 1, minlength=len(rows))
    return count.astype(np.int64), skips, weights
