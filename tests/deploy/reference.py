"""What the operations of a network mean, one by one in float64: slow, plain, and independent of the engine."""

import numpy as np

from quatnet.deploy import weightless as w
from quatnet.deploy.ir import Add, Affine
from quatnet.nn.layers.shape import GRAY


def run(operations, x):
    """Return the outputs of operations for one input `x` (h, w, c), in float64."""
    x = np.asarray(x, np.float64)
    for operation in operations:
        assert x.shape == operation.input_shape, operation
        x = one(operation, x)
        assert x.shape == operation.output_shape, operation
    return x


def one(operation, x):
    match operation:
        case Affine():
            y = x @ real(operation) if operation.window is None else convolution(operation, x)
            return y * (1 if operation.scale is None else operation.scale) + operation.bias
        case Add():
            return run(operation.body, x) + run(operation.shortcut, x)
        case w.Rectify():
            return np.maximum(x, 0)
        case w.Maximum(size=size):
            h, width, c = operation.output_shape
            return x[: h * size, : width * size].reshape(h, size, width, size, c).max(axis=(1, 3))
        case w.Mean():
            return x.mean(axis=(0, 1))
        case w.Mix():
            return np.concatenate([x, (x * GRAY).sum(axis=-1, keepdims=True)], axis=-1)
        case w.Gather(stride=stride, blocks=blocks, output_shape=shape):
            parts = np.split(x[::stride, ::stride], blocks, axis=-1)
            if len(shape) == 1:
                return np.concatenate([part.ravel() for part in parts])
            zeros = np.zeros((*shape[:2], shape[2] // blocks - parts[0].shape[-1]))
            return np.concatenate([piece for part in parts for piece in (part, zeros)], axis=-1)
    raise AssertionError(operation)


def convolution(product, x):
    h, w, _ = product.output_shape
    k, t, p = product.window
    x = np.pad(x, ((p, p), (p, p), (0, 0)))
    taps = real(product)
    y = np.zeros(product.output_shape)
    for i in range(k):
        for j in range(k):
            y += x[i : i + h * t : t, j : j + w * t : t] @ taps[i, j]
    return y


def real(product):
    """The real weight: for quaternions, by w (x) 1, w (x) i, w (x) j, w (x) k written out as Hamilton's table."""
    w = product.weight.astype(np.float64)
    if product.signs is None:
        return w
    component = [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    rows = [[product.signs[c][b] * w[component[c][b]] for c in range(4)] for b in range(4)]
    return np.concatenate([np.concatenate(row, axis=-1) for row in rows], axis=-2)
