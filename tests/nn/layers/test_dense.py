"""The dense layers against explicit sums and products, and their gradients against differences."""

import numpy as np
import pytest
import quaternion as independent
from hypothesis import given

from quatnet.errors import UsageError
from quatnet.nn.layers import Dense, QuaternionDense
from tests.nn.gradcheck import assert_layer_gradients, with_random_values
from tests.strategies import SEEDS, WIDTHS, rows_nc


@given(rows_nc(), WIDTHS, SEEDS)
def test_a_real_output_is_the_weighted_sum_of_the_inputs_plus_the_bias(x, outputs, seed):
    layer = with_random_values(Dense(x.shape[1], outputs), seed)
    y, _ = layer.forward(x)
    expected = np.einsum("ni,io->no", x, layer.weight.value) + layer.bias.value
    np.testing.assert_allclose(y, expected, atol=1e-12)


@given(rows_nc(multiple=4), WIDTHS, SEEDS)
def test_a_quaternion_output_is_the_sum_of_weight_times_input_plus_the_bias(x, outputs, seed):
    n, inputs = len(x), x.shape[1] // 4
    layer = with_random_values(QuaternionDense(4 * inputs, 4 * outputs), seed)
    y, _ = layer.forward(x)
    for row in range(n):
        for o in range(outputs):
            total = independent.quaternion(*layer.bias.value[o::outputs])
            for i in range(inputs):
                w = independent.quaternion(*layer.weight.value[:, i, o])
                total += w * independent.quaternion(*x[row, i::inputs])
            np.testing.assert_allclose(y[row, o::outputs], independent.as_float_array(total), atol=1e-12)


@given(rows_nc(), WIDTHS, SEEDS)
def test_real_gradients_equal_differences(x, outputs, seed):
    assert_layer_gradients(with_random_values(Dense(x.shape[1], outputs), seed), x, seed)


@given(rows_nc(multiple=4), WIDTHS, SEEDS)
def test_quaternion_gradients_equal_differences(x, outputs, seed):
    assert_layer_gradients(with_random_values(QuaternionDense(x.shape[1], 4 * outputs), seed), x, seed)


@given(rows_nc(multiple=4), SEEDS)
def test_a_quaternion_weight_of_pure_real_entries_acts_alike_on_the_four_components(x, seed):
    layer = with_random_values(QuaternionDense(x.shape[1], 8), seed)
    layer.weight.value[1:] = 0
    layer.bias.value[...] = 0
    blocks = np.stack([block @ layer.weight.value[0] for block in np.split(x, 4, axis=1)], axis=1)
    np.testing.assert_allclose(layer.forward(x)[0], blocks.reshape(len(x), 8), atol=1e-12)


def test_a_quaternion_layer_has_a_quarter_of_the_real_layers_weights_and_as_many_biases():
    real, quaternion = Dense(300, 100), QuaternionDense(300, 100)
    assert real.weight.size == 30_000
    assert quaternion.weight.size == 7_500
    assert quaternion.weight.shape == (4, 75, 25)
    assert real.bias.size == quaternion.bias.size == 100


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (785, 300, "inputs: 785 given; .* 784 or 788"),
        (784, 302, "outputs: 302 given; .* 300 or 304"),
        (3, 8, "inputs: 3 given; .* the nearest: 4$"),
    ],
)
def test_a_width_that_does_not_split_names_the_argument_and_the_nearest_two(inputs, outputs, message):
    with pytest.raises(UsageError, match=message):
        QuaternionDense(inputs, outputs)


@pytest.mark.parametrize("layer", [Dense, QuaternionDense])
@pytest.mark.parametrize("width", [0, -4, 2.0])
def test_a_width_must_be_a_positive_integer(layer, width):
    with pytest.raises(UsageError, match=f"inputs: {width!r} given; a positive integer is needed"):
        layer(width, 8)
    with pytest.raises(UsageError, match=f"outputs: {width!r} given; a positive integer is needed"):
        layer(8, width)


@pytest.mark.parametrize("kind", [Dense, QuaternionDense])
def test_an_input_of_another_width_is_an_error_that_names_it(kind):
    with pytest.raises(ValueError, match=rf"x: shape \(2, 12\) given; {kind.__name__} needs 8 on the last axis"):
        kind(8, 4).forward(np.ones((2, 12), np.float32))
