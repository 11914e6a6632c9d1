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

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn.layers.layer import Backward, Layer, check_divisible, check_last_axis, check_positive
from quatnet.nn.parameters import Parameter


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

    Raises
    ------
    UsageError
        If `channels` is not a positive integer, `momentum` not in (0, 1] or `epsilon` not positive.
    """

    def __init__(self, channels: int, *, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        check_positive(channels=channels)
        if not 0 < momentum <= 1:
            raise UsageError(f"momentum: {momentum!r} given; more than 0 and at most 1 is needed")
        if not 0 < epsilon < math.inf:
            raise UsageError(f"epsilon: {epsilon!r} given; a positive number is needed")
        self.channels, self.momentum, self.epsilon = channels, momentum, epsilon
        self.scale, self.variance = self.scale_and_variance(channels)
        self.shift, self.mean = (Parameter((channels,), prunable=False) for _ in range(2))

    def scale_and_variance(self, channels: int) -> tuple[Parameter, Parameter]:
        """Return the two parameters whose shapes differ from kind to kind."""
        scale, variance = (Parameter((channels,), prunable=False, initial=1.0) for _ in range(2))
        return scale, variance

    def reset(self) -> None:
        """Set scale, shift and running statistics to their initial values."""
        for parameter in (self.scale, self.shift, self.mean, self.variance):
            parameter.reset()

    def pair(self, a: Array, b: Array) -> Array:
        """Return the sum of a b over all pixels (m, c), in the shape of the variance."""
        return (a * b).sum(axis=0)

    def times(self, pixels: Array, w: Array) -> Array:
        """Return w z for each pixel z of (m, c)."""
        return pixels * w

    def weight(self, v: Array) -> tuple[Array, Backward]:
        """Return w = scale / sqrt(v + epsilon); backward: dscale = dw / sqrt(v + epsilon), dv = -w dw / 2(v + epsilon).

        The backward pass takes dw in the shape of the variance, and returns dv in the shape of w.
        """
        deviation = array_module(v).sqrt(v + self.epsilon)
        w = self.scale.value / deviation

        def backward(dw: Array, inputs: bool = True) -> Array:
            self.scale.gradient[...] = dw / deviation
            return -w * dw / (2 * deviation * deviation)

        return w, backward

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y like x; backward: db = sum dy, dw = sum z dy, dx = w (dy - mean dy) + (2/m) dv z."""
        pixels = self._pixels(x)
        m = max(1, len(pixels))
        mean = pixels.sum(axis=0) / m
        z = pixels - mean
        v = self.pair(z, z) / m
        w, weight_backward = self.weight(v)
        y = self.times(z, w) + self.shift.value
        self.update_statistics(mean, v, len(pixels))

        def backward(dy: Array, inputs: bool = True) -> Array:
            dy = self._pixels(dy)
            db = dy.sum(axis=0)
            self.shift.gradient[...] = db
            dv = weight_backward(self.pair(z, dy))
            dx = self.times(dy - db / m, w.T) + self.times(z, dv * (2 / m))
            return dx.reshape(x.shape) if inputs else None

        return y.reshape(x.shape), backward

    def predict(self, x: Array) -> Array:
        """Return y like x, normalised by the running statistics: every image on its own."""
        w, _ = self.weight(self.variance.value)
        y = self.times(self._pixels(x) - self.mean.value, w) + self.shift.value
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

    def update_statistics(self, mean: Array, v: Array, m: int) -> None:
        """Move the running statistics towards the mean and the variance of a batch of m pixels."""
        if m > 1:
            self.mean.value += self.momentum * (mean - self.mean.value)
            self.variance.value += self.momentum * (v * (m / (m - 1)) - self.variance.value)

    def _pixels(self, x: Array) -> Array:
        """Return x as (m, c)."""
        check_last_axis(x, self.channels, type(self).__name__)
        return x.reshape(math.prod(x.shape[:-1]), self.channels)


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

    def scale_and_variance(self, channels: int) -> tuple[Parameter, Parameter]:
        """Return parameters of shape (c/4,) and (c,); a UsageError if the channels do not split into quaternions."""
        check_divisible(channels=channels)
        _, variance = super().scale_and_variance(channels)
        return Parameter((channels // 4,), prunable=False, initial=1.0), variance

    def weight(self, v: Array) -> tuple[Array, Backward]:
        """Return w = scale / sqrt(mean v + epsilon) for each component; backward: dv is a quarter for each of them."""
        xp = array_module(v)
        w, mean_backward = super().weight(v.reshape(4, -1).mean(axis=0))

        def backward(dw: Array, inputs: bool = True) -> Array:
            return xp.tile(mean_backward(dw.reshape(4, -1).sum(axis=0)) / 4, 4)

        return xp.tile(w, 4), backward
