"""Inputs for every kernel, of odd shapes, and the operation that uses it: on host arrays that is the NumPy formula.

`CASES` maps a name to a function from a dtype to the operation and its arrays; the operation returns a list of arrays.
"""

from functools import partial

import numpy as np

from quatnet.backend import array_module
from quatnet.data.preprocess import PADDING, Normalizer
from quatnet.nn import cuda, kernels
from quatnet.nn.layers import AppendGray, MaxPool2d, ReLU
from quatnet.nn.layers.im2col import col2im, im2col, output_length
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.quaternion import shuffled_signs

SHUFFLED = shuffled_signs(np.random.default_rng(0))
ROUNDED = ("append gray", "cross entropy")
"""Cases whose sums, exponentials or logarithms another library rounds in its own way."""


def normal(*shape, dtype):
    return np.random.default_rng(shape).normal(size=shape).astype(dtype)


def expand(shape, dtype):
    return lambda w: [kernels.expand(w), kernels.expand(w, SHUFFLED)], [normal(*shape, dtype=dtype)]


def fold(shape, dtype):
    _, *positions, inputs, outputs = shape
    g = normal(*positions, 4 * inputs, 4 * outputs, dtype=dtype)
    return lambda g: [kernels.fold(g), kernels.fold(g, SHUFFLED)], [g]


def columns(shape, kernel, stride, padding, dtype):
    return lambda x: [im2col(x, kernel, stride, padding)], [normal(*shape, dtype=dtype)]


def images(shape, kernel, stride, padding, dtype):
    n, h, w, c = shape
    oh, ow = (output_length(*lengths, stride, padding) for lengths in zip((h, w), kernel, strict=True))

    def compute(x, out):
        col2im(x, shape, stride, padding, out=out)
        return [col2im(x, shape, stride, padding), out]

    return compute, [normal(n, oh, ow, *kernel, c, dtype=dtype), normal(*shape, dtype=dtype)]


def pool(shape, size, dtype):
    def compute(x, dy):
        y, backward = MaxPool2d(size).forward(x)
        return [y, backward(dy)]

    n, h, w, c = shape
    x = np.random.default_rng(shape).integers(-2, 3, shape).astype(dtype)  # many maxima are equal
    x[0, 0, 0, 0] = np.nan
    return compute, [x, normal(n, h // size, w // size, c, dtype=dtype)]


def relu(shape, dtype):
    def compute(x, dy):
        y, backward = ReLU().forward(x)
        return [y, backward(dy)]

    x = normal(*shape, dtype=dtype)
    x[..., ::3] = 0
    return compute, [x, normal(*shape, dtype=dtype)]


def gray(dtype):
    return lambda x: [AppendGray().predict(x)], [normal(5, 3, 7, 3, dtype=dtype)]


def cross_entropy(n, classes, dtype):
    labels = np.arange(n) * 7 % classes
    return lambda *arrays: [*softmax_cross_entropy(*arrays)], [100 * normal(n, classes, dtype=dtype), labels]


def batch(shape, pixel, cropped, dtype):
    random = np.random.default_rng(shape)
    stored = random.integers(0, 256, shape).astype(pixel)
    n, channels = 2 * len(stored) + 1, shape[-1]
    order, moves = random.integers(0, len(stored), n), random.integers(0, 2 * PADDING + 1, (2, n))
    crops = np.concatenate([moves, random.integers(0, 2, (1, n))])
    mean, std = np.linspace(0.1, 0.5, channels), np.linspace(0.2, 0.3, channels)

    def compute(stored, order, crops):
        normalizer = Normalizer(stored.dtype, stored.shape[1:], mean, std, dtype, array_module(stored))
        return [normalizer.batch(stored, order, crops if cropped else None)]

    return compute, [stored, order, crops]


def adam(size, decay, dtype):
    def compute(w, g, mask, m, v):
        xp, numbers = array_module(w), {"step_size": 0.02, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3, "decay": decay}
        if cuda.usable(w):
            kernels.adam(w, g, mask, m, v, **numbers)
            return [w, m, v]
        g = g * mask
        if decay:
            g = g + decay * w
        m[...] = 0.9 * m + g
        v[...] = 0.99 * v + g * g
        w[...] = (w - m / (xp.sqrt(v) + 1e-3) * 0.02) * mask
        return [w, m, v]

    return compute, [*flat_arrays(size, dtype), abs(normal(size, dtype=dtype))]


def sgd(size, decay, dtype):
    def compute(w, g, mask, u):
        if cuda.usable(w):
            kernels.sgd(w, g, mask, u, rate=0.02, momentum=0.9, decay=decay)
            return [w, u]
        g = g * mask
        if decay:
            g = g + decay * w
        u[...] = 0.9 * u + g
        w[...] = (w - 0.02 * u) * mask
        return [w, u]

    return compute, flat_arrays(size, dtype)


def flat_arrays(size, dtype):
    """Values, gradients, a mask, and a moment; pruned weights are 0."""
    mask = np.random.default_rng(size).random(size) < 0.7
    value, gradient, moment = normal(3, size, dtype=dtype)
    return [value * mask, gradient, mask, moment]


CONVOLUTIONS = {
    "3x3": ((2, 5, 7, 3), (3, 3), 1, 1),
    "3x2 with stride 2": ((3, 8, 5, 33), (3, 2), 2, 0),
    "2x3 with stride 3 and much padding": ((1, 4, 6, 1), (2, 3), 3, 2),
    "1x1": ((2, 3, 3, 4), (1, 1), 1, 0),
}
CASES = {
    **{f"expand {shape}": partial(expand, shape) for shape in ((4, 1, 1), (4, 3, 11), (4, 3, 2, 5, 3))},
    **{f"fold {shape}": partial(fold, shape) for shape in ((4, 1, 1), (4, 3, 35), (4, 3, 2, 5, 3))},
    **{f"im2col {name}": partial(columns, *conv) for name, conv in CONVOLUTIONS.items()},
    **{f"col2im {name}": partial(images, *conv) for name, conv in CONVOLUTIONS.items()},
    "pool": partial(pool, (2, 6, 4, 3), 2),
    "pool with rows and columns left over": partial(pool, (3, 7, 5, 33), 2),
    "pool of 3x3": partial(pool, (1, 10, 9, 2), 3),
    "relu": partial(relu, (3, 5, 19)),
    "append gray": gray,
    "cross entropy": partial(cross_entropy, 7, 10),
    "cross entropy of many classes": partial(cross_entropy, 3, 101),
    "batch of bytes": partial(batch, (5, 4, 6, 3), "uint8", False),
    "batch of floats": partial(batch, (4, 3, 3, 1), "float32", False),
    "batch of doubles": partial(batch, (4, 3, 3, 1), "float64", True),
    "batch of crops": partial(batch, (6, 7, 5, 3), "uint8", True),
    "batch of crops of floats": partial(batch, (6, 7, 5, 1), "float32", True),
    **{f"adam, {size} entries, decay {decay}": partial(adam, size, decay) for size in (1, 300) for decay in (0.0, 0.1)},
    **{f"sgd, {size} entries, decay {decay}": partial(sgd, size, decay) for size in (1, 300) for decay in (0.0, 0.1)},
}
