"""Batch normalisation (section 5.2 of the paper; Ioffe and Szegedy 2015), by one variance per channel or quaternion.

A feature map (n, h, w, c) has m = n h w pixels of c channels. Every kind of normalisation centres the pixels, derives a
weight w from the variances v of the batch and from a learned scale, and adds a learned shift b:

    z = x - mean x     v = mean z^2     y = w z + b

The kinds differ in w(v, scale) only. As v depends on z, and the mean of z is 0, the gradient of x has two terms:

    db = sum dy        dw = sum z dy    dx = w (dy - mean dy) + (2/m) dv z

where dv is the gradient of v through w. whitening.py has the kind whose v and w are matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn.layers.layer import Backward, Layer, check_divisible, check_last_axis, check_positive
from quatnet.nn.parameters import Parameter
from quatnet.threads import SERIAL, Threads

PIECE_BYTES = 1 << 20
"""What a thread takes at a time. Sums are added up piece by piece, so they do not depend on the threads."""


class BatchNorm(Layer):
    """Normalise every channel on its own: y = scale (x - mean) / sqrt(v + epsilon) + shift, for x (..., c).

    In a quaternion network this normalises the four components separately ("split"), as the paper does.

    `forward` normalises by the batch and moves the running statistics; `predict` normalises by these. They are
    `momentum` times the new batch plus the rest of the old, with the unbiased variance v m / (m - 1), as in PyTorch.
    Of fewer than two values per channel they keep nothing, and y is the shift.

    Attributes
    ----------
    scale, shift : (c,) parameters, 1 and 0 at first.
    mean, variance : (c,) the running statistics, 0 and 1 at first: parameters that no optimizer sees.
    threads : share the work, with the same results as a single thread.

    Raises
    ------
    UsageError
        If `channels` is not a positive integer, `momentum` not in (0, 1] or `epsilon` not positive.
    """

    def __init__(self, channels: int, *, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        check_positive(channels=channels)
        if not 0 < momentum <= 1:
            raise UsageError(f"momentum: {momentum!r} given; more than 0 and at most 1 is needed")
        if not 0 < epsilon < np.inf:
            raise UsageError(f"epsilon: {epsilon!r} given; a positive number is needed")
        self.channels, self.momentum, self.epsilon = channels, momentum, epsilon
        scale, variance = self.shapes(channels)
        self.scale, self.shift = Parameter(scale, prunable=False), Parameter((channels,), prunable=False)
        self.mean, self.variance = Parameter((channels,), prunable=False), Parameter(variance, prunable=False)
        self.threads: Threads = SERIAL
        self.reset()

    def shapes(self, channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the shapes of the scale and of the variance."""
        return (channels,), (channels,)

    def reset(self) -> None:
        """Set scale, shift and running statistics to their initial values."""
        for parameter, value in ((self.scale, 1), (self.shift, 0), (self.mean, 0), (self.variance, 1)):
            parameter.value[...] = value

    def pair(self, a: Array, b: Array) -> Array:
        """Return the sum of a b over all pixels, in the shape of the variance; a and b are lines of pixels."""
        return self._sums(a * b)

    def times(self, lines: Array, w: Array, out: Array | None = None) -> Array:
        """Return w z for each pixel z of the lines."""
        return array_module(lines).multiply(lines, _along(lines, w), out=out)

    def weight(self, v: Array) -> tuple[Array, Backward]:
        """Return w = scale / sqrt(v + epsilon); backward: dscale = dw / sqrt(v + epsilon), dv = -w dw / 2(v + epsilon).

        The backward pass takes dw in the shape of the variance, and returns dv in the shape of w.
        """
        deviation = array_module(v).sqrt(v + self.epsilon)
        w = self.scale.value / deviation

        def backward(dw: Array) -> Array:
            self.scale.gradient[...] = dw / deviation
            return -w * dw / (2 * deviation * deviation)

        return w, backward

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y like x; backward: db = sum dy, dw = sum z dy, dx = w (dy - mean dy) + (2/m) dv z."""
        xp, lines = array_module(x), self._lines(x)
        m, pieces = lines.size // self.channels, _pieces(lines)
        z, y = (xp.empty(lines.shape, dtype=x.dtype) for _ in range(2))

        def centre(part: slice) -> Array:
            xp.subtract(lines[part], _along(lines, mean), out=z[part])
            return self.pair(z[part], z[part])

        def finish(part: slice) -> None:
            self.times(z[part], w, out=y[part])
            y[part] += _along(lines, self.shift.value)

        mean = self._total(lambda part: self._sums(lines[part]), pieces) / max(1, m)
        v = self._total(centre, pieces) / max(1, m)
        w, weight_backward = self.weight(v)
        self.threads.map(finish, pieces)
        if m > 1:
            self.mean.value += self.momentum * (mean - self.mean.value)
            self.variance.value += self.momentum * (v * (m / (m - 1)) - self.variance.value)

        def backward(dy: Array, inputs: bool = True) -> Array:
            dy = self._lines(dy)
            db = self._total(lambda part: self._sums(dy[part]), pieces)
            self.shift.gradient[...] = db
            dv = weight_backward(self._total(lambda part: self.pair(z[part], dy[part]), pieces))
            if not inputs:
                return None
            dx, mean_dy, slope = xp.empty(lines.shape, dtype=dy.dtype), db / max(1, m), dv * (2 / max(1, m))

            def add_both(part: slice) -> None:
                self.times(dy[part] - _along(lines, mean_dy), w.T, out=dx[part])
                dx[part] += self.times(z[part], slope)

            self.threads.map(add_both, pieces)
            return dx.reshape(x.shape)

        return y.reshape(x.shape), backward

    def predict(self, x: Array) -> Array:
        """Return y like x, normalised by the running statistics: every image on its own."""
        lines = self._lines(x)
        y = array_module(x).empty(lines.shape, dtype=x.dtype)
        w, _ = self.weight(self.variance.value)

        def normalise(part: slice) -> None:
            self.times(lines[part] - _along(lines, self.mean.value), w, out=y[part])
            y[part] += _along(lines, self.shift.value)

        self.threads.map(normalise, _pieces(lines))
        return y.reshape(x.shape)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape itself."""
        return shape

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The scale, then the shift; neither is ever pruned."""
        return {"scale": self.scale, "shift": self.shift}

    @property
    def state(self) -> dict[str, Parameter]:
        """The running statistics: part of the network in every file, but not trained."""
        return {"mean": self.mean, "variance": self.variance}

    def replica(self) -> NoReturn:
        """Raise a TypeError: a replica for another thread would normalise by its share of the batch."""
        raise TypeError(
            f"{type(self).__name__} normalises by the whole batch, so Parallel cannot hold it:"
            " put the convolutions around it there, and set its `threads`"
        )

    def _lines(self, x: Array) -> Array:
        """Return x as lines of pixels, (n h, w c) for maps: NumPy is faster on few long rows than on many short."""
        check_last_axis(x, self.channels, type(self).__name__)
        pixels = x.shape[-2] if x.ndim > 2 else 1
        return x.reshape(math.prod(x.shape[:-1]) // max(1, pixels), pixels * self.channels)

    def _sums(self, lines: Array) -> Array:
        """Return the sums (c,) over all pixels: as a product, which is faster than a sum over the first axis."""
        line = array_module(lines).ones(len(lines), dtype=lines.dtype) @ lines
        return line.reshape(-1, self.channels).sum(axis=0)

    def _total(self, task: Callable[[slice], Array], pieces: list[slice]) -> Array:
        """Return the sum of task(piece), added up in the order of the pieces."""
        return sum(self.threads.map(task, pieces))


class ScalarBatchNorm(BatchNorm):
    """Normalise every quaternion channel by one variance, the mean of those of its four components.

    y = scale (x - mean) / sqrt(v + epsilon) + shift with v = mean |x - mean|^2 / 4, which turning all quaternions of a
    channel does not change: the directions of the components stay as they are. Scale (c/4,), shift (c,); x (..., c) is
    component-blocked, [r | i | j | k]. The running variances are those of the components, (c,).

    Raises
    ------
    UsageError
        As `BatchNorm`, and if `channels` is not a multiple of 4.
    """

    def shapes(self, channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return (c/4,) and (c,); a UsageError if the channels do not split into quaternions."""
        check_divisible(channels=channels)
        return (channels // 4,), (channels,)

    def weight(self, v: Array) -> tuple[Array, Backward]:
        """Return w = scale / sqrt(mean v + epsilon) for each component; backward: dv is a quarter for each of them."""
        xp = array_module(v)
        w, mean_backward = super().weight(v.reshape(4, -1).mean(axis=0))

        def backward(dw: Array) -> Array:
            return xp.tile(mean_backward(dw.reshape(4, -1).sum(axis=0)) / 4, 4)

        return xp.tile(w, 4), backward


def _pieces(lines: Array) -> list[slice]:
    """Cut the lines into slices that fit the cache; on a GPU, one slice. At least one, which may be empty."""
    length = max(1, len(lines))
    step = max(1, PIECE_BYTES // max(1, lines[:1].nbytes)) if isinstance(lines, np.ndarray) else length
    return [slice(start, start + step) for start in range(0, length, step)]


def _along(lines: Array, vector: Array) -> Array:
    """Return a vector (c,) as often as a line (w c,) has pixels."""
    return array_module(vector).tile(vector, lines.shape[1] // len(vector))
