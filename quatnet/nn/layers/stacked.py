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

from quatnet.nn.layers.layer import Backward
from quatnet.quaternion import COMPONENT, SIGN
from quatnet.threads import Threads

COMBINE = np.array(
    [[[SIGN[c][b] * (COMPONENT[c][b] == a) for a in range(4)] for b in range(4)] for c in range(4)], np.float32
)
"""S: the sign at [c, b, a] is that of component b of x times component a of w in component c of y, or 0."""


class Stacked:
    """Equal to `dense.Expanded` but for rounding; threads share the products."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def forward(self, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return y (n, out) for x (n, in), w (4, in/4, out/4); backward writes dw and returns dx."""
        n, (_, rows, columns) = len(x), w.shape
        stack = x.reshape(4 * n, rows)
        side_by_side = w.transpose(1, 0, 2).reshape(rows, 4 * columns)
        combine = COMBINE.reshape(4, 16).astype(x.dtype, copy=False)

        def backward(dy: np.ndarray, dw: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dp = np.matmul(combine.T, dy.reshape(n, 4, columns)).reshape(4 * n, 4 * columns)
            dw[...] = self._threads.matmul(stack.T, dp).reshape(rows, 4, columns).transpose(1, 0, 2)
            return self._threads.matmul(dp, side_by_side.T).reshape(x.shape) if inputs else None

        p = self._threads.matmul(stack, side_by_side)
        return np.matmul(combine, p.reshape(n, 16, columns)).reshape(n, 4 * columns), backward
