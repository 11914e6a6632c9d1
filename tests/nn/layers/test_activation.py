"""ReLU, the split ReLU of section 4 of the paper."""

import numpy as np
import pytest
from hypothesis import given

from quatnet.nn.layers import ReLU
from tests.nn.gradcheck import assert_layer_gradients
from tests.strategies import SEEDS, distinct, distinct_images_nhwc, rows_nc


@given(rows_nc())
def test_positive_entries_pass_and_the_others_become_zero(x):
    y, _ = ReLU().forward(x)
    np.testing.assert_array_equal(y, [[entry if entry > 0 else 0 for entry in row] for row in x])


@given(distinct_images_nhwc(), SEEDS)
def test_gradients_of_images_equal_differences(x, seed):
    assert_layer_gradients(ReLU(), x, seed, step=1e-3)


@given(distinct(3, 5), SEEDS)
def test_gradients_of_rows_equal_differences(x, seed):
    assert_layer_gradients(ReLU(), x, seed, step=1e-3)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_the_gradient_at_zero_is_zero(zero):
    _, backward = ReLU().forward(np.array([[zero]]))
    assert backward(np.array([[3.0]])) == 0


def test_every_component_of_a_quaternion_is_rectified_on_its_own():
    np.testing.assert_array_equal(ReLU().predict(np.array([[1.0, -2, 3, -4]])), [[1, 0, 3, 0]])


def test_a_nan_is_passed_on_so_that_a_diverged_run_is_noticed():
    assert np.isnan(ReLU().predict(np.array([[np.nan]])))
