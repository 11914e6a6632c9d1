"""Layers that only arrange: flattening, and what turns images into quaternions (section 4 of the paper)."""

from __future__ import annotations

import math

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn.layers.layer import Backward, Layer, check_divisible

GRAY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in the gray channel: ITU-R BT.601, to the digits of the paper's code."""


class Flatten(Layer):
    """Images (n, h, w, c) become rows (n, h w c). A quaternion layer that follows reads a row as four blocks.

    For a grayscale image of 784 pixels, the pixels p, p + 196, p + 392 and p + 588 form quaternion p.
    """

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the rows; backward: the same entries, as images."""
        y = x.reshape(len(x), *self.output_shape(x.shape[1:]))
        return y, lambda dy, inputs=True: dy.reshape(x.shape)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h w c,)."""
        return (math.prod(shape),)


class QuaternionFlatten(Layer):
    """Feature maps (n, h, w, c) with component-blocked channels become rows (n, c h w) that are blocked alike."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the rows; backward: the same entries, as feature maps."""
        n, h, w, c = x.shape
        y = array_module(x).moveaxis(x.reshape(n, h, w, 4, c // 4), 3, 1).reshape(n, h * w * c)

        def backward(dy: Array, inputs: bool = True) -> Array:
            return array_module(dy).moveaxis(dy.reshape(n, 4, h, w, c // 4), 1, 3).reshape(n, h, w, c)

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (c h w,)."""
        check_divisible(channels=shape[-1])
        return (math.prod(shape),)


class AppendGray(Layer):
    """Colour images (n, h, w, 3) get their gray value as fourth channel: r = red, i = green, j = blue, k = gray."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return (n, h, w, 4); backward: each colour also collects its share of the gray channel's gradient."""
        xp = array_module(x)
        y = xp.empty((*x.shape[:-1], 4), dtype=x.dtype)
        y[..., :3] = x
        y[..., 3] = sum(share * x[..., colour] for colour, share in enumerate(GRAY))

        def backward(dy: Array, inputs: bool = True) -> Array:
            return xp.stack([dy[..., colour] + share * dy[..., 3] for colour, share in enumerate(GRAY)], axis=-1)

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h, w, 4)."""
        if shape[-1] != 3:
            raise UsageError(f"input_shape: {shape[-1]} channels given; a gray channel is added to 3 colours")
        return (*shape[:-1], 4)


class PureReal(Layer):
    """Grayscale images (n, h, w, 1) become quaternions with imaginary part 0, for convolutions (not in the paper)."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return (n, h, w, 4); backward: the gradient of the real part."""
        y = array_module(x).zeros((*x.shape[:-1], 4), dtype=x.dtype)
        y[..., :1] = x
        return y, lambda dy, inputs=True: dy[..., :1]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h, w, 4)."""
        if shape[-1] != 1:
            raise UsageError(f"input_shape: {shape[-1]} channels given; one is needed")
        return (*shape[:-1], 4)
