"""The product of a dense layer of which few weights are left, on the CPU: CSR matrices (scipy.sparse) instead of BLAS.

With the batch as the last axis, every weight left costs one multiply-add of n numbers, which lie in one piece:

    y' = w' x'          dx' = w dy'          dw_ij = <x'_i, dy'_j>

The gradient of a weight takes about five times as long this way as its share of a full product, so that it is taken
weight by weight only where even fewer are left. Pruned weights keep whatever gradient they had: the optimizer does not
read it.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from quatnet.fast.dense import Direct
from quatnet.fast.stacked import Stacked
from quatnet.nn.layers import Backward
from quatnet.nn.parameters import Parameter

FEW = 0.4
"""Density below which the entries left are few enough to be listed."""

SPARSE_BELOW = 0.15
"""Density of a weight below which y and dx go through CSR (docs/performance.md)."""

SAMPLED_BELOW = 0.03
"""Density below which dw does, too."""

WEIGHTS_AT_A_TIME = 2048
"""Weights whose gradients are taken together: their rows of x' and dy' fit the cache."""


def few(mask: np.ndarray, below: float = FEW) -> np.ndarray | None:
    """Return the positions of the entries left of a mask, in the flattened array, or None if they are not few."""
    return np.flatnonzero(mask) if np.count_nonzero(mask) < below * mask.size else None


class Pruned:
    """A product that is that of `dense` until few weights are left, and equal to it but for rounding from then on.

    They are few `below` a density. The gradients of `weights_at_a_time` of them are taken together.
    """

    def __init__(
        self, dense: Direct | Stacked, below: float = SPARSE_BELOW, weights_at_a_time: int = WEIGHTS_AT_A_TIME
    ) -> None:
        self._dense = dense
        self._below, self._weights_at_a_time = below, weights_at_a_time
        self._mask: np.ndarray | None = None
        self._csr: Csr | None = None

    def forward(self, x: np.ndarray, weight: Parameter) -> tuple[np.ndarray, Backward]:
        """Return y (n, out) for x (n, in); backward writes the gradient of the weights left and returns dx."""
        dense = self._dense
        if weight.mask is not self._mask:
            kept, self._mask = few(weight.mask, self._below), weight.mask
            self._csr = None if kept is None else Csr(kept, weight.shape)
        if self._csr is None:
            return dense.forward(x, weight)
        if isinstance(dense, Direct):
            return self._multiply(self._csr, x, weight)
        p, product_backward = self._multiply(self._csr, x.reshape(4 * len(x), weight.shape[1]), weight)

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dx: np.ndarray | None = product_backward(dense.spread(dy), inputs)
            return None if dx is None else dx.reshape(x.shape)

        return dense.combine(p), backward

    def _multiply(self, csr: Csr, x: np.ndarray, weight: Parameter) -> tuple[np.ndarray, Backward]:
        xt = _transposed(x)

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dyt = _transposed(dy)
            if csr.kept.size < SAMPLED_BELOW * weight.size:
                csr.set_gradient(xt, dyt, weight, self._weights_at_a_time)
            else:
                self._dense.set_gradient(x, dy, weight)
            return _transposed(csr.multiply_back(dyt, weight)) if inputs else None

        return csr.multiply(xt, weight).T, backward


class Csr:
    """The weights left of a matrix (in, out), or of four components (4, in/4, out/4) side by side, (in/4, out).

    `kept` are their positions in the flat weight.
    """

    def __init__(self, kept: np.ndarray, shape: tuple[int, ...]) -> None:
        self.kept = kept
        *component, rows, columns = np.unravel_index(kept, shape)
        if component:
            columns = columns + component[0] * shape[-1]
        by_row, by_column = np.lexsort((columns, rows)), np.lexsort((rows, columns))
        size = (shape[-2], shape[-1] * (4 if component else 1))
        self._rows, self._columns, self._by_row = rows[by_row], columns[by_row], kept[by_row]
        self._by_column = kept[by_column]
        self._w = _csr(self._rows, self._columns, size)
        self._w_transposed = _csr(columns[by_column], rows[by_column], size[::-1])

    def multiply(self, xt: np.ndarray, weight: Parameter) -> np.ndarray:
        """Return y' (out, n) for x' (in, n)."""
        self._w_transposed.data = weight.value.ravel()[self._by_column]
        return self._w_transposed @ xt  # type: ignore[no-any-return]

    def multiply_back(self, dyt: np.ndarray, weight: Parameter) -> np.ndarray:
        """Return dx' (in, n) for dy' (out, n)."""
        self._w.data = weight.value.ravel()[self._by_row]
        return self._w @ dyt  # type: ignore[no-any-return]

    def set_gradient(self, xt: np.ndarray, dyt: np.ndarray, weight: Parameter, at_a_time: int) -> None:
        """Write dw_ij = <x'_i, dy'_j> for the weights left, so many at a time."""
        dw = np.empty(self.kept.size, xt.dtype)
        for start in range(0, dw.size, at_a_time):
            some = slice(start, start + at_a_time)
            np.einsum("kn,kn->k", xt[self._rows[some]], dyt[self._columns[some]], out=dw[some])
        weight.gradient.reshape(-1)[self._by_row] = dw


def _csr(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    """Return a CSR matrix with entries in the order given, which is row by row; their values come later."""
    starts = np.searchsorted(rows, np.arange(shape[0] + 1))
    return sparse.csr_array((np.zeros(rows.size, np.float32), columns, starts), shape=shape)


def _transposed(x: np.ndarray) -> np.ndarray:
    """Return x' in one piece.

    Rows that are a power of two apart meet in the same few lines of the cache: those are copied to longer rows first.
    """
    if x.flags.f_contiguous or x.shape[1] % 1024:
        return np.ascontiguousarray(x.T)
    apart = np.empty((len(x), x.shape[1] + 16), x.dtype)
    apart[:, :-16] = x
    return np.ascontiguousarray(apart[:, :-16].T)
