"""The symmetric pair im2col and col2im: convolution as a matrix product, on both array libraries.

Row (n, i, j) of the columns holds the receptive field of output pixel (i, j) of image n, in the order (row of the
kernel, column of the kernel, channel). A row of a field lies in one piece in memory: the columns are one strided copy.
`col2im` is the adjoint: it adds every entry back to where it was read.
"""

from __future__ import annotations

from quatnet.backend import Array, array_module


def output_length(length: int, kernel: int, stride: int, padding: int) -> int:
    """Return the number of positions of a kernel along an axis; not positive when it does not fit."""
    return (length + 2 * padding - kernel) // stride + 1


def im2col(x: Array, kernel: tuple[int, int], stride: int, padding: int) -> Array:
    """Return the columns (n, oh, ow, kh, kw, c) of images x (n, h, w, c), zero-padded on all sides."""
    n, h, w, c = x.shape
    kh, kw = kernel
    oh, ow = output_length(h, kh, stride, padding), output_length(w, kw, stride, padding)
    padded = _pad(x, padding)
    image, row, column, channel = padded.strides
    xp = array_module(x)
    fields = xp.lib.stride_tricks.as_strided(
        padded, (n, oh, ow, kh, kw * c), (image, stride * row, stride * column, row, channel)
    )
    return xp.ascontiguousarray(fields).reshape(n, oh, ow, kh, kw, c)


def col2im(columns: Array, shape: tuple[int, int, int, int], stride: int, padding: int) -> Array:
    """Return the sum (n, h, w, c) = `shape` of columns (n, oh, ow, kh, kw, c) over the positions they came from."""
    n, h, w, c = shape
    _, oh, ow, kh, kw, _ = columns.shape
    padded = array_module(columns).zeros((n, h + 2 * padding, w + 2 * padding, c), dtype=columns.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[:, i : i + oh * stride : stride, j : j + ow * stride : stride] += columns[:, :, :, i, j]
    return padded[:, padding : padding + h, padding : padding + w]


def _pad(x: Array, padding: int) -> Array:
    if padding == 0:
        return array_module(x).ascontiguousarray(x)
    n, h, w, c = x.shape
    padded = array_module(x).zeros((n, h + 2 * padding, w + 2 * padding, c), dtype=x.dtype)
    padded[:, padding : padding + h, padding : padding + w] = x
    return padded
