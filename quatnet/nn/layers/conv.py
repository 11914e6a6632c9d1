"""Convolution layers (cross-correlation, as usual in networks), by im2col, with real and with quaternion weights.

A convolution is the dense layer of dense.py applied to every receptive field: y = im2col(x) w + b. Work proceeds over
a few images at a time, so that their columns stay in the cache instead of filling 3 x 3 times the feature map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn import kernels
from quatnet.nn.layers.im2col import col2im, im2col, output_length
from quatnet.nn.layers.layer import Backward, WeightLayer, check_divisible, check_last_axis, check_positive
from quatnet.quaternion import SIGN, Signs

COLUMN_BYTES = 4 << 20
"""Columns that the CPU holds at a time: about the size of its second-level caches."""


class Convolution(Protocol):
    """A way to compute a convolution and its gradients, for w (kh, kw, in, out) and b (out,)."""

    def forward(self, x: Array, w: Array, b: Array | None, y: Array) -> None:
        """Write x * w + b into y (n, oh, ow, out); no bias is None."""

    def backward(self, x: Array, w: Array, dy: Array, dx: Array | None) -> tuple[Array, Array]:
        """Return dw and db, and write dx unless it is None."""


class Im2col:
    """The reference, for every kernel, stride and padding: y = im2col(x) w + b."""

    def __init__(self, kernel: int, stride: int, padding: int) -> None:
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Array, w: Array, b: Array | None, y: Array) -> None:
        """y = im2col(x) w + b."""
        matrix = w.reshape(-1, w.shape[-1])
        for part in self._parts(x, y):
            pixels = y[part].reshape(-1, w.shape[-1])
            array_module(x).matmul(self._columns(x[part]).reshape(-1, len(matrix)), matrix, out=pixels)
            if b is not None:
                pixels += b

    def backward(self, x: Array, w: Array, dy: Array, dx: Array | None) -> tuple[Array, Array]:
        """dw = im2col(x)' dy, db = sum dy, dx = col2im(dy w')."""
        xp = array_module(x)
        matrix = w.reshape(-1, w.shape[-1])
        dw, db = xp.zeros_like(matrix), xp.zeros_like(matrix[0])
        for part in self._parts(x, dy):
            columns = self._columns(x[part])
            rows = dy[part].reshape(-1, w.shape[-1])
            dw += columns.reshape(-1, len(matrix)).T @ rows
            db += rows.sum(axis=0)
            if dx is not None:
                dcolumns = (rows @ matrix.T).reshape(columns.shape)
                col2im(dcolumns, x[part].shape, self.stride, self.padding, out=dx[part])
        return dw.reshape(w.shape), db

    def _columns(self, x: Array) -> Array:
        return im2col(x, (self.kernel, self.kernel), self.stride, self.padding)

    def _parts(self, x: Array, y: Array) -> Iterator[slice]:
        """Yield slices of images whose columns fit the cache; on a GPU, the whole batch."""
        n, oh, ow, _ = y.shape
        image = oh * ow * self.kernel**2 * x.shape[-1] * x.dtype.itemsize
        step = max(1, COLUMN_BYTES // image) if isinstance(x, np.ndarray) else n
        return (slice(start, start + step) for start in range(0, n, step))


class Conv2d(WeightLayer):
    """y = x * w + b, for x (n, h, w, in), weight (kh, kw, in, out), bias (out,).

    The kernel is square; `padding` zeros are added on every side; `bias` says whether there is one. `algorithm` is how
    it is computed.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        check_positive(inputs=inputs, outputs=outputs, kernel=kernel, stride=stride)
        if padding < 0:
            raise UsageError(f"padding: {padding} given; 0 or more is needed")
        area = kernel * kernel
        weight = self.weight_shape(inputs, outputs, kernel)
        super().__init__(weight, outputs, fan_in=area * inputs, fan_out=area * outputs)
        self.inputs, self.outputs = inputs, outputs
        self.kernel, self.stride, self.padding, self.has_bias = kernel, stride, padding, bias
        self.algorithm: Convolution = Im2col(kernel, stride, padding)

    def weight_shape(self, inputs: int, outputs: int, kernel: int) -> tuple[int, ...]:
        """Return the shape of the weight for real widths `inputs` and `outputs`."""
        return (kernel, kernel, inputs, outputs)

    def real_weight(self) -> Array:
        """Return the real weight (kh, kw, in, out) that the images meet."""
        return self.weight.value

    def set_weight_gradient(self, gradient: Array) -> None:
        """Store the gradient (kh, kw, in, out) of the real weight as the gradient of the layer's own weight."""
        self.weight.gradient[...] = gradient

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, oh, ow, out) and the backward pass."""
        w = self.real_weight()

        def backward(dy: Array, inputs: bool = True) -> Array:
            dx = array_module(x).empty_like(x) if inputs else None
            dw, db = self.algorithm.backward(x, w, dy, dx)
            self.set_weight_gradient(dw)
            if self.has_bias:
                self.bias.gradient[...] = db
            return dx

        return self._convolve(x, w), backward

    def predict(self, x: Array) -> Array:
        """Return y (n, oh, ow, out)."""
        return self._convolve(x, self.real_weight())

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (oh, ow, out) for (h, w, in); a UsageError if the kernel does not fit."""
        h, w, _ = shape
        oh, ow = (output_length(length, self.kernel, self.stride, self.padding) for length in (h, w))
        if min(oh, ow) < 1:
            raise UsageError(f"input_shape: a {self.kernel}x{self.kernel} kernel does not fit a {h}x{w} feature map")
        return (oh, ow, self.outputs)

    def _convolve(self, x: Array, w: Array) -> Array:
        check_last_axis(x, self.inputs, type(self).__name__)
        y = array_module(x).empty((x.shape[0], *self.output_shape(x.shape[1:])), dtype=x.dtype)
        self.algorithm.forward(x, w, self.bias.value if self.has_bias else None, y)
        return y


class QuaternionConv2d(Conv2d):
    """y_o = sum_i w_io (x) x_i + b_o over quaternion channels, for x (n, h, w, in), weight (4, kh, kw, in/4, out/4).

    `inputs` and `outputs` are real widths; channels are component-blocked, [r | i | j | k]. The weight is small next
    to the feature maps: it is expanded once a step, and the gradient of the real weight folded once. `signs` are the
    product's.
    """

    quaternion = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        signs: Signs = SIGN,
    ) -> None:
        self.signs = signs
        super().__init__(inputs, outputs, kernel, stride=stride, padding=padding, bias=bias)

    def weight_shape(self, inputs: int, outputs: int, kernel: int) -> tuple[int, ...]:
        """Return (4, kh, kw, in/4, out/4); a UsageError if a width does not split into quaternions."""
        check_divisible(inputs=inputs, outputs=outputs)
        return (4, kernel, kernel, inputs // 4, outputs // 4)

    def real_weight(self) -> Array:
        """Return the expanded weight (kh, kw, in, out)."""
        return kernels.expand(self.weight.value, self.signs)

    def set_weight_gradient(self, gradient: Array) -> None:
        """Fold the gradient (kh, kw, in, out) of the expanded weight."""
        self.weight.gradient[...] = kernels.fold(gradient, self.signs)
