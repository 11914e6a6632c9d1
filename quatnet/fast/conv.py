"""Convolutions on the CPU: a few images at a time, so that their columns, or transforms, stay in the caches.

The columns of a whole batch would fill 3 x 3 times the feature map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from quatnet.fast.wrapper import Wrapper
from quatnet.nn.layers import Backward, Conv2d
from quatnet.nn.layers.im2col import col2im, im2col
from quatnet.nn.layers.layer import check_last_axis

COLUMN_BYTES = 4 << 20
"""Columns that are held at a time: about the size of second-level caches."""


class Convolution(Protocol):
    """A way to compute a convolution and its gradients, for w (kh, kw, in, out) and b (out,)."""

    def forward(self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, y: np.ndarray) -> None:
        """Write x * w + b into y (n, oh, ow, out); no bias is None."""

    def backward(
        self, x: np.ndarray, w: np.ndarray, dy: np.ndarray, dx: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return dw and db, and write dx unless it is None."""


class FastConv2d(Wrapper[Conv2d]):
    """A convolution, real or quaternion, by an `algorithm`."""

    def __init__(self, layer: Conv2d, algorithm: Convolution) -> None:
        super().__init__(layer)
        self.algorithm = algorithm

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return y (n, oh, ow, out) and the backward pass."""
        w = self.layer.real_weight()

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dx = np.empty_like(x) if inputs else None
            self.layer.set_gradients(*self.algorithm.backward(x, w, dy, dx))
            return dx

        return self._convolve(x, w), backward

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return y (n, oh, ow, out)."""
        return self._convolve(x, self.layer.real_weight())

    def _convolve(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        layer = self.layer
        check_last_axis(x, layer.inputs, type(layer).__name__)
        y = np.empty((x.shape[0], *layer.output_shape(x.shape[1:])), dtype=x.dtype)
        self.algorithm.forward(x, w, layer.bias.value if layer.has_bias else None, y)
        return y


class Im2col:
    """For every kernel, stride and padding: y = im2col(x) w + b, over columns of at most `column_bytes` at a time."""

    def __init__(self, kernel: int, stride: int, padding: int, column_bytes: int = COLUMN_BYTES) -> None:
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self._column_bytes = column_bytes

    def forward(self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, y: np.ndarray) -> None:
        """y = im2col(x) w + b."""
        matrix = w.reshape(-1, w.shape[-1])
        for part in self._parts(x, y):
            pixels = y[part].reshape(-1, w.shape[-1])
            np.matmul(self._columns(x[part]).reshape(-1, len(matrix)), matrix, out=pixels)
            if b is not None:
                pixels += b

    def backward(
        self, x: np.ndarray, w: np.ndarray, dy: np.ndarray, dx: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """dw = im2col(x)' dy, db = sum dy, dx = col2im(dy w')."""
        matrix = w.reshape(-1, w.shape[-1])
        dw, db = np.zeros_like(matrix), np.zeros_like(matrix[0])
        for part in self._parts(x, dy):
            columns = self._columns(x[part])
            rows = dy[part].reshape(-1, w.shape[-1])
            dw += columns.reshape(-1, len(matrix)).T @ rows
            db += rows.sum(axis=0)
            if dx is not None:
                dcolumns = (rows @ matrix.T).reshape(columns.shape)
                dx[part] = col2im(dcolumns, x[part].shape, self.stride, self.padding)
        return dw.reshape(w.shape), db

    def _columns(self, x: np.ndarray) -> np.ndarray:
        columns: np.ndarray = im2col(x, (self.kernel, self.kernel), self.stride, self.padding)
        return columns

    def _parts(self, x: np.ndarray, y: np.ndarray) -> Iterator[slice]:
        """Yield slices of images whose columns fit."""
        n, oh, ow, _ = y.shape
        image = oh * ow * self.kernel**2 * x.shape[-1] * x.dtype.itemsize
        step = max(1, self._column_bytes // image)
        return (slice(start, start + step) for start in range(0, n, step))
