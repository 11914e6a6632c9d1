"""Winograd's convolution F(m x m, 3 x 3) on the CPU: the fast equal of im2col for 3x3 kernels, stride 1, padding 1.

An output tile of m x m pixels needs (m+2)^2 products per pair of channels instead of 9 m^2 (Lavin and Gray 2016,
equation (8)). With d an input tile, g a kernel and * the entry-wise product,

    y = A' [ (G g G') * (B' d B) ] A

so that a layer is a transform of its input (B), one matrix product over the channels for each of the (m+2)^2 positions,
and a transform back (A). The backward pass is the transposed algorithm: dM = A dy A' serves both gradients,
dU = V' dM gives dw = G' dU G, and dV = dM U' gives dx = B dV B'.

Every transform below acts on a list of equally shaped slices, one per row (or column) of the tile. Images are first
split into their m x m phases (pixels t m + i, for each i), so that these slices are long runs of memory. Work goes over
a few images at a time, in buffers that are used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from quatnet.threads import Buffers

Slices: TypeAlias = Sequence[np.ndarray] | np.ndarray
Step: TypeAlias = Callable[[Slices, Slices, np.ndarray], None]
"""`step(source, target, scratch)`: target = matrix @ source, slice by slice; scratch holds two more slices."""

GROUP_BYTES = 2 << 20
"""Size of the transformed input of a group of images: more leaves the caches, less lets threads wait for each other."""


@dataclass(frozen=True)
class Tile:
    """The transforms for output tiles of m x m pixels; `kernel` is G, (m+2, 3)."""

    m: int
    input: Step
    input_transposed: Step
    output: Step
    output_transposed: Step
    kernel: np.ndarray


def _input_2(d: Slices, v: Slices, t: np.ndarray) -> None:
    """v = B' d."""
    np.subtract(d[0], d[2], out=v[0])
    np.add(d[1], d[2], out=v[1])
    np.subtract(d[2], d[1], out=v[2])
    np.subtract(d[1], d[3], out=v[3])


def _input_transposed_2(v: Slices, d: Slices, t: np.ndarray) -> None:
    """d = B v."""
    np.copyto(d[0], v[0])
    np.subtract(v[1], v[2], out=d[1])
    np.add(d[1], v[3], out=d[1])
    np.add(v[1], v[2], out=d[2])
    np.subtract(d[2], v[0], out=d[2])
    np.negative(v[3], out=d[3])


def _output_2(m: Slices, y: Slices, t: np.ndarray) -> None:
    """y = A' m."""
    np.add(m[1], m[2], out=t[0])
    np.add(t[0], m[0], out=y[0])
    np.subtract(m[1], m[2], out=t[0])
    np.subtract(t[0], m[3], out=y[1])


def _output_transposed_2(y: Slices, m: Slices, t: np.ndarray) -> None:
    """m = A y."""
    np.copyto(m[0], y[0])
    np.add(y[0], y[1], out=m[1])
    np.subtract(y[0], y[1], out=m[2])
    np.negative(y[1], out=m[3])


def _input_4(d: Slices, v: Slices, t: np.ndarray) -> None:
    """v = B' d."""
    a, b = t
    np.multiply(d[2], 4, out=a)
    np.subtract(d[4], a, out=a)  # a = d4 - 4 d2
    np.multiply(d[1], 4, out=b)
    np.subtract(d[3], b, out=b)  # b = d3 - 4 d1
    np.add(a, b, out=v[1])
    np.subtract(a, b, out=v[2])
    np.subtract(d[3], d[1], out=b)
    np.add(b, b, out=b)  # b = 2 (d3 - d1)
    np.subtract(d[4], d[2], out=a)  # a = d4 - d2
    np.add(a, b, out=v[3])
    np.subtract(a, b, out=v[4])
    np.subtract(d[0], d[2], out=b)
    np.multiply(b, 4, out=b)
    np.add(a, b, out=v[0])  # 4 d0 - 5 d2 + d4
    np.subtract(d[1], d[3], out=b)
    np.multiply(b, 4, out=b)
    np.subtract(d[5], d[3], out=a)
    np.add(a, b, out=v[5])  # 4 d1 - 5 d3 + d5


