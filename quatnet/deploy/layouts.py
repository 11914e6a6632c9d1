"""How the weight of a layer is stored for inference on the CPU, and the product that goes with it.

| layout | stored | product |
|---|---|---|
| dense | the real weight, expanded if it is one of quaternions | BLAS; of a convolution, over its columns (im2col) |
| packed | in a dense layer, the rows that have a weight left | BLAS, on those inputs alone |
| csr | the weights left of the real weight, as a CSR matrix | scipy.sparse |
| stacked | the four components of a quaternion dense layer side by side | BLAS, then the signs (fast/stacked.py) |
| winograd | the real weight of a 3 x 3 convolution, transformed too | Winograd's (fast/winograd.py) |

Biases are added where the product ends. Products share nothing that they write to, and may run in several threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import sparse

from quatnet.deploy.ir import Affine, Window
from quatnet.fast.conv import COLUMN_BYTES, Convolution, Im2col
from quatnet.fast.stacked import table
from quatnet.fast.threads import Buffers
from quatnet.fast.winograd import F2, F4, Tile, Winograd
from quatnet.quaternion import Signs

try:  # not public, but without the 2 us of checks in `matrix @ x`
    from scipy.sparse._sparsetools import csr_matvec
except ImportError:  # pragma: no cover
    csr_matvec = None

APART = 16
"""Numbers between the rows of columns: rows a power of two apart would meet in the same few lines of the cache."""

Function: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Layout:
    """A product in one layout: `one` maps an input, in one piece of memory, to an output, `many` a batch to a batch.

    `constants` are the arrays that it keeps, `work` the multiply-adds that BLAS does for an image.
    """

    name: str
    one: Function
    many: Function
    constants: tuple[np.ndarray, ...]
    work: int


def layouts_of(product: Affine) -> list[Layout]:
    """Return a product in all layouts that it can have, dense first; packed only if there is something to leave out."""
    w, b = product.scaled_weight(), product.bias
    if product.window is not None:
        return _convolutions(product, product.window, w)
    found = [dense(w, b), csr(w, b)]
    if not w.any(axis=1).all():
        found.append(packed(w, b))
    if product.signs is not None:
        found.append(stacked(product.weight, b, product.signs))
    return found


def of_one(many: Function) -> Function:
    """Return a function of one image that does what a function of a batch does."""
    return lambda x: many(x[None])[0]


def dense(w: np.ndarray, b: np.ndarray) -> Layout:
    """Return x w + b for w (in, out)."""
    transposed = np.ascontiguousarray(w.T)

    def one(x: np.ndarray) -> np.ndarray:
        y: np.ndarray = transposed.dot(x)  # half the overhead of `@`
        y += b
        return y

    def many(x: np.ndarray) -> np.ndarray:
        y: np.ndarray = (transposed @ x.T).T  # in OpenBLAS faster than x @ transposed.T
        y += b
        return y

    return Layout("dense", one, many, (transposed, b), w.size)


def packed(w: np.ndarray, b: np.ndarray) -> Layout:
    """Return x w + b, from the inputs whose row of w is not empty."""
    rows = np.flatnonzero(w.any(axis=1))
    inner = dense(w[rows], b)
    return Layout(
        "packed",
        lambda x: inner.one(x.take(rows)),
        lambda x: inner.many(x.take(rows, axis=1)),
        (*inner.constants, rows),
        inner.work,
    )


def csr(w: np.ndarray, b: np.ndarray) -> Layout:
    """Return x w + b, from the entries of w that are not 0."""
    matrix = _transposed_csr(w)
    outputs, inputs = matrix.shape
    starts, columns, values = matrix.indptr, matrix.indices, matrix.data

    def one(x: np.ndarray) -> np.ndarray:
        y: np.ndarray = b.copy()
        if csr_matvec is None:
            y += matrix @ x
        else:
            csr_matvec(outputs, inputs, starts, columns, values, x, y)  # y += w' x
        return y

    def many(x: np.ndarray) -> np.ndarray:
        y: np.ndarray = (matrix @ x.T).T
        y += b
        return y

    return Layout("csr", one, many, (starts, columns, values, b), 0)


def _transposed_csr(w: np.ndarray) -> sparse.csr_array:
    """Return w' (out, in), of a convolution (out, kh kw in), with the entries that are not 0."""
    return sparse.csr_array(w.reshape(-1, w.shape[-1]).T)


