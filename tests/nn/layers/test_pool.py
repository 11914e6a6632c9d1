"""Max pooling against explicit windows, with sizes that do not divide and with ties; the global average."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.errors import UsageError
from quatnet.nn.layers import GlobalAveragePool, MaxPool2d
from tests.nn.gradcheck import assert_layer_gradients
from tests.strategies import SEEDS, distinct_images_nhwc, images_nhwc


@given(images_nhwc(smallest=3), st.integers(1, 3))
def test_every_output_is_the_maximum_of_its_window(x, size):
    y, _ = MaxPool2d(size).forward(x)
    assert y.shape == (len(x), x.shape[1] // size, x.shape[2] // size, x.shape[3])
    for image, i, j, c in np.ndindex(y.shape):
        assert y[image, i, j, c] == x[image, i * size : (i + 1) * size, j * size : (j + 1) * size, c].max()


@given(distinct_images_nhwc(smallest=3), st.integers(1, 3), SEEDS)
def test_gradients_equal_differences(x, size, seed):
    assert_layer_gradients(MaxPool2d(size), x, seed, step=1e-3)


def test_rows_and_columns_beyond_the_last_window_are_dropped_and_get_no_gradient():
    x = np.arange(25.0).reshape(1, 5, 5, 1)
    y, backward = MaxPool2d(2).forward(x)
    np.testing.assert_array_equal(y[0, :, :, 0], [[6, 8], [16, 18]])
    dx = backward(np.ones_like(y))[0, :, :, 0]
    np.testing.assert_array_equal(np.argwhere(dx), [[1, 1], [1, 3], [3, 1], [3, 3]])


@given(st.integers(2, 3), SEEDS)
def test_of_equal_entries_the_first_in_row_major_order_takes_the_whole_gradient(size, seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 2, (2, 2 * size, 2 * size, 3)).astype(float)
    y, backward = MaxPool2d(size).forward(x)
    dy = random.normal(size=y.shape)
    expected = np.zeros_like(x)
    for image, i, j, c in np.ndindex(y.shape):
        window = x[image, i * size : (i + 1) * size, j * size : (j + 1) * size, c]
        a, b = divmod(int(window.argmax()), size)
        expected[image, i * size + a, j * size + b, c] = dy[image, i, j, c]
    np.testing.assert_array_equal(backward(dy), expected)


def test_components_are_pooled_on_their_own():
    x = np.zeros((1, 2, 2, 4))
    for component in range(4):
        x[0, component // 2, component % 2, component] = component + 1
    np.testing.assert_array_equal(MaxPool2d(2).predict(x), [[[[1, 2, 3, 4]]]])


def test_a_nan_is_passed_on_so_that_a_diverged_run_is_noticed():
    x = np.zeros((1, 2, 2, 1))
    x[0, 1, 0, 0] = np.nan
    assert np.isnan(MaxPool2d(2).predict(x)).all()


def test_a_window_that_does_not_fit_is_an_error_that_names_both_sizes():
    with pytest.raises(UsageError, match="input_shape: 2x2 pooling does not fit a 1x8 feature map"):
        MaxPool2d(2).output_shape((1, 8, 4))


@pytest.mark.parametrize("size", [0, -2, 2.0])
def test_the_size_must_be_a_positive_integer(size):
    with pytest.raises(UsageError, match=r"size: .* a positive integer is needed"):
        MaxPool2d(size)


# the global average


@given(images_nhwc())
def test_every_output_is_the_mean_of_its_channel(x):
    y, _ = GlobalAveragePool().forward(x)
    assert y.shape == (len(x), *GlobalAveragePool().output_shape(x.shape[1:]))
    for image, channel in np.ndindex(y.shape):
        pixels = [x[image, i, j, channel] for i, j in np.ndindex(x.shape[1:3])]
        np.testing.assert_allclose(y[image, channel], sum(pixels) / len(pixels), atol=1e-12)


@given(images_nhwc(), SEEDS)
def test_gradients_of_the_global_average_equal_differences(x, seed):
    assert_layer_gradients(GlobalAveragePool(), x, seed)


def test_channels_keep_their_order_so_that_blocks_of_components_stay_blocks():
    x = np.broadcast_to(np.arange(8.0), (2, 3, 5, 8))
    np.testing.assert_array_equal(GlobalAveragePool().predict(x), [np.arange(8), np.arange(8)])


def test_no_images_give_no_images():
    y, backward = GlobalAveragePool().forward(np.zeros((0, 3, 5, 4)))
    assert y.shape == (0, 4)
    assert backward(y).shape == (0, 3, 5, 4)
