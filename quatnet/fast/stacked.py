"""The quaternion product of a dense layer on the CPU, without expanding its weight to four times its size.

The rows of a batch x (n, in) are four components each: x~ (4n, in/4). With the four components of w side by side,
w~ (in/4, 4 out/4), one real matrix product gives all sixteen products of a component of x with a component of w. The
table, as a matrix S (4, 16), then adds them up:

    p = x~ w~            y = S p                 for p (n, 16, out/4), y (n, 4, out/4)
    dp = S' dy           dw~ = x~' dp            dx~ = dp w~'

The gradient of w comes out folded.
"""

from __future__ import annotations

import numpy as np

from quatnet.fast.threads import Threads
from quatnet.nn.layers import Backward
from quatnet.nn.parameters import Parameter
from quatnet.quaternion import COMPONENT, SIGN, Signs


class Stacked:
    """The product with a quaternion weight, equal to x expand(w) but for rounding; threads share the products."""

    def __init__(self, threads: Threads, signs: Signs = SIGN) -> None:
        self._threads = threads
        self._table = table(signs)

    def forward(self, x: np.ndarray, weight: Parameter) -> tuple[np.ndarray, Backward]:
        """Return y (n, out) for x (n, in), w (4, in/4, out/4); backward writes dw and returns dx."""
        _, rows, columns = weight.shape
        stack = x.reshape(4 * len(x), rows)
        w = weight.value.transpose(1, 0, 2).reshape(rows, 4 * columns)

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dp = self.spread(dy)
            self.set_gradient(stack, dp, weight)
            return self._threads.matmul(dp, w.T).reshape(x.shape) if inputs else None

        return self.combine(self._threads.matmul(stack, w)), backward

    def set_gradient(self, stack: np.ndarray, dp: np.ndarray, weight: Parameter) -> None:
        """Write dw = x~' dp."""
        _, rows, columns = weight.shape
        dw = self._threads.matmul(stack.T, dp)
        weight.gradient[...] = dw.reshape(rows, 4, columns).transpose(1, 0, 2)

    def combine(self, p: np.ndarray) -> np.ndarray:
        """Return y (n, out) = S p, for the products p (4n, out)."""
        n, columns = len(p) // 4, p.shape[1] // 4
        y: np.ndarray = np.matmul(self._table.astype(p.dtype), p.reshape(n, 16, columns)).reshape(n, 4 * columns)
        return y

    def spread(self, dy: np.ndarray) -> np.ndarray:
        """Return dp (4n, out) = S' dy, for dy (n, out): the adjoint of `combine`."""
        n, columns = len(dy), dy.shape[1] // 4
        dp: np.ndarray = np.matmul(self._table.T.astype(dy.dtype), dy.reshape(n, 4, columns)).reshape(
            4 * n, 4 * columns
        )
        return dp


def table(signs: Signs) -> np.ndarray:
    """Return S: at [c, 4 b + a] the sign of component b of x times component a of w in component c of y, or 0."""
    entries = [[[signs[c][b] * (COMPONENT[c][b] == a) for a in range(4)] for b in range(4)] for c in range(4)]
    return np.array(entries, np.float32).reshape(4, 16)
