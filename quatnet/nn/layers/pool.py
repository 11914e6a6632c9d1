"""Max pooling, and the global average before the last layer of a residual network: on every component on its own."""

from __future__ import annotations

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
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
        xp, shape, y = array_module(x), x.shape, self.predict(x)
        hits = []
        free = xp.ones(y.shape, dtype=bool)
        for window in self._corners(x):
            hits.append(free & (window == y))
            free &= ~hits[-1]

        def backward(dy: Array, inputs: bool = True) -> Array:
            dx = xp.zeros(shape, dtype=dy.dtype)
            for hit, target in zip(hits, self._corners(dx), strict=True):
                xp.multiply(dy, hit, out=target)
            return dx

        return y, backward

    def predict(self, x: Array) -> Array:
        """Return y (n, h // size, w // size, c)."""
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


class GlobalAveragePool(Layer):
    """y = the mean of every channel over all pixels, for x (n, h, w, c). Component-blocked channels stay so."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, c); backward: dx = dy / (h w) at every pixel."""
        n, h, w, c = x.shape

        def backward(dy: Array, inputs: bool = True) -> Array:
            dx = array_module(dy).empty((n, h, w, c), dtype=dy.dtype)
            dx[...] = (dy / (h * w))[:, None, None]
            return dx

        return x.mean(axis=(1, 2)), backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (c,)."""
        return (shape[-1],)
