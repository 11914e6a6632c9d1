"""Winograd's convolution equals the im2col reference, forwards and backwards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.fast.conv import Im2col
from quatnet.fast.threads import Buffers
from quatnet.fast.winograd import F2, F4, Winograd

TILES = pytest.mark.parametrize("tile", [F2, F4], ids=["F(2,3)", "F(4,3)"])


def winograd(tile, **given):
    """Return an algorithm that transforms a few pixels, too."""
    return Winograd(tile, Buffers(), **{"fewest_pixels": 0, **given})


def images_and_weights(n, height, width, inputs, outputs, seed, dtype="float64"):
    random = np.random.default_rng(seed)
    shapes = [(n, height, width, inputs), (3, 3, inputs, outputs), (outputs,), (n, height, width, outputs)]
    x, w, b, dy = (random.normal(size=shape).astype(dtype) for shape in shapes)
    return x, w / np.sqrt(9 * inputs).astype(dtype), b, dy


def forward_and_backward(algorithm, x, w, b, dy):
    """Return y, dx, dw and db in float64."""
    y, dx = np.empty_like(dy), np.empty_like(x)
    algorithm.forward(x, w, b, y)
    dw, db = algorithm.backward(x, w, dy, dx)
    return [array.astype(np.float64) for array in (y, dx, dw, db)]


@TILES
@given(data=st.data())
def test_outputs_and_all_gradients_equal_im2col(tile, data):
    n, rows, columns, inputs, outputs = (data.draw(st.integers(1, 4)) for _ in range(5))
    case = images_and_weights(n, rows * tile.m, columns * tile.m, inputs, outputs, data.draw(st.integers(0, 99)))
    for found, expected in zip(
        forward_and_backward(winograd(tile), *case),
        forward_and_backward(Im2col(3, 1, 1), *case),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(("tile", "error"), [(F2, 2e-6), (F4, 3e-5)], ids=["F(2,3)", "F(4,3)"])
@pytest.mark.parametrize("shape", [(6, 32, 32, 64, 64), (6, 16, 16, 128, 128), (6, 8, 8, 256, 256)])
def test_float32_stays_within_the_stated_error_of_float64(tile, error, shape):
    case = images_and_weights(*shape, seed=0, dtype="float32")
    exact = forward_and_backward(Im2col(3, 1, 1), *(array.astype(np.float64) for array in case))
    for found, expected in zip(forward_and_backward(winograd(tile), *case), exact, strict=True):
        assert np.abs(found - expected).max() <= error * np.abs(expected).max()


@TILES
def test_buffers_that_held_other_images_do_not_matter(tile):
    algorithm = winograd(tile)
    first, second = images_and_weights(5, 8, 8, 3, 4, seed=1), images_and_weights(2, 8, 12, 3, 4, seed=2)
    expected = forward_and_backward(winograd(tile), *second)
    forward_and_backward(algorithm, *first)
    for found, array in zip(forward_and_backward(algorithm, *second), expected, strict=True):
        np.testing.assert_array_equal(found, array)


@TILES
def test_the_size_of_the_groups_does_not_matter(tile):
    case = images_and_weights(7, 8, 8, 3, 4, seed=3)
    expected = forward_and_backward(winograd(tile), *case)
    for found, array in zip(forward_and_backward(winograd(tile, group_bytes=1), *case), expected, strict=True):
        np.testing.assert_allclose(found, array, atol=1e-13 * np.abs(array).max())


@TILES
def test_the_gradient_of_the_images_can_be_spared(tile):
    x, w, b, dy = images_and_weights(2, 8, 8, 3, 4, seed=4)
    _, _, dw, db = forward_and_backward(winograd(tile), x, w, b, dy)
    found = winograd(tile).backward(x, w, dy, None)
    np.testing.assert_array_equal(found[0], dw)
    np.testing.assert_array_equal(found[1], db)


@TILES
def test_the_kernel_transform_is_the_published_one(tile):
    """Lavin and Gray 2016, equations (7) and the appendix: A' [(G g) * (B' d)] is the correlation, in one dimension."""
    random = np.random.default_rng(5)
    d, g = random.normal(size=tile.m + 2), random.normal(size=3)
    y = tile.output @ ((tile.kernel @ g) * (tile.input @ d))
    np.testing.assert_allclose(y, np.correlate(d, g, mode="valid"), atol=1e-13)


@pytest.mark.parametrize("fewest_pixels", [128, 129])
def test_a_few_pixels_are_convolved_without_transforms(fewest_pixels):
    case = images_and_weights(2, 8, 8, 3, 4, seed=6)
    found = forward_and_backward(winograd(F4, fewest_pixels=fewest_pixels), *case)
    pairs = zip(found, forward_and_backward(Im2col(3, 1, 1), *case), strict=True)
    assert [np.array_equal(*pair) for pair in pairs] == [fewest_pixels > 128] * 4
