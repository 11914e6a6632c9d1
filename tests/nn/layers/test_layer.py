"""What every layer promises, for each kind of layer."""

import numpy as np
import pytest

from quatnet.nn.layers import (
    AppendGray,
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    PureReal,
    QuaternionConv2d,
    QuaternionDense,
    QuaternionFlatten,
    ReLU,
    Sequential,
)
from tests.nn.gradcheck import with_random_values

LAYERS = {
    "dense": (lambda: Dense(8, 3), (8,)),
    "quaternion dense": (lambda: QuaternionDense(8, 4), (8,)),
    "conv": (lambda: Conv2d(3, 5, 3, stride=2, padding=1), (5, 6, 3)),
    "quaternion conv": (lambda: QuaternionConv2d(8, 4, 2), (5, 6, 8)),
    "pool": (lambda: MaxPool2d(2), (5, 6, 3)),
    "relu": (ReLU, (5, 6, 3)),
    "flatten": (Flatten, (5, 6, 3)),
    "quaternion flatten": (QuaternionFlatten, (5, 6, 8)),
    "gray": (AppendGray, (5, 6, 3)),
    "pure real": (PureReal, (5, 6, 1)),
    "sequence": (lambda: Sequential({"flatten": Flatten(), "fc": Dense(30, 2)}), (5, 6, 1)),
}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=LAYERS)
def layer_and_batch(request, dtype):
    make, shape = LAYERS[request.param]
    x = np.random.default_rng(2).normal(size=(4, *shape)).astype(dtype)
    return with_random_values(make(), 2, dtype), x


def test_predict_equals_forward(layer_and_batch):
    layer, x = layer_and_batch
    np.testing.assert_array_equal(layer.predict(x), layer.forward(x)[0])


def test_the_output_has_the_announced_shape_and_its_gradient_the_inputs(layer_and_batch):
    layer, x = layer_and_batch
    y, backward = layer.forward(x)
    assert y.shape == (len(x), *layer.output_shape(x.shape[1:]))
    assert backward(y).shape == x.shape


def test_outputs_and_gradients_keep_the_dtype(layer_and_batch, dtype):
    layer, x = layer_and_batch
    y, backward = layer.forward(x)
    found = [y, backward(y), *(parameter.gradient for parameter in layer.parameters.values())]
    assert {array.dtype for array in found} == {np.dtype(dtype)}


def test_neither_pass_changes_what_it_was_given(layer_and_batch):
    layer, x = layer_and_batch
    values = {name: parameter.value.copy() for name, parameter in layer.parameters.items()}
    before = x.copy()
    y, backward = layer.forward(x)
    dy = np.random.default_rng(5).normal(size=y.shape).astype(y.dtype)
    dy_before = dy.copy()
    backward(dy)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(dy, dy_before)
    for name, parameter in layer.parameters.items():
        np.testing.assert_array_equal(parameter.value, values[name])


def test_a_second_backward_pass_overwrites_the_gradients_of_the_first(layer_and_batch):
    layer, x = layer_and_batch
    y, backward = layer.forward(x)
    backward(y)
    first = {name: parameter.gradient.copy() for name, parameter in layer.parameters.items()}
    backward(y)
    for name, parameter in layer.parameters.items():
        np.testing.assert_array_equal(parameter.gradient, first[name])


def test_a_single_image_gives_the_same_output_as_in_a_batch(layer_and_batch):
    layer, x = layer_and_batch
    rtol = 1e-4 if x.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(layer.predict(x[1:2]), layer.predict(x)[1:2], rtol=rtol, atol=rtol)
