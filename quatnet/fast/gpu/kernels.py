"""The CUDA kernels: a function each, which launches one.

No kernel has atomics or barriers: every entry of a result is written once, by one thread, so that results do not vary
from run to run.
"""

from __future__ import annotations

import math

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.fast.gpu.cuda import Kernel, operand, result
from quatnet.quaternion import COMPONENT, Signs

COMPONENTS = f"__constant__ int COMPONENT[16] = {{{', '.join(str(entry) for row in COMPONENT for entry in row)}}};"
"""quaternion.COMPONENT in C."""

EXPAND = Kernel(
    COMPONENTS
    + """
extern "C" __global__ void expand(long long rows, const T* w, T* real, int inputs, int outputs, int signs) {
    const long long row = ROW, size = rows / 4 * outputs;  // of a component
    if (row >= rows) return;
    const int i = row % inputs, b = row / inputs % 4;
    const T* entries = w + (row / inputs / 4 * inputs + i) * outputs;
    FOR_LANES(column, 4 * outputs) {
        const int c = column / outputs, o = column - c * outputs;
        const T entry = entries[COMPONENT[4 * c + b] * size + o];
        real[row * 4 * outputs + column] = signs >> (4 * c + b) & 1 ? entry : -entry;
    }
}
"""
)


def expand(w: Array, signs: Signs) -> Array:
    """Return `quaternion.expand(w, signs)`: block (b, c) of the real weight is signs[c, b] * w[COMPONENT[c, b]]."""
    *positions, inputs, outputs = w.shape[1:]
    real = array_module(w).empty((*positions, 4 * inputs, 4 * outputs), w.dtype)
    w = operand(w, w.dtype, w.shape)
    EXPAND.on_rows(math.prod(real.shape[:-1]), w.dtype, w, real, inputs, outputs, _bits(signs))
    return real


FOLD = Kernel(
    COMPONENTS
    + """
extern "C" __global__ void fold(long long rows, const T* g, T* w, int inputs, int outputs, int signs) {
    const long long row = ROW;
    if (row >= rows) return;
    const long long entry = row % (rows / 4), position = entry / inputs;
    const int a = row / (rows / 4), i = entry % inputs;
    FOR_LANES(o, outputs) {
        T sum = 0;
        for (int c = 0; c < 4; c++)
            for (int b = 0; b < 4; b++)
                if (COMPONENT[4 * c + b] == a) {
                    const T block = g[((position * 4 + b) * inputs + i) * 4 * outputs + c * outputs + o];
                    sum += signs >> (4 * c + b) & 1 ? block : -block;
                }
        w[row * outputs + o] = sum;
    }
}
"""
)


