"""The activation function: ReLU, applied to every component on its own (split ReLU, section 4 of the paper)."""

from __future__ import annotations

from quatnet.backend import Array, array_module
from quatnet.nn import cuda, kernels
from quatnet.nn.layers.layer import Backward, Layer


class ReLU(Layer):
    """y = max(x, 0), of any shape; the subgradient at 0 is 0."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dx = dy where y > 0."""
        y = self.predict(x)

        def backward(dy: Array) -> Array:
            return kernels.relu_backward(y, dy) if cuda.usable(y) else dy * (y > 0)

        return y, backward

    def predict(self, x: Array) -> Array:
        """Return y."""
        return array_module(x).maximum(x, 0)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape itself."""
        return shape
