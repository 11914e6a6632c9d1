"""Max pooling, on every component on its own."""

from __future__ import annotations

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn import cuda, kernels
from quatnet.nn.layers.layer import Backward, Layer, check_positive


class MaxPool2d(Layer):
    """y = the maximum of every size x size window, windows side by side, for x (n, h, w, c).

    Rows and columns that do not fill a window are dropped (and get a zero gradient). Of equal entries the first in
    row-major order takes the gradient.
    """

    def __init__(self, size: int = 2) -> None:
        check_positive(size=size)
        self.size = size

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, h // size, w // size, c); backward: dy goes to the position of the maximum."""
        y = self.predict(x)
        if cuda.usable(x):
            return y, lambda dy: kernels.max_pool_backward(x, y, dy, self.size)
        xp = array_module(x)
        shape = x.shape
        hits = []
        free = xp.ones(y.shape, dtype=bool)
        for window in self._corners(x):
            hits.append(free & (window == y))
            free &= ~hits[-1]

        def backward(dy: Array) -> Array:
            dx = xp.zeros(shape, dtype=dy.dtype)
            for hit, target in zip(hits, self._corners(dx), strict=True):
                xp.multiply(dy, hit, out=target)
            return dx

        return y, backward

    def predict(self, x: Array) -> Array:
        """Return y (n, h // size, w // size, c)."""
        if cuda.usable(x):
            return kernels.max_pool(x, self.size)
        xp = array_module(x)
        first, *others = self._corners(x)
        y = first.copy()
        for window in others:
            xp.maximum(y, window, out=y)
        return y

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h // size, w // size, c); a UsageError if no window fits."""
        h, w, c = shape
        if min(h, w) < self.size:
            raise UsageError(f"input_shape: {self.size}x{self.size} pooling does not fit a {h}x{w} feature map")
        return (h // self.size, w // self.size, c)

    def _corners(self, x: Array) -> list[Array]:
        """Return size * size views (n, oh, ow, c): the entry at one position of every window."""
        size = self.size
        h, w = x.shape[1] // size * size, x.shape[2] // size * size
        return [x[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