def fold(g: Array, signs: Signs) -> Array:
    """Return `quaternion.fold(g, signs)`: a component of w (4, ..., in/4, out/4) sums its four blocks of g by sign."""
    *positions, inputs, outputs = g.shape
    w = array_module(g).empty((4, *positions, inputs // 4, outputs // 4), g.dtype)
    g = operand(g, g.dtype, (*positions, 4 * w.shape[-2], 4 * w.shape[-1]))
    FOLD.on_rows(math.prod(w.shape[:-1]), g.dtype, g, w, inputs // 4, outputs // 4, _bits(signs))
    return w


IM2COL = Kernel("""
extern "C" __global__ void im2col(long long rows, const T* x, T* columns, int h, int w, int c, int kh, int kw,
                                  int oh, int ow, int stride, int padding) {
    const long long row = ROW;  // a pixel of the output
    if (row >= rows) return;
    const int top = row / ow % oh * stride - padding, left = row % ow * stride - padding;
    const T* image = x + row / ow / oh * h * w * c;
    T* field = columns + row * kh * kw * c;
    for (int i = top; i < top + kh; i++)
        for (int j = left; j < left + kw; j++, field += c) {
            const bool inside = 0 <= i && i < h && 0 <= j && j < w;
            const T* pixel = image + ((long long)i * w + j) * c;
            FOR_LANES(channel, c) field[channel] = inside ? pixel[channel] : 0;
        }
}
""")


def im2col(x: Array, shape: tuple[int, ...], stride: int, padding: int) -> Array:
    """Return columns of `shape` (n, oh, ow, kh, kw, c): x[n, stride i + a - padding, stride j + b - padding], or 0."""
    (n, h, w, c), (_, oh, ow, kh, kw, _) = x.shape, shape
    columns = array_module(x).empty(shape, x.dtype)
    x = operand(x, x.dtype, (n, h, w, shape[-1]))
    IM2COL.on_rows(n * oh * ow, x.dtype, x, columns, h, w, c, kh, kw, oh, ow, stride, padding)
    return columns


COL2IM = Kernel("""
extern "C" __global__ void col2im(long long rows, const T* columns, T* x, int h, int w, int c, int kh, int kw,
                                  int oh, int ow, int stride, int padding) {
    const long long row = ROW;  // a pixel of the images
    if (row >= rows) return;
    const int top = row / w % h + padding, left = row % w + padding;
    const T* fields = columns + row / w / h * oh * ow * kh * kw * c;
    FOR_LANES(channel, c) {
        T sum = 0;
        for (int a = 0; a < kh && a <= top; a++)
            for (int b = 0; b < kw && b <= left; b++) {
                const int i = (top - a) / stride, j = (left - b) / stride;
                if ((top - a) % stride == 0 && (left - b) % stride == 0 && i < oh && j < ow)
                    sum += fields[((((long long)i * ow + j) * kh + a) * kw + b) * c + channel];
            }
        x[row * c + channel] = sum;
    }
}
""")


def col2im(columns: Array, x: Array, stride: int, padding: int) -> None:
    """Write images x (n, h, w, c): every pixel sums what was read from it, kernel position by kernel position."""
    (_, oh, ow, kh, kw, _), (n, h, w, c) = columns.shape, x.shape
    columns = operand(columns, x.dtype, (n, oh, ow, kh, kw, c))
    x = result(x, x.dtype, x.shape)
    COL2IM.on_rows(n * h * w, x.dtype, columns, x, h, w, c, kh, kw, oh, ow, stride, padding)


MAX_POOL = Kernel("""
extern "C" __global__ void max_pool(long long rows, const T* x, T* y, int h, int w, int c, int size) {
    const long long row = ROW;  // a pixel of the output
    if (row >= rows) return;
    const int oh = h / size, ow = w / size;
    const T* window = x + ((row / ow / oh * h + row / ow % oh * size) * w + row % ow * size) * c;
    FOR_LANES(channel, c) {
        T top = window[channel];
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++) {
                const T entry = window[((long long)i * w + j) * c + channel];
                top = top >= entry || top != top ? top : entry;
            }
        y[row * c + channel] = top;
    }
}
""")


def max_pool(x: Array, size: int) -> Array:
    """Return y (n, h // size, w // size, c), the maximum of every window of x, or nan where there is one."""
    n, h, w, c = x.shape
    y = array_module(x).empty((n, h // size, w // size, c), x.dtype)
    MAX_POOL.on_rows(math.prod(y.shape[:-1]), x.dtype, operand(x, x.dtype, x.shape), y, h, w, c, size)
    return y


MAX_POOL_BACKWARD = Kernel("""
extern "C" __global__ void max_pool_backward(long long rows, const T* x, const T* y, const T* dy, T* dx,
                                             int h, int w, int c, int size) {
    const long long row = ROW;  // a pixel of the input, at (i, j) of its window
    if (row >= rows) return;
    const int oh = h / size, ow = w / size, i = row / w % h % size, j = row % w % size;
    const bool inside = row / w % h < oh * size && row % w < ow * size;
    const T* window = x + (row - (long long)i * w - j) * c;
    const long long output = (row / w / h * oh + row / w % h / size) * ow + row % w / size;
    FOR_LANES(channel, c) {
        bool first = inside && x[row * c + channel] == y[output * c + channel];
        for (int k = 0; first && k < i * size + j; k++)
            first = window[((long long)(k / size) * w + k % size) * c + channel] != y[output * c + channel];
        dx[row * c + channel] = first ? dy[output * c + channel] : 0;
    }
}
""")


def max_pool_backward(x: Array, y: Array, dy: Array, size: int) -> Array:
    """Return dx: dy at the first entry of a window of x that equals its maximum y, 0 at all others."""
    n, h, w, c = x.shape
    dx = array_module(x).empty(x.shape, x.dtype)
    x, y, dy = operand(x, x.dtype, x.shape), operand(y, x.dtype, y.shape), operand(dy, x.dtype, y.shape)
    MAX_POOL_BACKWARD.on_rows(n * h * w, x.dtype, x, y, dy, dx, h, w, c, size)
    return dx


RELU_BACKWARD = Kernel("""
extern "C" __global__ void relu_backward(long long size, const T* y, const T* dy, T* dx) {
    const long long k = ENTRY;
    if (k < size) dx[k] = y[k] > 0 ? dy[k] : 0;
}
""")


def relu_backward(y: Array, dy: Array) -> Array:
    """Return dx: dy where y > 0, else 0."""
    dx = array_module(y).empty(y.shape, y.dtype)
    y, dy = operand(y, y.dtype, y.shape), operand(dy, y.dtype, y.shape)
    RELU_BACKWARD.on_entries(y.size, y.dtype, y, dy, dx)
    return dx


APPEND_GRAY = Kernel("""
extern "C" __global__ void append_gray(long long pixels, const T* x, T* y, T red, T green, T blue) {
    const long long k = ENTRY;
    if (k >= pixels) return;
    const T* from = x + 3 * k;
    T* to = y + 4 * k;
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = red * from[0] + green * from[1] + blue * from[2];
}
""")


def append_gray(x: Array, gray: tuple[float, float, float]) -> Array:
    """Return x (..., 3) with the sum of its channels weighted by `gray` as a fourth one."""
    y = array_module(x).empty((*x.shape[:-1], 4), x.dtype)
    x = operand(x, x.dtype, (*x.shape[:-1], 3))
    APPEND_GRAY.on_entries(x.size // 3, x.dtype, x, y, *gray)
    return y


CROSS_ENTROPY = Kernel("""
extern "C" __global__ void cross_entropy(long long rows, const T* logits, const long long* labels,
                                         T* losses, T* dlogits, int classes) {
    const long long row = ROW;
    if (row >= rows) return;
    const T* x = logits + row * classes;
    T top = x[0], total = 0;  // every lane computes them: fewer steps than sharing the work
    for (int k = 1; k < classes; k++) top = x[k] > top ? x[k] : top;
    for (int k = 0; k < classes; k++) total += exp(x[k] - top);
    const long long label = labels[row];
    FOR_LANES(k, classes) dlogits[row * classes + k] = (exp(x[k] - top) / total - (k == label)) / rows;
    if (threadIdx.x == 0)
        losses[row] = 0 <= label && label < classes ? log(total) - (x[label] - top) : log((T)-1);
}
""")


def cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Return log(sum(exp x)) - x[label] for every row x of the logits, and the gradient of their mean.

    Where a label is out of range, the loss is nan.
    """
    xp, (n, classes), dtype = array_module(logits), logits.shape, logits.dtype
    losses, dlogits = xp.empty(n, dtype), xp.empty(logits.shape, dtype)
    labels = operand(labels.astype(np.int64, copy=False), np.dtype(np.int64), (n,))
    logits = operand(logits, dtype, logits.shape)
    CROSS_ENTROPY.on_rows(n, dtype, logits, labels, losses, dlogits, classes)
    return losses, dlogits


READ_IMAGES = Kernel("""
extern "C" __global__ void read_images(long long rows, const PIXEL* images, const long long* order,
                                       const long long* tops, const long long* lefts, const long long* flips,
                                       const T* offset, const T* factor, T* y, int h, int w, int c,
                                       int padding, int crop) {
    const long long row = ROW, k = row / h;  // a row of pixels of image k
    if (row >= rows) return;
    const int i = row % h + (crop ? tops[k] - padding : 0), left = crop ? lefts[k] - padding : 0;
    const PIXEL* image = images + order[k] * h * w * c;
    FOR_LANES(entry, w * c) {
        const int to = entry / c, j = (crop && flips[k] ? w - 1 - to : to) + left;
        const bool inside = 0 <= i && i < h && 0 <= j && j < w;
        const T pixel = inside ? (T)image[((long long)i * w + j) * c + entry - to * c] : 0;
        y[row * w * c + entry] = (pixel - offset[entry]) * factor[entry];  // all rows have the same constants
    }
}
""")


def read_images(images: Array, order: Array, crops: Array | None, padding: int, offset: Array, factor: Array) -> Array:
    """Return (crop(images[order]) - offset) * factor; crops (3, n) are rows, columns, and 1 for a mirrored image."""
    n, (h, w, c), dtype = len(order), images.shape[1:], offset.dtype
    y = array_module(images).empty((n, h, w, c), dtype)
    indices = [operand(array, np.dtype(np.int64), (n,)) for array in (order, *(crops if crops is not None else ()))]
    indices += [indices[0]] * (4 - len(indices))  # not read without crops
    constants = [operand(array, dtype, (h * w * c,)) for array in (offset, factor)]
    images = operand(images, images.dtype, images.shape)
    numbers = h, w, c, padding, int(crops is not None)
    READ_IMAGES.on_rows(n * h, dtype, images, *indices, *constants, y, *numbers, pixel=images.dtype)
    return y


ADAM = Kernel("""
extern "C" __global__ void adam(long long size, T* value, const T* gradient, const bool* mask, T* m, T* v,
                                T step_size, T beta1, T beta2, T epsilon, T decay) {
    const long long k = ENTRY;
    if (k >= size) return;
    T g = mask[k] ? gradient[k] : 0;
    if (decay != 0) g += decay * value[k];
    m[k] = beta1 * m[k] + g;
    v[k] = beta2 * v[k] + g * g;
    const T w = value[k] - m[k] / (sqrt(v[k]) + epsilon) * step_size;
    value[k] = mask[k] ? w : 0;
}
""")


def adam(
    value: Array,
    gradient: Array,
    mask: Array,
    m: Array,
    v: Array,
    *,
    step_size: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    decay: float,
) -> None:
    """Update value, m and v, all of them flat arrays, with moments kept without constant factors (optimizers.py).

    g = mask g + decay w;  m = beta1 m + g;  v = beta2 v + g^2;  w = mask (w - step_size m / (sqrt(v) + epsilon)).
    """
    dtype, shape = value.dtype, value.shape
    value, m, v = (result(array, dtype, shape) for array in (value, m, v))
    gradient, mask = operand(gradient, dtype, shape), operand(mask, np.dtype(np.bool_), shape)
    scalars = step_size, beta1, beta2, epsilon, decay
    ADAM.on_entries(value.size, dtype, value, gradient, mask, m, v, *scalars)


SGD = Kernel("""
extern "C" __global__ void sgd(long long size, T* value, const T* gradient, const bool* mask, T* u,
                               T rate, T momentum, T decay) {
    const long long k = ENTRY;
    if (k >= size) return;
    T g = mask[k] ? gradient[k] : 0;
    if (decay != 0) g += decay * value[k];
    u[k] = momentum * u[k] + g;
    const T w = value[k] - rate * u[k];
    value[k] = mask[k] ? w : 0;
}
""")


def sgd(value: Array, gradient: Array, mask: Array, u: Array, *, rate: float, momentum: float, decay: float) -> None:
    """Update value and u, all of them flat arrays (optimizers.py).

    g = mask g + decay w;  u = momentum u + g;  w = mask (w - rate u).
    """
    dtype, shape = value.dtype, value.shape
    value, u = result(value, dtype, shape), result(u, dtype, shape)
    gradient, mask = operand(gradient, dtype, shape), operand(mask, np.dtype(np.bool_), shape)
    SGD.on_entries(value.size, dtype, value, gradient, mask, u, rate, momentum, decay)


def _bits(signs: Signs) -> int:
    """Return a number whose bit 4 c + b is 1 where the sign of component b in component c is positive."""
    return sum(1 << k for k, sign in enumerate(np.ravel(signs)) if sign > 0)