def _input_transposed_4(v: Slices, d: Slices, t: np.ndarray) -> None:
    """d = B v."""
    a, b = t
    np.add(v[1], v[2], out=a)
    np.add(v[3], v[4], out=b)
    np.add(v[0], a, out=d[4])
    np.add(d[4], b, out=d[4])  # v0 + v1 + v2 + v3 + v4
    np.multiply(v[0], 4, out=d[0])  # 4 v0
    np.multiply(a, 3, out=a)
    np.add(a, d[0], out=a)
    np.add(a, d[4], out=a)
    np.negative(a, out=d[2])  # -(5 v0 + 4 (v1 + v2) + v3 + v4)
    np.subtract(v[3], v[4], out=a)
    np.subtract(a, v[5], out=a)
    np.add(a, a, out=a)  # a = 2 (v3 - v4 - v5)
    np.subtract(v[1], v[2], out=b)
    np.add(a, b, out=d[3])
    np.multiply(v[5], 3, out=d[5])
    np.subtract(d[3], d[5], out=d[3])  # v1 - v2 + 2 (v3 - v4) - 5 v5
    np.multiply(b, 4, out=b)
    np.add(a, b, out=a)
    np.add(v[5], v[5], out=b)
    np.subtract(b, a, out=d[1])  # -4 (v1 - v2) - 2 (v3 - v4) + 4 v5
    np.copyto(d[5], v[5])


def _output_4(m: Slices, y: Slices, t: np.ndarray) -> None:
    """y = A' m."""
    a, b = t
    np.add(m[1], m[2], out=a)
    np.add(m[3], m[4], out=b)
    np.add(m[0], a, out=y[0])
    np.add(y[0], b, out=y[0])
    np.multiply(b, 4, out=b)
    np.add(a, b, out=y[2])
    np.subtract(m[1], m[2], out=a)
    np.subtract(m[3], m[4], out=b)
    np.add(b, b, out=b)
    np.add(a, b, out=y[1])
    np.multiply(b, 4, out=b)
    np.add(a, b, out=y[3])
    np.add(y[3], m[5], out=y[3])


def _output_transposed_4(y: Slices, m: Slices, t: np.ndarray) -> None:
    """m = A y."""
    a, b = t
    np.copyto(m[0], y[0])
    np.copyto(m[5], y[3])
    np.add(y[0], y[2], out=a)
    np.add(y[1], y[3], out=b)
    np.add(a, b, out=m[1])
    np.subtract(a, b, out=m[2])
    np.multiply(y[2], 4, out=a)
    np.add(y[0], a, out=a)
    np.multiply(y[3], 4, out=b)
    np.add(y[1], b, out=b)
    np.add(b, b, out=b)
    np.add(a, b, out=m[3])
    np.subtract(a, b, out=m[4])


F2 = Tile(
    2, _input_2, _input_transposed_2, _output_2, _output_transposed_2,
    np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
)  # fmt: skip
F4 = Tile(
    4, _input_4, _input_transposed_4, _output_4, _output_transposed_4,
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / [[24]],
)  # fmt: skip


