"""Hamilton's quaternions (section 3 of the paper) from one 4x4 table of components and signs.

The table is the paper's matrix (4): the product y = w x, written as a matrix that multiplies x from the left,

        | r -i -j -k |            y_c = sum_b  SIGN[c, b] * w_COMPONENT[c, b] * x_b
    W = | i  r -k  j |
        | j  k  r -i |
        | k -j  i  r |

Arrays of quaternions have the components r, i, j, k on the last axis. Weights of layers have them on the first axis;
`expand` turns such a weight into the signed block matrix of the layer, `fold` is its adjoint. (The paper's equation
(3) has two wrong signs: docs/errata.md.)
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from quatnet.backend import Array, array_module

Signs: TypeAlias = tuple[tuple[int, ...], ...]
"""A 4x4 table of 1 and -1."""

R, I, J, K = range(4)  # noqa: E741

COMPONENT = (
    (R, I, J, K),
    (I, R, K, J),
    (J, K, R, I),
    (K, J, I, R),
)
SIGN = (
    (1, -1, -1, -1),
    (1, 1, -1, 1),
    (1, 1, 1, -1),
    (1, -1, 1, 1),
)


def hamilton(p: Array, q: Array) -> Array:
    """Return the Hamilton product p q; both of shape (..., 4), broadcast against each other."""
    p, q = _quaternions("p", p), _quaternions("q", q)
    xp = array_module(p)
    columns = [sum(SIGN[c][b] * p[..., COMPONENT[c][b]] * q[..., b] for b in range(4)) for c in range(4)]
    return xp.stack(columns, axis=-1)


def hamilton_backward(p: Array, q: Array, dy: Array) -> tuple[Array, Array]:
    """Return (dp, dq), the gradients of a loss through y = p q, given dy; all of shape (..., 4).

    With <a, b> the dot product of components, <dy, dp q> = <dy q*, dp> and <dy, p dq> = <p* dy, dq>. Axes along which
    `p` or `q` was broadcast are summed.
    """
    p, q, dy = _quaternions("p", p), _quaternions("q", q), _quaternions("dy", dy)
    dp = hamilton(dy, conjugate(q))
    dq = hamilton(conjugate(p), dy)
    return _sum_to(dp, p.shape), _sum_to(dq, q.shape)


def conjugate(q: Array) -> Array:
    """Return q* = r - i - j - k, shape (..., 4): the signs of the first row of the table, since (p q*)_r = <p, q>."""
    q = _quaternions("q", q)
    return q * array_module(q).asarray(SIGN[0], dtype=q.dtype)


def norm(q: Array) -> Array:
    """Return |q|, shape (...)."""
    q = _quaternions("q", q)
    return array_module(q).sqrt((q * q).sum(axis=-1))


def inverse(q: Array) -> Array:
    """Return q* / |q|^2, shape (..., 4); infinite or nan where q is zero, as division is."""
    q = _quaternions("q", q)
    return conjugate(q) / (q * q).sum(axis=-1, keepdims=True)


def expand(w: Array, signs: Signs = SIGN) -> Array:
    """Return the real weight (..., in, out) of a quaternion weight w (4, ..., in/4, out/4), for y = x @ expand(w).

    Input and output channels are component-blocked, [r | i | j | k]. Block (b, c) carries input component b to output
    component c and is SIGN[c, b] * w[COMPONENT[c, b]]: the transpose of matrix (4), because x stands on the left. Other
    `signs` share weights alike without being the product of quaternions.
    """
    *kernel, inputs, outputs = w.shape[1:]
    full = array_module(w).empty((*kernel, 4, inputs, 4, outputs), dtype=w.dtype)
    for c in range(4):
        for b in range(4):
            full[..., b, :, c, :] = w[COMPONENT[c][b]] if signs[c][b] > 0 else -w[COMPONENT[c][b]]
    return full.reshape(*kernel, 4 * inputs, 4 * outputs)


def fold(g: Array, signs: Signs = SIGN) -> Array:
    """Return the gradient (4, ..., in/4, out/4) of w, given the gradient g (..., in, out) of expand(w).

    The adjoint of `expand`, <expand(w), g> = <w, fold(g)>: each component collects its four blocks with their signs.
    """
    *kernel, inputs, outputs = g.shape
    blocks = g.reshape(*kernel, 4, inputs // 4, 4, outputs // 4)
    w = array_module(g).zeros((4, *kernel, inputs // 4, outputs // 4), dtype=g.dtype)
    for c in range(4):
        for b in range(4):
            block = blocks[..., b, :, c, :]
            component = w[COMPONENT[c][b]]
            if signs[c][b] > 0:
                component += block
            else:
                component -= block
    return w


def shuffled_signs(generator: np.random.Generator) -> Signs:
    """Return the signs of the table in a random order: a control without the algebra."""
    return tuple(map(tuple, generator.permutation(np.ravel(SIGN)).reshape(4, 4).tolist()))


def _quaternions(name: str, q: Array) -> Array:
    q = np.asarray(q) if isinstance(q, list | tuple) else q
    if q.ndim == 0 or q.shape[-1] != 4:
        raise ValueError(f"{name}: shape {q.shape} given; the last axis must hold the 4 components r, i, j, k")
    return q


def _sum_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum the axes of `gradient` along which an array of `shape` was broadcast."""
    for _ in range(gradient.ndim - len(shape)):
        gradient = gradient.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1 and gradient.shape[axis] != 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient
