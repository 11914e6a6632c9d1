"""The activation function: ReLU, applied to every component on its own (split ReLU, section 4 of the paper)."""

from __future__ import annotations

from quatnet.backend import Array, array_module
from quatnet.nn.layers.layer import Backward, Layer


class ReLU(Layer):
    """y = max(x, 0), of any shape; the subgradient at 0 is 0."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dx = dy where y > 0."""
        y = array_module(x).maximum(x, 0)
        return y, lambda dy, inputs=True: dy * (y > 0)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape itself."""
        return shape
