"""The layers that arrange: which entry goes where, as section 4 of the paper and its code have it."""

import numpy as np
import pytest
import quaternion as independent
from hypothesis import given

from quatnet.errors import UsageError
from quatnet.nn.layers import AppendGray, Flatten, PureReal, QuaternionConv2d, QuaternionDense, QuaternionFlatten
from tests.nn.gradcheck import assert_layer_gradients, with_random_values
from tests.strategies import SEEDS, images_nhwc


@pytest.fixture
def mnist_image():
    """One 28x28 image whose pixels hold their own number."""
    return np.arange(784.0).reshape(1, 28, 28, 1)


def test_mnist_pixels_196_apart_form_one_quaternion(mnist_image):
    blocks = Flatten().predict(mnist_image).reshape(4, 196)
    for p in (0, 1, 97, 195):
        np.testing.assert_array_equal(blocks[:, p], [p, p + 196, p + 392, p + 588])


def test_a_dense_layer_after_flatten_multiplies_these_quaternions_from_the_left(mnist_image):
    layer = with_random_values(QuaternionDense(784, 4), seed=6)
    pixels = mnist_image.ravel()
    total = independent.quaternion(*layer.bias.value)
    for p in range(196):
        x = independent.quaternion(pixels[p], pixels[p + 196], pixels[p + 392], pixels[p + 588])
        total += independent.quaternion(*layer.weight.value[:, p, 0]) * x
    y = layer.predict(Flatten().predict(mnist_image))
    np.testing.assert_allclose(y[0], independent.as_float_array(total), rtol=1e-12)


@given(images_nhwc(channels=8))
def test_feature_maps_stay_blocked_by_component_when_flattened(x):
    n, h, w, _ = x.shape
    blocks = QuaternionFlatten().predict(x).reshape(n, 4, h * w * 2)
    for image, component, row, column, channel in np.ndindex(n, 4, h, w, 2):
        entry = blocks[image, component, (row * w + column) * 2 + channel]
        assert entry == x[image, row, column, 2 * component + channel]


def test_a_dense_layer_after_a_convolution_multiplies_the_convolutions_quaternions():
    random = np.random.default_rng(7)
    conv = with_random_values(QuaternionConv2d(4, 8, 3, padding=1), seed=7)
    dense = with_random_values(QuaternionDense(2 * 3 * 8, 4), seed=8)
    maps = conv.predict(random.normal(size=(1, 2, 3, 4)))
    total = independent.quaternion(*dense.bias.value)
    for number, (row, column, channel) in enumerate(np.ndindex(2, 3, 2)):
        x = independent.quaternion(*maps[0, row, column, channel::2])
        total += independent.quaternion(*dense.weight.value[:, number, 0]) * x
    y = dense.predict(QuaternionFlatten().predict(maps))
    np.testing.assert_allclose(y[0], independent.as_float_array(total), rtol=1e-12)


@given(images_nhwc(channels=3))
def test_gray_is_the_papers_sum_of_the_colours_and_comes_last(x):
    y = AppendGray().predict(x)
    np.testing.assert_array_equal(y[..., :3], x)
    np.testing.assert_allclose(y[..., 3], 0.2989 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2], atol=1e-12)


@given(images_nhwc(channels=1))
def test_a_pure_real_quaternion_has_no_imaginary_part(x):
    y = PureReal().predict(x)
    np.testing.assert_array_equal(y[..., :1], x)
    assert y.shape == (*x.shape[:-1], 4)
    assert not y[..., 1:].any()


@given(images_nhwc(), SEEDS)
def test_gradients_of_flatten_equal_differences(x, seed):
    assert_layer_gradients(Flatten(), x, seed)


@given(images_nhwc(channels=8), SEEDS)
def test_gradients_of_quaternion_flatten_equal_differences(x, seed):
    assert_layer_gradients(QuaternionFlatten(), x, seed)


@given(images_nhwc(channels=3), SEEDS)
def test_gradients_of_append_gray_equal_differences(x, seed):
    assert_layer_gradients(AppendGray(), x, seed)


@given(images_nhwc(channels=1), SEEDS)
def test_gradients_of_pure_real_equal_differences(x, seed):
    assert_layer_gradients(PureReal(), x, seed)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (QuaternionFlatten(), (5, 5, 6), "channels: 6 given; .* 4 or 8"),
        (AppendGray(), (5, 5, 1), "input_shape: 1 channels given; a gray channel is added to 3 colours"),
        (PureReal(), (5, 5, 3), "input_shape: 3 channels given; one is needed"),
    ],
)
def test_channels_that_do_not_fit_are_named(layer, shape, message):
    with pytest.raises(UsageError, match=message):
        layer.output_shape(shape)