class Winograd:
    """Convolution of maps whose height and width are multiples of the tile's m. Layers share the buffers."""

    def __init__(self, tile: Tile, buffers: Buffers) -> None:
        self.tile = tile
        self._buffers = buffers

    def forward(self, x: np.ndarray, w: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
        """Write x * w + b into y (n, h, w, out), for x (n, h, w, in), w (3, 3, in, out), b (out,)."""
        u = self._transformed_kernel(w)
        for part in self._parts(x, y, u):
            v = self._transform_input(x[part])
            m = self._buffers.take("m", (*v.shape[:-1], w.shape[-1]), x.dtype)
            np.matmul(_positions(v), u, out=_positions(m))
            m[1, 1] += b  # the one position that reaches every output pixel, with factor 1
            self._transform_output(m, y[part])

    def backward(
        self, x: np.ndarray, w: np.ndarray, dy: np.ndarray, dx: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return dw (3, 3, in, out) and db (out,), and write dx (n, h, w, in) unless it is None."""
        u = self._transformed_kernel(w)
        du, db = self._buffers.take("du", u.shape, u.dtype), np.zeros_like(u[0, 0])
        for part in self._parts(x, dy, u):
            tiles = self._transpose_output(dy[part])
            db += tiles[1, 1].sum(axis=(0, 1, 2))
            dm = _positions(tiles)
            v = self._transform_input(x[part])
            if part.start == 0:
                np.matmul(_positions(v).transpose(0, 2, 1), dm, out=du)
            else:
                du += np.matmul(_positions(v).transpose(0, 2, 1), dm)
            if dx is not None:
                np.matmul(dm, u.transpose(0, 2, 1), out=_positions(v))
                self._transpose_input(v, dx[part])
        return self._transposed_kernel(du, w.shape), db

    def _transformed_kernel(self, w: np.ndarray) -> np.ndarray:
        """U = G g G', as (positions, in, out)."""
        g = self.tile.kernel.astype(w.dtype)
        rows = (g @ w.reshape(3, -1)).reshape(len(g), 3, -1)
        u: np.ndarray = np.matmul(g, rows).reshape(-1, *w.shape[2:])
        return u

    def _transposed_kernel(self, du: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """dw = G' dU G, in the given shape (3, 3, in, out)."""
        g = self.tile.kernel.astype(du.dtype)
        rows = np.matmul(g.T, du.reshape(len(g), len(g), -1))
        dw: np.ndarray = (g.T @ rows.reshape(len(g), -1)).reshape(shape)
        return dw

    def _transform_input(self, x: np.ndarray) -> np.ndarray:
        """V = B' d B for every tile, as (edge, edge, n, tile rows, tile columns, in)."""
        n, h, w, c = x.shape
        m, edge = self.tile.m, self.tile.m + 2
        rows, columns = h // m, w // m
        phases = self._buffers.take("phases", (m, m, n, rows + 1, columns + 1, c), x.dtype)
        phases[0, :, :, 0] = 0
        phases[1:, :, :, -1] = 0
        phases[:, 0, :, :, 0] = 0
        phases[:, 1:, :, :, -1] = 0
        for there, here in self._pieces(phases, x):
            there[...] = here
        half = self._buffers.take("half", (edge, m, n, rows, columns + 1, c), x.dtype)
        tile_rows = [*(phases[i][:, :, :-1] for i in range(m)), *(phases[i][:, :, 1:] for i in range(2))]
        self.tile.input(tile_rows, half, self._buffers.take("scratch", (2, *half.shape[1:]), x.dtype))
        v = self._buffers.take("v", (edge, edge, n, rows, columns, c), x.dtype)
        tile_columns = [*(half[:, j, :, :, :-1] for j in range(m)), *(half[:, j, :, :, 1:] for j in range(2))]
        self.tile.input(tile_columns, v.swapaxes(0, 1), self._buffers.take("scratch", (2, edge, *v.shape[2:]), x.dtype))
        return v

    def _transpose_input(self, dv: np.ndarray, dx: np.ndarray) -> None:
        """dx = B dV B', summed where tiles overlap; dv as `_transform_input` returns it."""
        n, h, w, c = dx.shape
        m, edge = self.tile.m, self.tile.m + 2
        rows, columns = h // m, w // m
        half = self._buffers.take("half", (edge, m, n, rows, columns + 1, c), dx.dtype)
        overlap = self._buffers.take("overlap", (2, edge, *dv.shape[2:]), dx.dtype)
        scratch = self._buffers.take("scratch", overlap.shape, dx.dtype)
        half[:, :, :, :, -1] = 0
        tile_columns = [*(half[:, j, :, :, :-1] for j in range(m)), *overlap]
        self.tile.input_transposed(dv.swapaxes(0, 1), tile_columns, scratch)
        half[:, :2, :, :, 1:] += overlap.swapaxes(0, 1)
        phases = self._buffers.take("phases", (m, m, n, rows + 1, columns + 1, c), dx.dtype)
        overlap = self._buffers.take("overlap", (2, *half.shape[1:]), dx.dtype)
        scratch = self._buffers.take("scratch", overlap.shape, dx.dtype)
        phases[:, :, :, -1] = 0
        tile_rows = [*(phases[i][:, :, :-1] for i in range(m)), *overlap]
        self.tile.input_transposed(half, tile_rows, scratch)
        phases[:2, :, :, 1:] += overlap
        for there, here in self._pieces(phases, dx):
            here[...] = there

    def _transform_output(self, product: np.ndarray, y: np.ndarray) -> None:
        """y = A' M A for every tile; product as (edge, edge, n, tile rows, tile columns, out)."""
        m = self.tile.m
        half = self._buffers.take("half", (m, *product.shape[1:]), y.dtype)
        self.tile.output(product, half, self._buffers.take("scratch", (2, *product.shape[1:]), y.dtype))
        pixels = self._buffers.take("phases", (m, m, *product.shape[2:]), y.dtype)
        scratch = self._buffers.take("scratch", (2, m, *product.shape[2:]), y.dtype)
        self.tile.output(half.swapaxes(0, 1), pixels.swapaxes(0, 1), scratch)
        self._split(y)[...] = pixels

    def _transpose_output(self, dy: np.ndarray) -> np.ndarray:
        """dM = A dy A' for every tile, as (edge, edge, n, tile rows, tile columns, out)."""
        n, h, w, c = dy.shape
        m, edge = self.tile.m, self.tile.m + 2
        pixels = self._buffers.take("phases", (m, m, n, h // m, w // m, c), dy.dtype)
        pixels[...] = self._split(dy)
        half = self._buffers.take("half", (edge, *pixels.shape[1:]), dy.dtype)
        self.tile.output_transposed(pixels, half, self._buffers.take("scratch", (2, *pixels.shape[1:]), dy.dtype))
        product = self._buffers.take("m", (edge, edge, *pixels.shape[2:]), dy.dtype)
        scratch = self._buffers.take("scratch", (2, edge, *product.shape[2:]), dy.dtype)
        self.tile.output_transposed(half.swapaxes(0, 1), product.swapaxes(0, 1), scratch)
        return product

    def _split(self, x: np.ndarray) -> np.ndarray:
        """View images (n, h, w, c) as (m, m, n, tile rows, tile columns, c): their phases."""
        n, h, w, c = x.shape
        m = self.tile.m
        phases: np.ndarray = x.reshape(n, h // m, m, w // m, m, c).transpose(2, 4, 0, 1, 3, 5)
        return phases

    def _pieces(self, phases: np.ndarray, x: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the pairs of views that hold the same pixels in the phases of the padded images and in the images.

        Padding shifts pixel t m + i to t m + i + 1: the last phase of the image becomes the first, one tile further.
        """
        pixels, m = self._split(x), self.tile.m
        shifted, last = (slice(1, m), slice(0, -1)), (slice(0, 1), slice(1, None))
        for (i, t), from_i in ((shifted, slice(0, m - 1)), (last, slice(m - 1, m))):
            for (j, u), from_j in ((shifted, slice(0, m - 1)), (last, slice(m - 1, m))):
                yield phases[i, j, :, t, u], pixels[from_i, from_j]

    def _parts(self, x: np.ndarray, y: np.ndarray, u: np.ndarray) -> Iterator[slice]:
        """Yield groups of images whose transformed maps fit the cache, or are as large as the kernels they meet."""
        positions = (self.tile.m + 2) ** 2 / self.tile.m**2
        image = positions * x.shape[1] * x.shape[2] * max(x.shape[3], y.shape[3]) * x.dtype.itemsize
        step = max(1, int(max(GROUP_BYTES, u.nbytes) / image))
        return (slice(start, start + step) for start in range(0, len(x), step))


def _positions(tiles: np.ndarray) -> np.ndarray:
    """View (edge, edge, n, rows, columns, c) as (positions, tiles, c)."""
    edge, channels = tiles.shape[0], tiles.shape[-1]
    return tiles.reshape(edge * edge, -1, channels)
