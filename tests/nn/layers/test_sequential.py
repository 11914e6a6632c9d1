"""Layers in sequence: the composition of their functions, and the chain rule."""

import numpy as np
from hypothesis import given

from quatnet.nn.layers import Conv2d, Dense, Flatten, QuaternionConv2d, QuaternionDense, QuaternionFlatten, Sequential
from tests.nn.gradcheck import assert_layer_gradients, with_random_values
from tests.strategies import SEEDS, images_nhwc


def real_body(h, w):
    return Sequential({"conv": Conv2d(3, 2, 3, padding=1), "flatten": Flatten(), "fc": Dense(2 * h * w, 2)})


def quaternion_body(h, w):
    return Sequential(
        {
            "conv": QuaternionConv2d(4, 8, 3, padding=1),
            "flatten": QuaternionFlatten(),
            "fc1": QuaternionDense(8 * h * w, 4),
            "fc2": Dense(4, 2),
        }
    )


@given(images_nhwc(channels=3), SEEDS)
def test_gradients_of_a_real_sequence_equal_differences(x, seed):
    assert_layer_gradients(with_random_values(real_body(*x.shape[1:3]), seed), x, seed)


@given(images_nhwc(channels=4), SEEDS)
def test_gradients_of_a_quaternion_sequence_equal_differences(x, seed):
    assert_layer_gradients(with_random_values(quaternion_body(*x.shape[1:3]), seed), x, seed)


def test_the_output_is_that_of_the_layers_one_after_the_other():
    body = with_random_values(real_body(2, 2), seed=0)
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 3))
    expected = body.layers["fc"].predict(body.layers["flatten"].predict(body.layers["conv"].predict(x)))
    np.testing.assert_array_equal(body.forward(x)[0], expected)


def test_parameters_are_named_layer_by_layer_weight_before_bias():
    names = ["conv.weight", "conv.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert list(quaternion_body(2, 2).parameters) == names


def test_the_output_shape_is_that_of_the_last_layer():
    assert quaternion_body(2, 3).output_shape((2, 3, 4)) == (2,)


def test_an_empty_sequence_changes_nothing():
    x = np.ones((2, 3))
    y, backward = Sequential({}).forward(x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(backward(x), x)
    assert Sequential({}).output_shape((3,)) == (3,)
