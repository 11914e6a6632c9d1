"""Batch normalisation on the CPU: piece by piece, so that the pixels stay in the caches, and on several threads.

Sums are added up in the order of the pieces, so that they do not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quatnet.fast.threads import Threads
from quatnet.fast.wrapper import Wrapper
from quatnet.nn.layers import Backward, BatchNorm, WhiteningBatchNorm
from quatnet.nn.layers.layer import check_last_axis

PIECE_BYTES = 1 << 20
"""What a thread takes at a time."""


class FastBatchNorm(Wrapper[BatchNorm]):
    """A batch normalisation of any kind, over lines of pixels, (n h, w c): NumPy is faster on few long rows."""

    def __init__(self, layer: BatchNorm, threads: Threads, piece_bytes: int = PIECE_BYTES) -> None:
        super().__init__(layer)
        self._threads, self._piece_bytes = threads, piece_bytes

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return y like x; backward: db = sum dy, dw = sum z dy, dx = w (dy - mean dy) + (2/m) dv z."""
        layer, lines = self.layer, self._lines(x)
        m, pieces = lines.size // layer.channels, self._pieces(lines)
        z, y = (np.empty(lines.shape, dtype=x.dtype) for _ in range(2))

        def centre(part: slice) -> np.ndarray:
            np.subtract(lines[part], _along(lines, mean), out=z[part])
            return self._pair(z[part], z[part])

        def finish(part: slice) -> None:
            self._times(z[part], w, out=y[part])
            y[part] += _along(lines, layer.shift.value)

        mean = self._total(lambda part: self._sums(lines[part]), pieces) / max(1, m)
        v = self._total(centre, pieces) / max(1, m)
        w, weight_backward = layer.weight(v)
        self._threads.map(finish, pieces)
        layer.update_statistics(mean, v, m)

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            dy = self._lines(dy)
            db = self._total(lambda part: self._sums(dy[part]), pieces)
            layer.shift.gradient[...] = db
            dv = weight_backward(self._total(lambda part: self._pair(z[part], dy[part]), pieces))
            if not inputs:
                return None
            dx, mean_dy, slope = np.empty(lines.shape, dtype=dy.dtype), db / max(1, m), dv * (2 / max(1, m))

            def add_both(part: slice) -> None:
                self._times(dy[part] - _along(lines, mean_dy), w.T, out=dx[part])
                dx[part] += self._times(z[part], slope)

            self._threads.map(add_both, pieces)
            return dx.reshape(x.shape)

        return y.reshape(x.shape), backward

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return y like x, normalised by the running statistics: every image on its own."""
        layer, lines = self.layer, self._lines(x)
        y = np.empty(lines.shape, dtype=x.dtype)
        w, _ = layer.weight(layer.variance.value)

        def normalise(part: slice) -> None:
            self._times(lines[part] - _along(lines, layer.mean.value), w, out=y[part])
            y[part] += _along(lines, layer.shift.value)

        self._threads.map(normalise, self._pieces(lines))
        return y.reshape(x.shape)

    def _pair(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the layer's `pair` of two arrays of lines."""
        if isinstance(self.layer, WhiteningBatchNorm):
            pairs: np.ndarray = self.layer.pair(*(c.reshape(-1, self.layer.channels) for c in (a, b)))
            return pairs
        return self._sums(a * b)

    def _times(self, lines: np.ndarray, w: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return, or write, the layer's `times` of lines."""
        if not isinstance(self.layer, WhiteningBatchNorm):
            product: np.ndarray = np.multiply(lines, _along(lines, w), out=out)
            return product
        out = np.empty(lines.shape, dtype=lines.dtype) if out is None else out
        pixels = (-1, self.layer.channels)
        np.matmul(lines.reshape(pixels), w, out=out.reshape(pixels))
        return out

    def _lines(self, x: np.ndarray) -> np.ndarray:
        """Return x as lines of pixels."""
        check_last_axis(x, self.layer.channels, type(self.layer).__name__)
        length = (x.shape[-2] if x.ndim > 2 else 1) * self.layer.channels
        return x.reshape(x.size // max(1, length), length)

    def _sums(self, lines: np.ndarray) -> np.ndarray:
        """Return the sums (c,) over all pixels: as a product, which is faster than a sum over the first axis."""
        line = np.ones(len(lines), dtype=lines.dtype) @ lines
        sums: np.ndarray = line.reshape(-1, self.layer.channels).sum(axis=0)
        return sums

    def _total(self, task: Callable[[slice], np.ndarray], pieces: list[slice]) -> np.ndarray:
        """Return the sum of task(piece), added up in the order of the pieces."""
        first, *others = self._threads.map(task, pieces)
        return sum(others, first)

    def _pieces(self, lines: np.ndarray) -> list[slice]:
        """Cut the lines into slices that fit the cache; at least one, which may be empty."""
        step = max(1, self._piece_bytes // max(1, lines[:1].nbytes))
        return [slice(start, start + step) for start in range(0, max(1, len(lines)), step)]


def _along(lines: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return a vector (c,) as often as a line (w c,) has pixels."""
    return np.tile(vector, lines.shape[1] // len(vector))
