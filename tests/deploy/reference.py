"""What the steps of a network mean, step by step in float64: slow, plain, and independent of the engine."""

import numpy as np

from quatnet.deploy import steps as s
from quatnet.nn.layers.shape import GRAY


def run(steps, x):
    """Return the outputs of `steps` for one input `x` (h, w, c), in float64."""
    x = np.asarray(x, np.float64)
    for step in steps:
        assert x.shape == step.input_shape, step
        x = one(step, x)
        assert x.shape == step.output_shape, step
    return x


def one(step, x):
    match step:
        case s.Conv():
            return affine(step, convolution(step, x))
        case s.Dense():
            return affine(step, x @ real(step))
        case s.Relu():
            return np.maximum(x, 0)
        case s.MaxPool(size=size):
            h, w, c = step.output_shape
            return x[: h * size, : w * size].reshape(h, size, w, size, c).max(axis=(1, 3))
        case s.Average():
            return x.mean(axis=(0, 1))
        case s.Flatten(blocks=blocks):
            return np.concatenate([part.ravel() for part in np.split(x, blocks, axis=-1)])
        case s.AppendGray():
            return np.concatenate([x, (x * GRAY).sum(axis=-1, keepdims=True)], axis=-1)
        case s.PureReal():
            return np.concatenate([x, np.zeros((*x.shape[:2], 3))], axis=-1)
        case s.Subsample():
            h, w, c = step.output_shape
            parts = np.split(x[:: step.stride, :: step.stride], step.blocks, axis=-1)
            zeros = np.zeros((h, w, c // step.blocks - parts[0].shape[-1]))
            return np.concatenate([piece for part in parts for piece in (part, zeros)], axis=-1)
        case s.Residual():
            return run(step.body, x) + run(step.shortcut, x)
    raise AssertionError(step)


def affine(step, y):
    return y * (1 if step.scale is None else step.scale) + step.bias


def convolution(step, x):
    h, w, _ = step.output_shape
    p, k, t = step.padding, step.kernel, step.stride
    x = np.pad(x, ((p, p), (p, p), (0, 0)))
    taps = real(step)
    y = np.zeros(step.output_shape)
    for i in range(k):
        for j in range(k):
            y += x[i : i + h * t : t, j : j + w * t : t] @ taps[i, j]
    return y


def real(step):
    """The real weight: for quaternions, by w (x) 1, w (x) i, w (x) j, w (x) k written out as Hamilton's table."""
    w = step.weight.astype(np.float64)
    if step.signs is None:
        return w
    component = [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    rows = [[step.signs[c][b] * w[component[c][b]] for c in range(4)] for b in range(4)]
    return np.concatenate([np.concatenate(row, axis=-1) for row in rows], axis=-2)
