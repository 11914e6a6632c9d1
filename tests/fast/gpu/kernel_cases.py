"""Inputs for every kernel, of odd shapes, what the kernel makes of them, and the formula of the core.

`CASES` maps a name to a function from a dtype to the formula, its equal with kernels, and their arrays; both return a
list of arrays.
"""

from functools import partial

import numpy as np

from quatnet import quaternion
from quatnet.backend import array_module, to_device, to_host
from quatnet.data.preprocess import PADDING, Normalizer
from quatnet.fast.gpu import kernels
from quatnet.fast.gpu.layers import KernelAppendGray, KernelMaxPool2d, KernelReLU
from quatnet.fast.gpu.optimizers import KernelOptimizer
from quatnet.fast.networks import KernelNormalizer
from quatnet.nn.layers import AppendGray, MaxPool2d, ReLU
from quatnet.nn.layers.im2col import col2im, im2col, output_length
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.parameters import Parameter, Parameters
from tests.nn.every import OPTIMIZERS, SHUFFLED

ROUNDED = ("append gray", "cross entropy")
"""Cases whose sums, exponentials or logarithms another library rounds in its own way."""


def normal(*shape, dtype):
    return np.random.default_rng(shape).normal(size=shape).astype(dtype)


def signed(formula, kernel, *arrays):
    """Compare a function of the quaternion algebra for two tables of signs."""
    return tuple(
        lambda x, f=f: [f(x, signs) for signs in (quaternion.SIGN, SHUFFLED)] for f in (formula, kernel)
    ), arrays


def expand(shape, dtype):
    both, arrays = signed(quaternion.expand, kernels.expand, normal(*shape, dtype=dtype))
    return *both, arrays


def fold(shape, dtype):
    _, *positions, inputs, outputs = shape
    both, arrays = signed(quaternion.fold, kernels.fold, normal(*positions, 4 * inputs, 4 * outputs, dtype=dtype))
    return *both, arrays


def columns_shape(shape, kernel, stride, padding):
    n, h, w, c = shape
    return n, *(output_length(*one, stride, padding) for one in zip((h, w), kernel, strict=True)), *kernel, c


def columns(shape, kernel, stride, padding, dtype):
    return (
        lambda x: [im2col(x, kernel, stride, padding)],
        lambda x: [kernels.im2col(x, columns_shape(shape, kernel, stride, padding), stride, padding)],
        [normal(*shape, dtype=dtype)],
    )


def images(shape, kernel, stride, padding, dtype):
    def with_kernel(x):
        found = array_module(x).empty(shape, x.dtype)
        kernels.col2im(x, found, stride, padding)
        return [found]

    x = normal(*columns_shape(shape, kernel, stride, padding), dtype=dtype)
    return lambda x: [col2im(x, shape, stride, padding)], with_kernel, [x]


def layers(formula, kernel, x, dy):
    """Compare the outputs, predictions and gradients of two layers."""

    def compute(layer, x, dy):
        y, backward = layer.forward(x)
        return [y, layer.predict(x), backward(dy)]

    return partial(compute, formula), partial(compute, kernel), [x, dy]


def pool(shape, size, dtype):
    n, h, w, c = shape
    x = np.random.default_rng(shape).integers(-2, 3, shape).astype(dtype)  # many maxima are equal
    x[0, 0, 0, 0] = np.nan
    dy = normal(n, h // size, w // size, c, dtype=dtype)
    return layers(MaxPool2d(size), KernelMaxPool2d(MaxPool2d(size)), x, dy)


def relu(shape, dtype):
    x = normal(*shape, dtype=dtype)
    x[..., ::3] = 0
    return layers(ReLU(), KernelReLU(ReLU()), x, normal(*shape, dtype=dtype))


def gray(dtype):
    x, dy = normal(5, 3, 7, 3, dtype=dtype), normal(5, 3, 7, 4, dtype=dtype)
    return layers(AppendGray(), KernelAppendGray(AppendGray()), x, dy)


def cross_entropy(n, classes, dtype):
    def with_kernel(logits, labels):
        losses, dlogits = kernels.cross_entropy(logits, labels)
        return [array_module(losses).asarray(losses.mean()), dlogits]

    logits, labels = 100 * normal(n, classes, dtype=dtype), np.arange(n) * 7 % classes
    return lambda *arrays: [*softmax_cross_entropy(*arrays)], with_kernel, [logits, labels]


def batch(shape, pixel, cropped, dtype):
    random = np.random.default_rng(shape)
    stored = random.integers(0, 256, shape).astype(pixel)
    n, channels = 2 * len(stored) + 1, shape[-1]
    order, moves = random.integers(0, len(stored), n), random.integers(0, 2 * PADDING + 1, (2, n))
    crops = np.concatenate([moves, random.integers(0, 2, (1, n))])
    mean, std = np.linspace(0.1, 0.5, channels), np.linspace(0.2, 0.3, channels)

    def compute(kind, stored, order, crops):
        normalizer = kind(stored.dtype, stored.shape[1:], mean, std, dtype, array_module(stored))
        return [normalizer.batch(stored, order, crops if cropped else None)]

    return partial(compute, Normalizer), partial(compute, KernelNormalizer), [stored, order, crops]


def optimizer(make, size, dtype):
    """Compare three steps, with pruned weights and moments of its own for each of the others."""

    def compute(wrap, value, mask, *gradients):
        named = {"weight": Parameter((size,), prunable=True)}
        parameters = Parameters(named, np.dtype(dtype), array_module(value))
        parameters.set_value(to_host(value))
        parameters.set_mask(to_host(mask))
        one = wrap(make(parameters))
        for gradient in gradients:
            parameters.gradient[...] = gradient
            one.step(0.02)
        return [parameters.value, *one.moments.values()]

    mask = np.random.default_rng(size).random(size) < 0.7
    return (
        partial(compute, lambda rule: rule),
        partial(compute, KernelOptimizer),
        [
            normal(size, dtype=dtype),
            mask,
            *normal(3, size, dtype=dtype),
        ],
    )


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
    **{
        f"{name}, {size} entries": partial(optimizer, OPTIMIZERS[name], size)
        for name in OPTIMIZERS
        for size in (1, 300)
    },
}


def both(case, dtype, xp):
    """Return what the formula makes of a case's arrays on the host, and the kernel of their copies on `xp`."""
    formula, kernel, arrays = CASES[case](dtype)
    return formula(*(array.copy() for array in arrays)), kernel(*(to_device(array.copy(), xp) for array in arrays))


def assert_case_equal(case, dtype, found, expected):
    for there, here in zip(found, expected, strict=True):
        here = np.asarray(here)
        assert (there.dtype, there.shape) == (here.dtype, here.shape)
        if case.startswith(ROUNDED):
            tolerance = 1e-5 if dtype == "float32" else 1e-13
            np.testing.assert_allclose(to_host(there), here, rtol=tolerance, atol=max(tolerance, 1e-7))
        else:
            np.testing.assert_array_equal(to_host(there), here)