def stacked(w: np.ndarray, b: np.ndarray, signs: Signs) -> Layout:
    """Return x (x) w + b for a quaternion weight (4, in/4, out/4): a quarter of the memory to read for an image."""
    _, inputs, outputs = w.shape
    stack = np.ascontiguousarray(w.transpose(1, 0, 2)).reshape(inputs, 4 * outputs)
    signed_sum = table(signs)

    def one(x: np.ndarray) -> np.ndarray:
        p = x.reshape(4, inputs).dot(stack)
        y: np.ndarray = signed_sum.dot(p.reshape(16, outputs)).reshape(4 * outputs)
        y += b
        return y

    def many(x: np.ndarray) -> np.ndarray:
        p = x.reshape(4 * len(x), inputs) @ stack
        y: np.ndarray = np.matmul(signed_sum, p.reshape(len(x), 16, outputs)).reshape(len(x), 4 * outputs)
        y += b
        return y

    return Layout("stacked", one, many, (stack, b, signed_sum), 16 * inputs * outputs)


def _convolutions(product: Affine, window: Window, w: np.ndarray) -> list[Layout]:
    h, width, _ = product.input_shape
    found = [_convolution("dense", product, Im2col(*window), w), _sparse_convolution(product, window, w)]
    if window == (3, 1, 1) and h % 2 == width % 2 == 0:
        tile = F4 if h % 4 == width % 4 == 0 else F2
        found.append(_convolution("winograd", product, _Transformed(tile, w), w))
    return found


def _convolution(name: str, product: Affine, algorithm: Convolution, w: np.ndarray) -> Layout:
    def many(x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), *product.output_shape), np.float32)
        algorithm.forward(x, w, product.bias, y)
        return y

    transformed = (algorithm.u,) if isinstance(algorithm, _Transformed) else ()
    work = product.output_shape[0] * product.output_shape[1] * w.size
    return Layout(name, of_one(many), many, (w, *transformed, product.bias), work)


class _Transformed(Winograd):
    """`Winograd` for one weight, which is transformed once."""

    def __init__(self, tile: Tile, w: np.ndarray) -> None:
        super().__init__(tile, Buffers())
        self.u = super()._transformed_kernel(w)

    def _transformed_kernel(self, w: np.ndarray) -> np.ndarray:
        return self.u


def _sparse_convolution(product: Affine, window: Window, w: np.ndarray) -> Layout:
    """Return the convolution as w' times its columns, which are (kh kw in, pixels): w' adds up long rows."""
    kernel, stride, padding = window
    oh, ow, outputs = product.output_shape
    matrix = _transposed_csr(w)
    group = max(1, COLUMN_BYTES // (4 * oh * ow * matrix.shape[1]))

    def columns(x: np.ndarray) -> np.ndarray:
        n, h, width, c = x.shape
        maps = np.zeros((c, n, h + 2 * padding, width + 2 * padding), np.float32)
        maps[:, :, padding : padding + h, padding : padding + width] = x.transpose(3, 0, 1, 2)
        rows = np.zeros((kernel, kernel, c, n * oh * ow + APART), np.float32)
        taps = rows[..., :-APART].reshape(kernel, kernel, c, n, oh, ow)
        for i in range(kernel):
            for j in range(kernel):
                taps[i, j] = maps[:, :, i : i + oh * stride : stride, j : j + ow * stride : stride]
        return rows.reshape(kernel * kernel * c, -1)

    def many(x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), oh, ow, outputs), np.float32)
        for start in range(0, len(x), group):
            part = slice(start, start + group)
            y[part] = (matrix @ columns(x[part]))[:, :-APART].T.reshape(-1, oh, ow, outputs)
        y += product.bias
        return y

    return Layout("csr", of_one(many), many, (matrix.indptr, matrix.indices, matrix.data, product.bias), 0)
