"""The quaternion product of a large dense layer on the CPU, without expanding its weight to four times its size.

All sixteen products of a component of w with a component of x are four real matrix products, p_a = x~ w_a, where x~ is
x (n, in) seen as (4n, in/4). The table then says which of them make up y, and backwards where dy goes:

    y_c = sum_b SIGN[c, b] p_COMPONENT[c, b], b        dp_COMPONENT[c, b], b = SIGN[c, b] dy_c
    dw_a = x~' dp_a                                    dx~ = sum_a dp_a w_a'

The gradient of w comes out folded.
"""

from __future__ import annotations

import numpy as np

from quatnet.nn.layers.layer import Backward
from quatnet.quaternion import COMPONENT, SIGN
from quatnet.threads import Threads


class Stacked:
    """Equal to `dense.Expanded` but for rounding; threads share the four components."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def forward(self, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return y (n, out) for x (n, in), w (4, in/4, out/4); backward writes dw and returns dx."""
        n, outputs = len(x), 4 * w.shape[2]
        stack = x.reshape(4 * n, -1)

        def backward(dy: np.ndarray, dw: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dp = spread(dy.reshape(n, 4, -1)).reshape(4, 4 * n, -1)
            self._threads.map(lambda a: np.matmul(stack.T, dp[a], out=dw[a]), range(4))
            if not inputs:
                return None
            parts = self._threads.map(lambda a: dp[a] @ w[a].T, range(4))
            return ((parts[0] + parts[1]) + (parts[2] + parts[3])).reshape(x.shape)  # type: ignore[no-any-return]

        products = np.stack(self._threads.map(lambda a: stack @ w[a], range(4)))
        return combine(products.reshape(4, n, 4, -1)).reshape(n, outputs), backward


def combine(p: np.ndarray) -> np.ndarray:
    """Return y (n, 4, out/4), signed sums of the products p (4, n, 4, out/4): component of w, n, component of x."""
    y = np.empty(p.shape[1:], p.dtype)
    for c in range(4):
        np.copyto(y[:, c], p[COMPONENT[c][0], :, 0])  # SIGN[c][0] is 1: the first column of the table is w itself
        for b in range(1, 4):
            (np.add if SIGN[c][b] > 0 else np.subtract)(y[:, c], p[COMPONENT[c][b], :, b], out=y[:, c])
    return y


def spread(dy: np.ndarray) -> np.ndarray:
    """Return the adjoint of `combine`: dp (4, n, 4, out/4) for dy (n, 4, out/4)."""
    dp = np.empty((4, *dy.shape), dy.dtype)
    for c in range(4):
        for b in range(4):
            np.multiply(dy[:, c], SIGN[c][b], out=dp[COMPONENT[c][b], :, b])
    return dp
