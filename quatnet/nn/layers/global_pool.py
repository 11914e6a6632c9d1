"""Global average pooling, before the last layer of a residual network."""

from __future__ import annotations

from quatnet.backend import Array, array_module
from quatnet.nn.layers.layer import Backward, Layer


class GlobalAveragePool(Layer):
    """y = the mean of every channel over all pixels, for x (n, h, w, c). Component-blocked channels stay so."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, c); backward: dx = dy / (h w) at every pixel."""
        n, h, w, c = x.shape

        def backward(dy: Array) -> Array:
            dx = array_module(dy).empty((n, h, w, c), dtype=dy.dtype)
            dx[...] = (dy / (h * w))[:, None, None]
            return dx

        return self.predict(x), backward

    def predict(self, x: Array) -> Array:
        """Return y (n, c)."""
        return x.mean(axis=(1, 2))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (c,)."""
        return (shape[-1],)
