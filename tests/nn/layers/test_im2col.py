"""The pair im2col and col2im: the one against a direct loop, the other as its adjoint."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.nn.layers.im2col import col2im, im2col, output_length
from tests.strategies import convolutions, images_nhwc


def direct_columns(x, kernel, stride, padding):
    """Read every entry of every receptive field by its definition."""
    n, h, w, c = x.shape
    kh, kw = kernel
    rows = range(0, h + 2 * padding - kh + 1, stride)
    columns = range(0, w + 2 * padding - kw + 1, stride)
    result = np.zeros((n, len(rows), len(columns), kh, kw, c))
    for image, i, j, a, b, channel in np.ndindex(result.shape):
        row, column = i * stride + a - padding, j * stride + b - padding
        if 0 <= row < h and 0 <= column < w:
            result[image, i, j, a, b, channel] = x[image, row, column, channel]
    return result


@given(images_nhwc(smallest=3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_columns_equal_those_of_a_direct_loop(x, kh, kw, stride, padding):
    expected = direct_columns(x, (kh, kw), stride, padding)
    np.testing.assert_array_equal(im2col(x, (kh, kw), stride, padding), expected)


@given(images_nhwc(smallest=3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_im2col_and_col2im_are_adjoint(x, kh, kw, stride, padding):
    columns = im2col(x, (kh, kw), stride, padding)
    g = np.random.default_rng(x.size).normal(size=columns.shape)
    np.testing.assert_allclose(np.vdot(columns, g), np.vdot(x, col2im(g, x.shape, stride, padding)), rtol=1e-9)


@given(images_nhwc(smallest=2))
def test_col2im_of_windows_side_by_side_puts_every_entry_back(x):
    h, w = x.shape[1:3]
    even = x[:, : h // 2 * 2, : w // 2 * 2]
    np.testing.assert_array_equal(col2im(im2col(even, (2, 2), 2, 0), even.shape, 2, 0), even)


@given(convolutions())
def test_the_output_length_counts_the_positions_of_the_kernel(conv):
    padded = conv.h + 2 * conv.padding
    positions = [start for start in range(0, padded, conv.stride) if start + conv.kernel <= padded]
    assert output_length(conv.h, conv.kernel, conv.stride, conv.padding) == len(positions)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_and_images_keep_the_dtype(dtype):
    columns = im2col(np.ones((1, 4, 4, 2), dtype), (3, 3), 1, 1)
    assert columns.dtype == dtype
    assert col2im(columns, (1, 4, 4, 2), 1, 1).dtype == dtype
