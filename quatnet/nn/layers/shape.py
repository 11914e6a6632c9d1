"""Layers that only arrange: flattening, and what turns images into quaternions (section 4 of the paper)."""

from __future__ import annotations

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn import cuda, kernels
from quatnet.nn.layers.layer import Backward, Layer, check_divisible

GRAY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in the gray channel: ITU-R BT.601, to the digits of the paper's code."""


class Flatten(Layer):
    """Images (n, h, w, c) become rows (n, h w c). A quaternion layer that follows reads a row as four blocks.

    For a grayscale image of 784 pixels, the pixels p, p + 196, p + 392 and p + 588 form quaternion p.
    """

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the rows; backward: the same entries, as images."""
        return self.predict(x), lambda dy: dy.reshape(x.shape)

    def predict(self, x: Array) -> Array:
        """Return the rows."""
        return x.reshape(x.shape[0], *self.output_shape(x.shape[1:]))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h w c,)."""
        return (int(np.prod(shape)),)


class QuaternionFlatten(Layer):
    """Feature maps (n, h, w, c) with component-blocked channels become rows (n, c h w) that are blocked alike."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the rows; backward: the same entries, as feature maps."""
        n, h, w, c = x.shape

        def backward(dy: Array) -> Array:
            return array_module(dy).moveaxis(dy.reshape(n, 4, h, w, c // 4), 1, 3).reshape(n, h, w, c)

        return self.predict(x), backward

    def predict(self, x: Array) -> Array:
        """Return the rows."""
        n, h, w, c = x.shape
        return array_module(x).moveaxis(x.reshape(n, h, w, 4, c // 4), 3, 1).reshape(n, h * w * c)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (c h w,)."""
        check_divisible(channels=shape[-1])
        return (int(np.prod(shape)),)


class AppendGray(Layer):
    """Colour images (n, h, w, 3) get their gray value as fourth channel: r = red, i = green, j = blue, k = gray."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return (n, h, w, 4); backward: each colour also collects its share of the gray channel's gradient."""

        def backward(dy: Array) -> Array:
            gray = array_module(dy).asarray(GRAY, dtype=dy.dtype)
            return dy[..., :3] + dy[..., 3:] * gray

        return self.predict(x), backward

    def predict(self, x: Array) -> Array:
        """Return (n, h, w, 4)."""
        if cuda.usable(x):
            return kernels.append_gray(x, GRAY)
        y = array_module(x).empty((*x.shape[:-1], 4), dtype=x.dtype)
        y[..., :3] = x
        if isinstance(x, np.ndarray):
            y[..., 3] = x @ np.asarray(GRAY, dtype=x.dtype)
        else:  # without a constant to upload at every step
            y[..., 3] = sum(weight * x[..., channel] for channel, weight in enumerate(GRAY))
        return y

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h, w, 4)."""
        if shape[-1] != 3:
            raise UsageError(f"input_shape: {shape[-1]} channels given; a gray channel is added to 3 colours")
        return (*shape[:-1], 4)


class PureReal(Layer):
    """Grayscale images (n, h, w, 1) become quaternions with imaginary part 0, for convolutions (not in the paper)."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return (n, h, w, 4); backward: the gradient of the real part."""
        return self.predict(x), lambda dy: dy[..., :1]

    def predict(self, x: Array) -> Array:
        """Return (n, h, w, 4)."""
        y = array_module(x).zeros((*x.shape[:-1], 4), dtype=x.dtype)
        y[..., :1] = x
        return y

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h, w, 4)."""
        if shape[-1] != 1:
            raise UsageError(f"input_shape: {shape[-1]} channels given; one is needed")
        return (*shape[:-1], 4)
