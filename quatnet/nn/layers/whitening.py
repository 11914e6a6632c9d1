"""Batch normalisation that whitens: the four components of a quaternion become uncorrelated (Gaudet and Maida 2018).

Every quaternion channel has a covariance matrix v (4, 4) of its components. With its Cholesky factor, l l' = v, the
centred quaternion z is multiplied by r = inverse of l, which makes its covariance r v r' = 1. A learned symmetric
matrix s scales the result, and a shift is added.

The matrices of all channels are arrays (channels, 4, 4). The whole is a real product of the pixels with one (c, c)
weight, which is `spread` out of the 4 x 4 blocks, as `quaternion.expand` makes the real weight of a quaternion layer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.nn.layers.batchnorm import BatchNorm
from quatnet.nn.layers.layer import Backward, check_divisible
from quatnet.nn.parameters import Parameter

UPPER = tuple((a, b) for a in range(4) for b in range(a, 4))
"""The ten entries of a symmetric 4x4 matrix: rr, ri, rj, rk, ii, ij, ik, jj, jk, kk."""


class WhiteningBatchNorm(BatchNorm):
    """Whiten every quaternion channel: y = s r (x - mean) + shift, with r the inverse Cholesky factor of v + epsilon.

    x is (..., c) with component-blocked channels, [r | i | j | k].

    Attributes
    ----------
    scale : (10, c/4) parameter, the entries `UPPER` of s; 1/2 on the diagonal at first, so that E|y|^2 = 1.
    shift : (c,) parameter, 0 at first.
    mean, variance : (c,) and (4, 4, c/4), the running mean and covariance, 0 and the unit matrix at first.

    Raises
    ------
    UsageError
        As `BatchNorm`, and if `channels` is not a multiple of 4.
    """

    def scale_and_variance(self, channels: int) -> tuple[Parameter, Parameter]:
        """Return parameters (10, c/4) and (4, 4, c/4); a UsageError if the channels do not split into quaternions."""
        check_divisible(channels=channels)
        halves = np.array([[0.5 * (a == b)] for a, b in UPPER])
        scale = Parameter((len(UPPER), channels // 4), prunable=False, initial=halves)
        return scale, Parameter((4, 4, channels // 4), prunable=False, initial=np.eye(4)[..., None])

    def pair(self, a: Array, b: Array) -> Array:
        """Return the sums (4, 4, c/4) of a_p b_q over all pixels, for each two components p and q of a channel."""
        return gather(a.T @ b)

    def times(self, pixels: Array, w: Array) -> Array:
        """Return each pixel times w (c, c)."""
        return pixels @ w

    def weight(self, v: Array) -> tuple[Array, Backward]:
        """Return w = spread((s r)'), transposed as pixels stand on the left; backward: ds = d(sr) r', dr = s d(sr).

        In both passes `.T` turns (channels, 4, 4) into (4, 4, channels), and transposes the matrices.
        """
        xp = array_module(v)
        r, factor_backward = inverse_factor(v.T + self.epsilon * xp.eye(4, dtype=v.dtype), self.epsilon)
        s = xp.stack([self.scale.value[UPPER.index((min(a, b), max(a, b)))] for a in range(4) for b in range(4)])
        s = s.T.reshape(-1, 4, 4)

        def backward(dw: Array, inputs: bool = True) -> Array:
            ds = dw.T @ r.swapaxes(1, 2)
            for entry, (a, b) in enumerate(UPPER):
                self.scale.gradient[entry] = ds[:, a, b] if a == b else ds[:, a, b] + ds[:, b, a]
            return spread(factor_backward(s @ dw.T).T)

        return spread((s @ r).T), backward


def inverse_factor(v: Array, least: float) -> tuple[Array, Callable[[Array], Array]]:
    """Return r = inverse of l, l l' = v, and the function that maps dr to dv, for symmetric v (channels, 4, 4).

    Let P(a) be the lower triangle of a matrix with half its diagonal. A small change e of v changes l by l P(r e r')
    (Murray 2016, "Differentiation of the Cholesky decomposition"), and so r by -P(r e r') r. P is its own adjoint:
    dv = -r' P(dr r') r, made symmetric as v is.
    """
    r = inverse_triangle(cholesky(v, least))
    half = array_module(v).tri(4, dtype=v.dtype) - array_module(v).eye(4, dtype=v.dtype) / 2

    def backward(dr: Array) -> Array:
        transposed = r.swapaxes(1, 2)
        dv = transposed @ (half * (dr @ transposed)) @ r
        return -(dv + dv.swapaxes(1, 2)) / 2

    return r, backward


def cholesky(v: Array, least: float) -> Array:
    """Return the lower triangular l with l l' = v, for symmetric v (channels, 4, 4) with no eigenvalue below `least`.

    The squares of l's diagonal are then no smaller than `least` either. Where components depend on each other, rounding
    can leave any small number there instead, even a negative one: it is replaced by `least`, or by what v's diagonal is
    exact to, if that is more.
    """
    xp = array_module(v)
    exact_to = 32 * float(np.finfo(v.dtype).eps)
    l = xp.zeros_like(v)  # noqa: E741
    for j in range(4):
        square = v[:, j, j] - (l[:, j, :j] ** 2).sum(axis=1)
        l[:, j, j] = xp.sqrt(xp.maximum(square, xp.maximum(exact_to * v[:, j, j], least)))
        for i in range(j + 1, 4):
            l[:, i, j] = (v[:, i, j] - (l[:, i, :j] * l[:, j, :j]).sum(axis=1)) / l[:, j, j]
    return l


def inverse_triangle(l: Array) -> Array:  # noqa: E741
    """Return r with r l = 1, for lower triangular l (channels, 4, 4), by forward substitution."""
    r = array_module(l).zeros_like(l)
    for j in range(4):
        r[:, j, j] = 1 / l[:, j, j]
        for i in range(j + 1, 4):
            r[:, i, j] = -(l[:, i, j:i] * r[:, j:i, j]).sum(axis=1) / l[:, i, i]
    return r


def spread(blocks: Array) -> Array:
    """Return the real matrix (c, c) whose blocks (4, 4) act on the components of one channel each; 0 elsewhere.

    `blocks` is (4, 4, c/4): from component, to component, channel.
    """
    channels = blocks.shape[2]
    full = blocks[..., None] * array_module(blocks).eye(channels, dtype=blocks.dtype)
    return full.transpose(0, 2, 1, 3).reshape(4 * channels, 4 * channels)


def gather(full: Array) -> Array:
    """Return the blocks (4, 4, c/4) of a matrix (c, c): the adjoint of `spread`."""
    channels = len(full) // 4
    return full.reshape(4, channels, 4, channels).diagonal(axis1=1, axis2=3)
