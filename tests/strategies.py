"""Hypothesis strategies, named by the shape of what they draw.

Quaternions are drawn entry by entry. Weights and images are normal numbers of a drawn shape and seed: an example then
shrinks to a small shape, and its entries stay generic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 5)
WIDTHS = st.integers(1, 3)


def quaternions(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Quaternions (*shape, 4), components of moderate size: rounding errors then stay below 1e-12."""
    # Tiny components are left out, not because they fail, but because their squares underflow.
    component = st.one_of(st.integers(-8, 8).map(float), st.floats(-8, 8).filter(lambda c: abs(c) > 1e-3))
    return hnp.arrays(np.float64, (*shape, 4), elements=component)


def nonzero_quaternions(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return quaternions(*shape).filter(lambda q: bool((np.abs(q).max(axis=-1) > 1e-2).all()))


@st.composite
def pairs_that_broadcast(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of quaternions (..., 4) whose leading axes broadcast: equal, missing or of length 1."""
    common = draw(st.lists(st.integers(1, 3), max_size=3))

    def quaternions_of_part() -> np.ndarray:
        missing = draw(st.integers(0, len(common)))
        return draw(normals(*(draw(st.sampled_from([1, length])) for length in common[missing:]), 4))

    return quaternions_of_part(), quaternions_of_part()


@st.composite
def normals(draw: st.DrawFn, *shape: int) -> np.ndarray:
    """Standard normal numbers of a given shape."""
    return np.random.default_rng(draw(SEEDS)).normal(size=shape)


@st.composite
def distinct(draw: st.DrawFn, *shape: int) -> np.ndarray:
    """Numbers of a given shape in random order, at least 1 apart from each other and 0.5 from 0: far from any kink."""
    size = int(np.prod(shape))
    values = np.random.default_rng(draw(SEEDS)).permutation(size) - size // 2 + 0.5
    return values.reshape(shape)


@st.composite
def images_nhwc(draw: st.DrawFn, channels: int | None = None, smallest: int = 1) -> np.ndarray:
    n, h, w = draw(st.integers(1, 3)), draw(st.integers(smallest, 7)), draw(st.integers(smallest, 7))
    return draw(normals(n, h, w, channels or draw(WIDTHS)))


@st.composite
def distinct_images_nhwc(draw: st.DrawFn, smallest: int = 1) -> np.ndarray:
    n, h, w, c = draw(st.integers(1, 3)), draw(st.integers(smallest, 7)), draw(st.integers(smallest, 7)), draw(WIDTHS)
    return draw(distinct(n, h, w, c))


@st.composite
def rows_nc(draw: st.DrawFn, multiple: int = 1) -> np.ndarray:
    return draw(normals(draw(SIDES), multiple * draw(WIDTHS)))


@st.composite
def weights_4io(draw: st.DrawFn) -> np.ndarray:
    """Weights of a quaternion dense layer, (4, in/4, out/4)."""
    return draw(normals(4, draw(WIDTHS), draw(WIDTHS)))


@st.composite
def weights_4hwio(draw: st.DrawFn) -> np.ndarray:
    """Weights of a quaternion convolution, (4, kh, kw, in/4, out/4)."""
    return draw(normals(4, draw(WIDTHS), draw(WIDTHS), draw(WIDTHS), draw(WIDTHS)))


@dataclass(frozen=True)
class Convolution:
    """Sizes of a convolution whose kernel fits its images; widths in units of real or quaternion channels."""

    n: int
    h: int
    w: int
    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    seed: int


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    kernel, padding = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    fitting = st.integers(max(1, kernel - 2 * padding), 7)
    return Convolution(
        n=draw(st.integers(1, 3)),
        h=draw(fitting),
        w=draw(fitting),
        inputs=draw(WIDTHS),
        outputs=draw(WIDTHS),
        kernel=kernel,
        stride=draw(st.integers(1, 3)),
        padding=padding,
        seed=draw(SEEDS),
    )
