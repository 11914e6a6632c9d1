"""Winograd's convolution F(m x m, 3 x 3) on the CPU: the fast equal of im2col for 3x3 kernels, stride 1, padding 1.

An output tile of m x m pixels needs (m+2)^2 products per pair of channels instead of 9 m^2 (Lavin and Gray 2016,
equation (8)). With d an input tile of (m+2) x (m+2) pixels, g a kernel and * the entry-wise product,

    y = A' [ (G g G') * (B' d B) ] A

so that a layer is a transform of its input (B), one matrix product over the channels for each of the (m+2)^2 positions,
and a transform back (A). The backward pass is the transposed algorithm: dM = A dy A' serves both gradients,
dU = V' dM gives dw = G' dU G, and dV = dM U' gives dx = B dV B'.

The transforms are small matrix products too, first over the rows of the tiles, then over their columns. Inside, maps
are (h, w, n, c): with the images next to the channels, every row of these products is one long run of memory. Work goes
over a few images at a time, in buffers that are used again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quatnet.fast.conv import Im2col
from quatnet.fast.threads import Buffers

GROUP_BYTES = 2 << 20
"""Size of the transformed input of a group of images: more leaves the caches, less lets threads wait for each other."""

FEWEST_PIXELS = 192
"""Below this many pixels in a batch, transforming the kernel costs more than it saves; im2col convolves them."""


@dataclass(frozen=True)
class Tile:
    """The matrices for output tiles of m x m pixels: B' (m+2, m+2), A' (m, m+2), G (m+2, 3)."""

    input: np.ndarray
    output: np.ndarray
    kernel: np.ndarray

    @property
    def m(self) -> int:
        """Height and width of an output tile."""
        return len(self.output)


F2 = Tile(
    input=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    output=np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    kernel=np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
)
F4 = Tile(
    input=np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
    output=np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]),
    kernel=np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
)


class Winograd:
    """Convolution of maps whose height and width are multiples of the tile's m. Layers share the buffers.

    Batches of fewer than `fewest_pixels` pixels are left to im2col; others are done in groups of `group_bytes`.
    """

    def __init__(
        self, tile: Tile, buffers: Buffers, fewest_pixels: int = FEWEST_PIXELS, group_bytes: int = GROUP_BYTES
    ) -> None:
        self.tile = tile
        self._buffers, self._fewest_pixels, self._group_bytes = buffers, fewest_pixels, group_bytes

    def forward(self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, y: np.ndarray) -> None:
        """Write x * w + b into y (n, h, w, out), for x (n, h, w, in), w (3, 3, in, out), b (out,) or None."""
        if x[..., 0].size < self._fewest_pixels:
            Im2col(3, 1, 1).forward(x, w, b, y)
            return
        u = self._transformed_kernel(w)
        for part in self._parts(x, y, u):
            v = self._to_tiles("v", self.tile.input, self._padded(x[part]))
            m = self._buffers.take("m", (*v.shape[:-1], w.shape[-1]), x.dtype)
            np.matmul(_positions(v), u, out=_positions(m))
            if b is not None:
                m[1, 1] += b  # the one position that reaches every output pixel, with factor 1
            y[part] = self._from_tiles(self.tile.output, m).transpose(2, 0, 1, 3)

    def backward(
        self, x: np.ndarray, w: np.ndarray, dy: np.ndarray, dx: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return dw (3, 3, in, out) and db (out,), and write dx (n, h, w, in) unless it is None."""
        if x[..., 0].size < self._fewest_pixels:
            return Im2col(3, 1, 1).backward(x, w, dy, dx)
        u = self._transformed_kernel(w)
        du, db = np.zeros_like(u), np.zeros_like(u[0, 0])
        for part in self._parts(x, dy, u):
            dm = self._to_tiles("m", self.tile.output.T, self._images_inside(dy[part]))
            v = self._to_tiles("v", self.tile.input, self._padded(x[part]))
            du += np.matmul(_positions(v).transpose(0, 2, 1), _positions(dm))
            db += dm[1, 1].sum(axis=(0, 1, 2))
            if dx is not None:
                np.matmul(_positions(dm), u.transpose(0, 2, 1), out=_positions(v))
                dx[part] = self._from_tiles(self.tile.input.T, v)[1:-1, 1:-1].transpose(2, 0, 1, 3)
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

    def _padded(self, x: np.ndarray) -> np.ndarray:
        """Copy images (n, h, w, c) into maps (h + 2, w + 2, n, c) with a border of zeros."""
        n, h, w, c = x.shape
        maps = self._buffers.take("maps", (h + 2, w + 2, n, c), x.dtype)
        maps[[0, -1]] = 0
        maps[:, [0, -1]] = 0
        maps[1:-1, 1:-1] = x.transpose(1, 2, 0, 3)
        return maps

    def _images_inside(self, dy: np.ndarray) -> np.ndarray:
        """Copy images (n, h, w, c) into maps (h, w, n, c)."""
        n, h, w, c = dy.shape
        maps = self._buffers.take("maps", (h, w, n, c), dy.dtype)
        maps[...] = dy.transpose(1, 2, 0, 3)
        return maps

    def _to_tiles(self, name: str, matrix: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """Return T t T' for every tile t, as (p, p, tile rows, tile columns, n, c), for T = `matrix` (p, q).

        The tiles are q x q pixels of the maps (h, w, n, c), every m pixels: they overlap where q is larger than m.
        """
        h, w, n, c = maps.shape
        (p, q), m = matrix.shape, self.tile.m
        rows, columns = (h - q) // m + 1, (w - q) // m + 1
        matrix = matrix.astype(maps.dtype)
        half = self._buffers.take("half", (p, rows, w, n * c), maps.dtype)
        np.matmul(matrix, _windows(maps.reshape(h, -1), q, m), out=half.reshape(p, rows, -1).swapaxes(0, 1))
        tiles = self._buffers.take(name, (p, p, rows, columns, n * c), maps.dtype)
        np.matmul(matrix, _windows(half, q, m), out=tiles.transpose(0, 2, 3, 1, 4))
        return tiles.reshape(p, p, rows, columns, n, c)

    def _from_tiles(self, matrix: np.ndarray, tiles: np.ndarray) -> np.ndarray:
        """Return the maps (h, w, n, c) whose tiles are T t T', the adjoint of `_to_tiles`, for T = `matrix` (q, p).

        Tiles that overlap are summed.
        """
        p, _, rows, columns, n, c = tiles.shape
        q, m = len(matrix), self.tile.m
        h, w = rows * m + q - m, columns * m + q - m
        half = self._buffers.take("half", (p, rows, w, n * c), tiles.dtype)
        tiles = tiles.reshape(p, p, rows, columns, n * c).transpose(0, 2, 3, 1, 4)
        self._add_windows(matrix, tiles, half)
        maps = self._buffers.take("maps", (h, w, n, c), tiles.dtype)
        self._add_windows(matrix, half.reshape(p, rows, -1).swapaxes(0, 1), maps.reshape(h, -1))
        return maps

    def _add_windows(self, matrix: np.ndarray, tiles: np.ndarray, out: np.ndarray) -> None:
        """Write matrix (q, p) @ tiles (..., windows, p, run) into the windows of `out` (..., length, run)."""
        q, m, windows = len(matrix), self.tile.m, tiles.shape[-3]
        matrix = matrix.astype(tiles.dtype)
        *outer, _, run = out.shape
        own = out[..., : windows * m, :].reshape(*outer, windows, m, run)
        np.matmul(matrix[:m], tiles, out=own)
        if q > m:
            overlap = self._buffers.take("overlap", (*outer, windows, q - m, run), out.dtype)
            np.matmul(matrix[m:], tiles, out=overlap)
            own[..., 1:, : q - m, :] += overlap[..., :-1, :, :]
            out[..., windows * m :, :] = overlap[..., -1, :, :]

    def _parts(self, x: np.ndarray, y: np.ndarray, u: np.ndarray) -> Iterator[slice]:
        """Yield groups of images whose transformed maps fit the cache, or are as large as the kernels they meet."""
        positions = (self.tile.m + 2) ** 2 / self.tile.m**2
        image = positions * x.shape[1] * x.shape[2] * max(x.shape[3], y.shape[3]) * x.dtype.itemsize
        step = max(1, int(max(self._group_bytes, u.nbytes) / image))
        return (slice(start, start + step) for start in range(0, len(x), step))


def _windows(x: np.ndarray, size: int, step: int) -> np.ndarray:
    """View (..., length, run) as (..., windows, size, run): windows of `size` every `step`."""
    *outer, length, run = x.shape
    *strides, along, within = x.strides
    shape = (*outer, (length - size) // step + 1, size, run)
    return np.lib.stride_tricks.as_strided(x, shape, (*strides, step * along, along, within))


def _positions(tiles: np.ndarray) -> np.ndarray:
    """View (p, p, rows, columns, n, c) as (positions, tiles, c)."""
    return tiles.reshape(len(tiles) ** 2, -1, tiles.shape[-1])
