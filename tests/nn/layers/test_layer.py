"""What every layer promises, for each kind of layer."""

import numpy as np
import pytest

from tests.nn.every import LAYERS, batches, random_layer


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=LAYERS)
def layer_and_batch(request, dtype):
    layer, *_ = random_layer(request.param, dtype)
    return layer, batches(request.param, dtype)[0]


def test_predict_equals_forward_unless_there_are_running_statistics(layer_and_batch):
    layer, x = layer_and_batch
    assert np.array_equal(layer.predict(x), layer.forward(x)[0]) == (not layer.state)


def test_the_output_has_the_announced_shape_and_its_gradient_the_inputs(layer_and_batch):
    layer, x = layer_and_batch
    y, backward = layer.forward(x)
    assert y.shape == (len(x), *layer.output_shape(x.shape[1:]))
    assert backward(y).shape == x.shape


def test_outputs_and_gradients_keep_the_dtype(layer_and_batch, dtype):
    layer, x = layer_and_batch
    y, backward = layer.forward(x)
    found = [y, backward(y), layer.predict(x), *(parameter.gradient for parameter in layer.parameters.values())]
    found += [statistic.value for statistic in layer.state.values()]
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


def test_the_gradient_of_the_input_can_be_spared(layer_and_batch):
    layer, x = layer_and_batch
    y, backward = layer.forward(x)
    backward(y)
    expected = {name: parameter.gradient.copy() for name, parameter in layer.parameters.items()}
    for parameter in layer.parameters.values():
        parameter.gradient.fill(0)
    assert backward(y, inputs=False) is None or not layer.parameters
    for name, parameter in layer.parameters.items():
        assert parameter.gradient.any()
        np.testing.assert_array_equal(parameter.gradient, expected[name])


def test_a_single_image_gives_the_same_output_as_in_a_batch(layer_and_batch):
    layer, x = layer_and_batch
    rtol = 1e-4 if x.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(layer.predict(x[1:2]), layer.predict(x)[1:2], rtol=rtol, atol=rtol)
