"""The stacked quaternion product equals the expanded one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet import quaternion
from quatnet.nn.layers.dense import Expanded
from quatnet.nn.layers.stacked import Stacked, combine, spread
from quatnet.threads import SERIAL, Threads

THREADS = pytest.mark.parametrize("threads", [SERIAL, Threads(2), Threads(3)], ids=lambda threads: threads.count)


@pytest.fixture(params=[0, 1])
def case(request):
    random = np.random.default_rng(request.param)
    n, inputs, outputs = random.integers(1, 6, 3)
    return [random.normal(size=shape) for shape in ((n, 4 * inputs), (4, inputs, outputs), (n, 4 * outputs))]


@THREADS
def test_outputs_and_gradients_equal_the_expanded_product(case, threads):
    x, w, dy = case
    results = []
    for algorithm in (Stacked(threads), Expanded()):
        y, backward = algorithm.forward(x, w)
        dw = np.empty_like(w)
        results.append((y, backward(dy, dw), dw))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_gradient_of_the_input_can_be_spared(case):
    x, w, dy = case
    _, backward = Stacked(SERIAL).forward(x, w)
    dw, same = np.empty_like(w), np.empty_like(w)
    backward(dy, same)
    assert backward(dy, dw, inputs=False) is None
    np.testing.assert_array_equal(dw, same)


@given(n=st.integers(1, 5), outputs=st.integers(1, 5), seed=st.integers(0, 99))
def test_spread_is_the_adjoint_of_combine(n, outputs, seed):
    random = np.random.default_rng(seed)
    p, dy = random.normal(size=(4, n, 4, outputs)), random.normal(size=(n, 4, outputs))
    assert np.vdot(combine(p), dy) == pytest.approx(np.vdot(p, spread(dy)), abs=1e-12)


def test_the_first_column_of_the_table_is_the_weight_itself():
    assert [row[0] for row in quaternion.SIGN] == [1, 1, 1, 1]


@THREADS
@pytest.mark.parametrize(("rows", "columns"), [(7, 3), (3, 7), (1, 1)])
def test_a_product_of_matrices_is_shared_along_its_longer_side(threads, rows, columns):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(5, rows)).T, random.normal(size=(5, columns))
    out = np.empty((rows, columns))
    assert threads.matmul(a, b, out=out) is out
    np.testing.assert_allclose(out, np.einsum("ik,kj->ij", a, b), atol=1e-13)
    np.testing.assert_array_equal(threads.matmul(a, b), out)
