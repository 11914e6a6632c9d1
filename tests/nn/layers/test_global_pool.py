"""Global average pooling against explicit means."""

import numpy as np
from hypothesis import given

from quatnet.nn.layers.global_pool import GlobalAveragePool
from tests.nn.gradcheck import assert_layer_gradients
from tests.strategies import SEEDS, images_nhwc


@given(images_nhwc())
def test_every_output_is_the_mean_of_its_channel(x):
    y, _ = GlobalAveragePool().forward(x)
    assert y.shape == (len(x), *GlobalAveragePool().output_shape(x.shape[1:]))
    for image, channel in np.ndindex(y.shape):
        pixels = [x[image, i, j, channel] for i, j in np.ndindex(x.shape[1:3])]
        np.testing.assert_allclose(y[image, channel], sum(pixels) / len(pixels), atol=1e-12)


@given(images_nhwc(), SEEDS)
def test_gradients_equal_differences(x, seed):
    assert_layer_gradients(GlobalAveragePool(), x, seed)


def test_channels_keep_their_order_so_that_blocks_of_components_stay_blocks():
    x = np.broadcast_to(np.arange(8.0), (2, 3, 5, 8))
    np.testing.assert_array_equal(GlobalAveragePool().predict(x), [np.arange(8), np.arange(8)])


def test_predict_is_the_forward_pass_and_the_dtype_stays():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    y, backward = GlobalAveragePool().forward(x)
    np.testing.assert_array_equal(GlobalAveragePool().predict(x), y)
    assert y.dtype == backward(y).dtype == np.float32


def test_no_images_give_no_images():
    y, backward = GlobalAveragePool().forward(np.zeros((0, 3, 5, 4)))
    assert y.shape == (0, 4)
    assert backward(y).shape == (0, 3, 5, 4)
