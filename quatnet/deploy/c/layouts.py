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

from quatnet.deploy.steps import Conv, Dense, Residual, Step
from quatnet.deploy.values import quantise

WHOLE_FROM = {"dense": 0.25, "quaternion dense": 0.5}
"""The density from which all weights of a layer are stored: where that is faster, on an x86-64 with SSE2.

A convolution is as fast either way; all its weights are stored where that is smaller.
"""


@dataclass(frozen=True, eq=False)
class Packed:
    """The arrays of one layer.

    Attributes
    ----------
    step : the layer.
    kind : dense or convolution, with `quaternion` in front.
    inputs, outputs : how many there are, of a convolution channels; quaternions count as one.
    count, skip : per row, int64 (in C as wide as the largest needs), and per weight, uint8; None if all are stored.
    weight : float32 or int8.
    scale, bias : per output, float32; quaternions have their four components side by side. A scale of 1 is None.
    """

    step: Dense
    kind: str
    inputs: int
    outputs: int
    count: np.ndarray | None
    skip: np.ndarray | None
    weight: np.ndarray
    scale: np.ndarray | None
    bias: np.ndarray

    @property
    def sparse(self) -> bool:
        """Whether only weights that are left are stored."""
        return self.skip is not None


def pack(step: Dense, order: np.ndarray, bias: np.ndarray, *, int8: bool) -> Packed:
    """Return the arrays of a layer.

    `order` (in,) says of each number in memory, in front of a dense layer, which input it is. `bias` takes the place of
    the step's.
    """
    weight, scale = step.weight, step.scale
    if int8:
        weight, grid = _rounded(weight)
        grid = np.tile(grid, 4 if step.quaternion else 1)
        scale = grid if scale is None else scale * grid
    kind = ("quaternion " if step.quaternion else "") + ("convolution" if isinstance(step, Conv) else "dense")
    *_, inputs, outputs = weight.shape
    smaller = weight.itemsize / (weight.itemsize + 1)
    sparse = np.count_nonzero(weight) < WHOLE_FROM.get(kind, smaller) * weight.size
    match kind:
        case "dense":
            rows = weight[order]
        case "quaternion dense":
            quaternions = order.reshape(-1, 4)
            assert np.array_equal(quaternions, quaternions[:, :1] + inputs * np.arange(4))
            by_input = weight[:, quaternions[:, 0]].transpose(1, 2, 0).reshape(inputs, -1)
            rows = by_input.T if sparse else by_input
        case "convolution":
            rows = weight.reshape(-1, outputs).T
        case _:
            rows = weight.reshape(4, -1, outputs).transpose(2, 0, 1).reshape(4 * outputs, -1)
    count, skip, stored = _sparse(rows) if sparse else (None, None, rows.ravel())
    lanes = memory_order((len(bias),), 4 if step.quaternion else 1)
    return Packed(
        step, kind, inputs, outputs, count, skip, stored, None if scale is None else scale[lanes], bias[lanes]
    )


def memory_order(shape: tuple[int, ...], lanes: int) -> np.ndarray:
    """Return, of each number in memory, its place in an array of `shape`, (n,) or (h, w, c).

    Maps lie one after the other: of channels (lanes 1), or of quaternions with their four components side by side.
    """
    channels = shape[-1]
    places = np.arange(math.prod(shape)).reshape(-1, lanes, channels // lanes)
    return np.ravel(places.transpose(2, 0, 1))


def quantised(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps with the weights that 8 bits can hold: whole numbers from -127 to 127 times one per output."""
    found: list[Step] = []
    for step in steps:
        if isinstance(step, Residual):
            step = replace(step, body=quantised(step.body), shortcut=quantised(step.shortcut))
        elif isinstance(step, Dense):
            whole, grid = _rounded(step.weight)
            step = replace(step, weight=whole * grid)
        found.append(step)
    return tuple(found)


def _rounded(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 numbers and a float32 factor per output, for (..., out): their product is next to the weight."""
    scale, steps = quantise(weight, axis=tuple(range(weight.ndim - 1)))
    return steps, scale


def _sparse(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many weights each row stores, how many places each is from the one before, and the weights."""
    row, column = np.nonzero(rows)
    skip = np.where(np.diff(row, prepend=-1) > 0, column, np.diff(column, prepend=0))
    fillers = np.maximum(skip - 1, 0) // 255
    stored = np.cumsum(fillers + 1)
    size = int(stored[-1]) if len(stored) else 1  # C has no empty arrays
    skips, weights = np.full(size, 255, np.uint8), np.zeros(size, rows.dtype)
    skips[stored - 1], weights[stored - 1] = skip - 255 * fillers, rows[row, column]
    count = np.bincount(row, fillers + 1, minlength=len(rows))
    return count.astype(np.int64), skips, weights
