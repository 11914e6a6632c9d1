"""The convolutions against scipy.signal, explicit products over pixels and differences."""

import numpy as np
import pytest
import quaternion as independent
from hypothesis import given
from scipy.signal import correlate

from quatnet.errors import UsageError
from quatnet.nn.layers import Conv2d, QuaternionConv2d
from tests.nn.gradcheck import assert_layer_gradients, with_random_values
from tests.strategies import convolutions


def real_case(c):
    layer = Conv2d(c.inputs, c.outputs, c.kernel, stride=c.stride, padding=c.padding)
    x = np.random.default_rng(c.seed).normal(size=(c.n, c.h, c.w, c.inputs))
    return with_random_values(layer, c.seed), x


def quaternion_case(c):
    layer = QuaternionConv2d(4 * c.inputs, 4 * c.outputs, c.kernel, stride=c.stride, padding=c.padding)
    x = np.random.default_rng(c.seed).normal(size=(c.n, c.h, c.w, 4 * c.inputs))
    return with_random_values(layer, c.seed), x


def pad(x, padding):
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))


@given(convolutions())
def test_a_real_convolution_is_scipys_correlation_summed_over_channels(c):
    layer, x = real_case(c)
    y, _ = layer.forward(x)
    padded = pad(x, c.padding)
    for image in range(c.n):
        for o in range(c.outputs):
            expected = layer.bias.value[o] + sum(
                correlate(padded[image, :, :, i], layer.weight.value[:, :, i, o], "valid", "direct")
                for i in range(c.inputs)
            )
            np.testing.assert_allclose(y[image, :, :, o], expected[:: c.stride, :: c.stride], atol=1e-12)


@given(convolutions())
def test_a_quaternion_convolution_sums_products_weight_times_pixel(c):
    layer, x = quaternion_case(c)
    y, _ = layer.forward(x)
    pixels = independent.as_quat_array(np.moveaxis(pad(x, c.padding).reshape(c.n, *padded_size(c), 4, -1), 3, 4))
    weight = independent.as_quat_array(np.moveaxis(layer.weight.value, 0, -1))
    outputs = np.moveaxis(y.reshape(*y.shape[:3], 4, c.outputs), 3, 4)
    for image, i, j, o in np.ndindex(outputs.shape[:-1]):
        total = independent.quaternion(*layer.bias.value[o :: c.outputs])
        for a, b, channel in np.ndindex(c.kernel, c.kernel, c.inputs):
            total += weight[a, b, channel, o] * pixels[image, i * c.stride + a, j * c.stride + b, channel]
        np.testing.assert_allclose(outputs[image, i, j, o], independent.as_float_array(total), atol=1e-11)


def padded_size(c):
    return c.h + 2 * c.padding, c.w + 2 * c.padding


@given(convolutions())
def test_real_gradients_equal_differences(c):
    layer, x = real_case(c)
    assert_layer_gradients(layer, x, c.seed)


@given(convolutions())
def test_quaternion_gradients_equal_differences(c):
    layer, x = quaternion_case(c)
    assert_layer_gradients(layer, x, c.seed)


def test_weights_have_the_shapes_of_the_design():
    assert Conv2d(8, 16, 3).weight.shape == (3, 3, 8, 16)
    assert QuaternionConv2d(8, 16, 3).weight.shape == (4, 3, 3, 2, 4)
    assert Conv2d(8, 16, 3).bias.shape == QuaternionConv2d(8, 16, 3).bias.shape == (16,)


def test_a_convolution_of_no_images_gives_no_images():
    layer = with_random_values(Conv2d(1, 2, 3, padding=1), seed=0)
    y, backward = layer.forward(np.zeros((0, 4, 4, 1)))
    assert y.shape == (0, 4, 4, 2)
    assert backward(y).shape == (0, 4, 4, 1)
    assert not layer.weight.gradient.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": 6, "outputs": 64}, "inputs: 6 given; .* 4 or 8"),
        ({"inputs": 64, "outputs": 66}, "outputs: 66 given; .* 64 or 68"),
        ({"inputs": 2, "outputs": 64}, "inputs: 2 given; .* the nearest: 4$"),
    ],
)
def test_a_width_that_does_not_split_names_the_argument_and_the_nearest_two(arguments, message):
    with pytest.raises(UsageError, match=message):
        QuaternionConv2d(**arguments)


@pytest.mark.parametrize("kind", [Conv2d, QuaternionConv2d])
@pytest.mark.parametrize("name", ["inputs", "outputs", "kernel", "stride"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_a_size_that_is_not_a_positive_integer_is_named(kind, name, value):
    with pytest.raises(UsageError, match=f"{name}: {value} given; a positive integer is needed"):
        kind(**{"inputs": 4, "outputs": 4, "kernel": 3, "stride": 1, name: value})


def test_negative_padding_is_named():
    with pytest.raises(UsageError, match="padding: -1 given; 0 or more is needed"):
        Conv2d(1, 1, padding=-1)


@pytest.mark.parametrize("kind", [Conv2d, QuaternionConv2d])
def test_images_with_other_channels_are_an_error_that_names_the_layer(kind):
    with pytest.raises(ValueError, match=rf"x: shape \(1, 5, 5, 4\) given; {kind.__name__} needs 8 on the last axis"):
        kind(8, 4).forward(np.zeros((1, 5, 5, 4), np.float32))


def test_a_kernel_that_does_not_fit_is_an_error_that_names_both_sizes():
    with pytest.raises(UsageError, match="input_shape: a 5x5 kernel does not fit a 4x9 feature map"):
        Conv2d(1, 1, 5).output_shape((4, 9, 1))
