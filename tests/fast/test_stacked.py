"""The stacked quaternion product equals the expanded one."""

import numpy as np
import pytest
from hypothesis import given

from quatnet import quaternion
from quatnet.fast.stacked import Stacked, table
from quatnet.fast.threads import SERIAL, Threads
from quatnet.nn.parameters import Parameter
from tests.strategies import quaternions

THREADS = pytest.mark.parametrize("threads", [SERIAL, Threads(2), Threads(3)], ids=lambda threads: threads.count)


@pytest.fixture(params=[0, 1])
def case(request):
    random = np.random.default_rng(request.param)
    n, inputs, outputs = random.integers(1, 6, 3)
    return [random.normal(size=shape) for shape in ((n, 4 * inputs), (4, inputs, outputs), (n, 4 * outputs))]


def weight_of(value):
    weight = Parameter(value.shape, prunable=True)
    weight.value, weight.gradient = value, np.zeros_like(value)
    return weight


@THREADS
@pytest.mark.parametrize("signs", [quaternion.SIGN, quaternion.shuffled_signs(np.random.default_rng(0))])
def test_outputs_and_gradients_equal_the_expanded_product(case, threads, signs):
    x, w, dy = case
    weight, expanded = weight_of(w), quaternion.expand(w, signs)
    y, backward = Stacked(threads, signs).forward(x, weight)
    np.testing.assert_allclose(y, x @ expanded, atol=1e-12)
    np.testing.assert_allclose(backward(dy), dy @ expanded.T, atol=1e-12)
    np.testing.assert_allclose(weight.gradient, quaternion.fold(x.T @ dy, signs), atol=1e-12)


def test_the_gradient_of_the_input_can_be_spared(case):
    x, w, dy = case
    weight = weight_of(w)
    _, backward = Stacked(SERIAL).forward(x, weight)
    backward(dy)
    expected, weight.gradient = weight.gradient, np.zeros_like(w)
    assert backward(dy, inputs=False) is None
    np.testing.assert_array_equal(weight.gradient, expected)


@given(w=quaternions(), x=quaternions())
def test_the_sixteen_products_add_up_to_the_hamilton_product(w, x):
    y = table(quaternion.SIGN) @ np.outer(x, w).ravel()
    np.testing.assert_allclose(y, quaternion.hamilton(w, x), atol=1e-12 * (1 + np.abs(np.outer(x, w)).max()))
