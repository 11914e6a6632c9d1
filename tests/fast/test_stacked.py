"""The stacked quaternion product equals the expanded one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quatnet import quaternion
from quatnet.nn.layers.dense import Expanded
from quatnet.fast.stacked import Stacked, table
from quatnet.nn.parameters import Parameter
from quatnet.fast.threads import SERIAL, Threads

THREADS = pytest.mark.parametrize("threads", [SERIAL, Threads(2), Threads(3)], ids=lambda threads: threads.count)

quaternions = arrays(np.float64, 4, elements=st.floats(-9, 9))


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
    results = []
    for algorithm in (Stacked(threads, signs), Expanded(signs)):
        weight = weight_of(w)
        y, backward = algorithm.forward(x, weight)
        results.append((y, backward(dy), weight.gradient))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_gradient_of_the_input_can_be_spared(case):
    x, w, dy = case
    weight = weight_of(w)
    _, backward = Stacked(SERIAL).forward(x, weight)
    backward(dy)
    expected, weight.gradient = weight.gradient, np.zeros_like(w)
    assert backward(dy, inputs=False) is None
    np.testing.assert_array_equal(weight.gradient, expected)


@given(w=quaternions, x=quaternions)
def test_the_sixteen_products_add_up_to_the_hamilton_product(w, x):
    y = table(quaternion.SIGN) @ np.outer(x, w).ravel()
    np.testing.assert_allclose(y, quaternion.hamilton(w, x), atol=1e-12)


@THREADS
@pytest.mark.parametrize(("rows", "columns"), [(7, 3), (3, 7), (1, 1)])
def test_a_product_of_matrices_is_shared_along_its_longer_side(threads, rows, columns):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(5, rows)).T, random.normal(size=(5, columns))
    out = np.empty((rows, columns))
    assert threads.matmul(a, b, out=out) is out
    np.testing.assert_allclose(out, np.einsum("ik,kj->ij", a, b), atol=1e-13)
    np.testing.assert_array_equal(threads.matmul(a, b), out)
