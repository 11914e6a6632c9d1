"""The flat arrays of a network and the named views on them."""

import numpy as np
import pytest

from quatnet.nn.layers import Conv2d, Dense, QuaternionConv2d, QuaternionDense, Sequential
from quatnet.nn.parameters import Parameter, Parameters
from tests.small import build


@pytest.fixture
def parameters():
    """A weight of 6 entries, its bias of 3, a weight of 4, its bias of 2."""
    body = Sequential({"fc1": Dense(2, 3), "fc2": QuaternionDense(4, 4)})
    parameters = Parameters(body.parameters, np.dtype("float64"))
    parameters.set_value(np.arange(1.0, parameters.size + 1))
    return parameters


def mask_without(parameters, *pruned):
    mask = np.ones(parameters.size, bool)
    mask[list(pruned)] = False
    return mask


@pytest.mark.parametrize("array", ["value", "gradient", "mask"])
def test_a_parameters_arrays_are_views_of_the_flat_arrays(parameters, array):
    flat = getattr(parameters, array)
    for name, parameter in parameters.items():
        view = getattr(parameter, array)
        assert np.shares_memory(view, flat)
        np.testing.assert_array_equal(view.ravel(), flat[parameters.slice(name)])


def test_layers_see_what_is_written_into_the_flat_array():
    layer = Dense(2, 3)
    parameters = Parameters(layer.parameters, np.dtype("float64"))
    parameters.value[...] = np.arange(9.0)
    np.testing.assert_array_equal(layer.weight.value, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(layer.bias.value, [6, 7, 8])


def test_a_backward_pass_writes_into_the_flat_gradient():
    layer = Dense(2, 1)
    parameters = Parameters(layer.parameters, np.dtype("float64"))
    _, backward = layer.forward(np.array([[2.0, 3.0]]))
    backward(np.array([[10.0]]))
    np.testing.assert_array_equal(parameters.gradient, [20, 30, 10])


def test_parameters_lie_layer_by_layer_weight_before_bias_without_gaps(parameters):
    assert list(parameters) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert len(parameters) == 4
    ends = [(parameters.slice(name).start, parameters.slice(name).stop) for name in parameters]
    assert ends == [(0, 6), (6, 9), (9, 13), (13, 17)]
    assert parameters.size == 17


@pytest.mark.parametrize(
    ("layer", "weight"),
    [
        (Dense(8, 12), (8, 12)),
        (QuaternionDense(8, 12), (4, 2, 3)),
        (Conv2d(8, 12, 3), (3, 3, 8, 12)),
        (QuaternionConv2d(8, 12, 3), (4, 3, 3, 2, 3)),
    ],
)
def test_weights_and_biases_have_the_shapes_of_the_design(layer, weight):
    parameters = Parameters(layer.parameters, np.dtype("float32"))
    assert parameters["weight"].value.shape == parameters["weight"].shape == weight
    assert parameters["bias"].value.shape == (12,)
    assert parameters["bias"].gradient.shape == parameters["bias"].mask.shape == (12,)


def test_values_that_layers_held_before_are_kept():
    parameter = Parameter((2, 2), prunable=True)
    parameter.value[...] = [[1, 2], [3, 4]]
    np.testing.assert_array_equal(Parameters({"weight": parameter}, np.dtype("float64")).value, [1, 2, 3, 4])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients_have_the_dtype_and_masks_are_bool(dtype):
    parameters = Parameters(Dense(2, 3).parameters, np.dtype(dtype))
    parameters.set_value(np.arange(9.0))
    assert parameters.value.dtype == parameters.gradient.dtype == dtype
    assert parameters.mask.dtype == bool


def test_only_weights_are_prunable(parameters):
    np.testing.assert_array_equal(np.flatnonzero(~parameters.prunable), [6, 7, 8, 13, 14, 15, 16])


def test_setting_a_mask_makes_pruned_weights_exactly_zero_and_keeps_the_others(parameters):
    parameters.set_mask(mask_without(parameters, 0, 4, 9))
    np.testing.assert_array_equal(np.flatnonzero(parameters.value == 0), [0, 4, 9])
    assert parameters.value[1] == 2


def test_setting_values_keeps_pruned_weights_at_exactly_zero(parameters):
    parameters.set_mask(mask_without(parameters, 0, 4, 9))
    parameters.set_value(np.full(parameters.size, 5.0))
    np.testing.assert_array_equal(np.flatnonzero(parameters.value == 0), [0, 4, 9])
    assert parameters["fc1.weight"].value[0, 0] == 0


def test_setting_values_copies_them(parameters):
    values = np.ones(parameters.size)
    parameters.set_value(values)
    values[...] = 2
    assert (parameters.value == 1).all()


def test_a_mask_is_copied(parameters):
    mask = mask_without(parameters, 0)
    parameters.set_mask(mask)
    mask[...] = False
    assert parameters.mask.sum() == parameters.size - 1


@pytest.mark.parametrize("bias", [6, 8, 13, 16])
def test_a_mask_that_hides_a_bias_is_refused_and_nothing_changes(parameters, bias):
    with pytest.raises(ValueError, match="mask: a bias is masked; only weights can be pruned"):
        parameters.set_mask(mask_without(parameters, 0, bias))
    assert parameters.mask.all()
    assert (parameters.value != 0).all()


@pytest.mark.parametrize("mask", [np.ones(16, bool), np.ones((1, 17), bool), np.ones(17), np.ones(17, np.uint8)])
def test_a_mask_of_another_shape_or_type_is_refused(parameters, mask):
    with pytest.raises(ValueError, match=r"mask: .* given; bool \(17,\) is needed"):
        parameters.set_mask(mask)


def test_kept_weights_are_counted_without_biases(parameters):
    assert parameters.count_kept() == 10
    parameters.set_mask(mask_without(parameters, 0, 4, 9))
    assert parameters.count_kept() == 7


def test_all_weights_may_be_pruned(parameters):
    parameters.set_mask(~parameters.prunable)
    assert parameters.count_kept() == 0
    np.testing.assert_array_equal(np.flatnonzero(parameters.value), np.flatnonzero(~parameters.prunable))


def test_every_entry_of_a_network_belongs_to_one_parameter():
    network = build("conv-2", quaternion=True, input_shape=(8, 8, 3), classes=10)
    assert sum(parameter.size for parameter in network.parameters.values()) == network.parameters.size


def test_a_parameters_text_shows_its_shape():
    assert repr(Parameter((2, 3), prunable=True)) == "Parameter(shape=(2, 3), prunable=True)"


def test_values_taken_by_name_are_copies(parameters):
    values = parameters.by_name()
    assert list(values) == list(parameters)
    values["fc1.weight"][...] = 0
    np.testing.assert_array_equal(parameters.value[:6], [1, 2, 3, 4, 5, 6])


def test_loading_values_by_name_in_any_order_restores_them_and_keeps_pruned_weights_at_zero(parameters):
    values = dict(reversed(parameters.by_name().items()))
    parameters.set_value(np.zeros(parameters.size))
    parameters.set_mask(mask_without(parameters, 0))
    parameters.load(values)
    np.testing.assert_array_equal(parameters.value, [0, *range(2, 18)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("fc2.bias"), r"values: fc2\.bias missing or unknown"),
        (lambda values: values.update(fc3=np.zeros(2)), "values: fc3 missing or unknown"),
        (
            lambda values: values.update({"fc1.bias": np.zeros(2)}),
            r"values: fc1\.bias has shape \(2,\); \(3,\) is needed",
        ),
    ],
)
def test_loading_other_names_or_shapes_is_an_error_that_changes_nothing(parameters, change, message):
    values = {name: np.zeros_like(value) for name, value in parameters.by_name().items()}
    change(values)
    with pytest.raises(ValueError, match=message):
        parameters.load(values)
    np.testing.assert_array_equal(parameters.value, np.arange(1.0, 18))


def test_masks_are_written_by_set_mask_only(parameters):
    for mask in (parameters.mask, *(parameter.mask for parameter in parameters.values())):
        with pytest.raises(ValueError, match="read-only"):
            mask[...] = False
    parameters.set_mask(~parameters.prunable)
    with pytest.raises(ValueError, match="read-only"):
        parameters.mask[...] = True
    assert not any(p.mask.any() for p in parameters.values() if p.prunable)


def test_a_new_mask_is_another_array_so_that_whoever_keeps_one_sees_that_it_is_old(parameters):
    flat, weight = parameters.mask, parameters["fc1.weight"].mask
    parameters.set_mask(mask_without(parameters, 0))
    assert parameters.mask is not flat
    assert parameters["fc1.weight"].mask is not weight
    assert flat.all()
    assert weight.all()


def test_parameters_that_are_put_together_anew_have_nothing_pruned(parameters):
    parameters.set_mask(~parameters.prunable)
    again = Parameters(dict(parameters), parameters.dtype)
    assert all(parameter.mask.all() for parameter in again.values())
