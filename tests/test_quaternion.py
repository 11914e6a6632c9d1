"""The quaternion algebra against the package numpy-quaternion, explicit loops and differences."""

import itertools

import numpy as np
import pytest
import quaternion as independent
from hypothesis import given
from hypothesis import strategies as st

import quatnet.quaternion
from quatnet.quaternion import (
    conjugate,
    expand,
    fold,
    hamilton,
    hamilton_backward,
    inverse,
    norm,
    shuffled_signs,
)
from tests.nn.gradcheck import assert_gradients
from tests.strategies import (
    SEEDS,
    nonzero_quaternions,
    normals,
    pairs_that_broadcast,
    quaternions,
    weights_4hwio,
    weights_4io,
)

ONE, I, J, K = np.eye(4)  # noqa: E741


def independent_product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return independent.as_float_array(independent.as_quat_array(p) * independent.as_quat_array(q))


def independent_layer(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The sum of the products w_io x_i over i, weight on the left, for x (n, in) and w (4, in/4, out/4)."""
    n, (_, inputs, outputs) = len(x), w.shape
    xq = independent.as_quat_array(np.moveaxis(x.reshape(n, 4, inputs), 1, 2))
    wq = independent.as_quat_array(np.moveaxis(w, 0, 2))
    y = np.zeros((n, 4, outputs))
    for row, o, i in itertools.product(range(n), range(outputs), range(inputs)):
        y[row, :, o] += independent.as_float_array(wq[i, o] * xq[row, i])
    return y.reshape(n, 4 * outputs)


def checks_that_fail() -> set[str]:
    """Compare the product and the expanded weight with numpy-quaternion; return the names of those that differ."""
    random = np.random.default_rng(8)
    p, q = random.normal(size=(2, 6, 4))
    x, w = random.normal(size=(3, 8)), random.normal(size=(4, 2, 3))
    agreement = {
        "hamilton": np.allclose(hamilton(p, q), independent_product(p, q)),
        "expand": np.allclose(x @ expand(w), independent_layer(x, w)),
    }
    return {name for name, agrees in agreement.items() if not agrees}


@given(quaternions(3), quaternions(3), quaternions(3))
def test_the_product_is_associative(p, q, s):
    np.testing.assert_allclose(hamilton(hamilton(p, q), s), hamilton(p, hamilton(q, s)), atol=1e-11)


@given(quaternions(3), quaternions(3))
def test_the_norm_of_a_product_is_the_product_of_the_norms(p, q):
    np.testing.assert_allclose(norm(hamilton(p, q)), norm(p) * norm(q), rtol=1e-12, atol=1e-12)


@given(quaternions(3), quaternions(3))
def test_the_conjugate_of_a_product_is_the_product_of_the_conjugates_in_reverse(p, q):
    np.testing.assert_allclose(conjugate(hamilton(p, q)), hamilton(conjugate(q), conjugate(p)), atol=1e-12)


@given(nonzero_quaternions(3))
def test_a_quaternion_times_its_inverse_is_one_on_both_sides(q):
    one = np.broadcast_to(ONE, q.shape)
    np.testing.assert_allclose(hamilton(q, inverse(q)), one, atol=1e-12)
    np.testing.assert_allclose(hamilton(inverse(q), q), one, atol=1e-12)


@given(quaternions(4), quaternions(4))
def test_the_product_equals_that_of_numpy_quaternion(p, q):
    np.testing.assert_allclose(hamilton(p, q), independent_product(p, q), atol=1e-12)


@given(nonzero_quaternions(4))
def test_conjugate_norm_and_inverse_equal_those_of_numpy_quaternion(q):
    expected = independent.as_quat_array(q)
    np.testing.assert_array_equal(conjugate(q), independent.as_float_array(expected.conjugate()))
    np.testing.assert_allclose(norm(q), np.abs(expected), rtol=1e-14)
    np.testing.assert_allclose(inverse(q), independent.as_float_array(1 / expected), rtol=1e-12)


def test_hamiltons_units_satisfy_i2_j2_k2_ijk_minus_one():
    for square in (hamilton(I, I), hamilton(J, J), hamilton(K, K), hamilton(hamilton(I, J), K)):
        np.testing.assert_array_equal(square, -ONE)


@pytest.mark.parametrize(("p", "q", "product"), [(I, J, K), (J, K, I), (K, I, J), (ONE, J, J), (K, ONE, K)])
def test_products_of_units_are_hamiltons(p, q, product):
    np.testing.assert_array_equal(hamilton(p, q), product)


def test_the_product_does_not_commute():
    np.testing.assert_array_equal(hamilton(J, I), -K)
    np.testing.assert_array_equal(hamilton(I, J), K)


def test_the_inverse_of_zero_is_not_finite():
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not np.isfinite(inverse(np.zeros(4))).any()


def test_lists_are_taken_as_arrays():
    np.testing.assert_array_equal(hamilton([0.0, 1, 0, 0], (0.0, 0, 1, 0)), K)
    dp, dq = hamilton_backward([0.0, 1, 0, 0], [0.0, 0, 1, 0], [0.0, 0, 0, 1])
    np.testing.assert_array_equal(dp, I)
    np.testing.assert_array_equal(dq, J)


@given(weights_4io(), SEEDS)
def test_expand_and_fold_of_dense_weights_are_adjoint(w, seed):
    g = np.random.default_rng([seed, 2]).normal(size=(4 * w.shape[1], 4 * w.shape[2]))
    np.testing.assert_allclose(np.vdot(expand(w), g), np.vdot(w, fold(g)), rtol=1e-10, atol=1e-12)


@given(weights_4hwio(), SEEDS)
def test_expand_and_fold_of_convolution_weights_are_adjoint(w, seed):
    _, kh, kw, inputs, outputs = w.shape
    g = np.random.default_rng([seed, 2]).normal(size=(kh, kw, 4 * inputs, 4 * outputs))
    np.testing.assert_allclose(np.vdot(expand(w), g), np.vdot(w, fold(g)), rtol=1e-10, atol=1e-12)


@given(weights_4io(), SEEDS)
def test_x_times_the_expanded_weight_is_the_sum_of_products_with_the_weight_on_the_left(w, seed):
    x = np.random.default_rng([seed, 2]).normal(size=(2, 4 * w.shape[1]))
    np.testing.assert_allclose(x @ expand(w), independent_layer(x, w), atol=1e-12)


def test_the_expanded_weight_is_the_transpose_of_the_papers_matrix_4():
    r, i, j, k = 2.0, 3.0, 5.0, 7.0
    matrix = [[r, -i, -j, -k], [i, r, -k, j], [j, k, r, -i], [k, -j, i, r]]
    np.testing.assert_array_equal(expand(np.array([r, i, j, k]).reshape(4, 1, 1)), np.transpose(matrix))


@given(weights_4hwio())
def test_a_convolution_weight_is_expanded_at_every_position_of_the_kernel(w):
    full = expand(w)
    for row, column in np.ndindex(w.shape[1:3]):
        x = np.eye(4 * w.shape[3])
        np.testing.assert_allclose(x @ full[row, column], independent_layer(x, w[:, row, column]), atol=1e-12)


@given(pairs_that_broadcast(), SEEDS)
def test_gradients_of_the_product_equal_differences_also_with_broadcasting(pair, seed):
    p, q = pair
    random = np.random.default_rng(seed)
    dy = random.normal(size=hamilton(p, q).shape)
    dp, dq = hamilton_backward(p, q, dy)
    assert_gradients(lambda: hamilton(p, q), {"p": p, "q": q}, {"p": dp, "q": dq}, dy, random)


@given(normals(5, 4), normals(5, 4), normals(5, 4))
def test_gradients_of_the_product_are_dy_times_the_conjugates(p, q, dy):
    pq, qq, dyq = (independent.as_quat_array(a) for a in (p, q, dy))
    dp, dq = hamilton_backward(p, q, dy)
    np.testing.assert_allclose(dp, independent.as_float_array(dyq * qq.conjugate()), atol=1e-12)
    np.testing.assert_allclose(dq, independent.as_float_array(pq.conjugate() * dyq), atol=1e-12)


@given(st.sampled_from([np.float32, np.float64]))
def test_every_function_keeps_the_dtype(dtype):
    q, w, g = np.ones((2, 4), dtype), np.ones((4, 1, 2), dtype), np.ones((4, 8), dtype)
    results = [hamilton(q, q), *hamilton_backward(q, q, q), conjugate(q), norm(q), inverse(q), expand(w), fold(g)]
    assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("p", lambda bad, good: hamilton(bad, good)),
        ("q", lambda bad, good: hamilton(good, bad)),
        ("p", lambda bad, good: hamilton_backward(bad, good, good)),
        ("q", lambda bad, good: hamilton_backward(good, bad, good)),
        ("dy", lambda bad, good: hamilton_backward(good, good, bad)),
        ("q", lambda bad, _: conjugate(bad)),
        ("q", lambda bad, _: norm(bad)),
        ("q", lambda bad, _: inverse(bad)),
    ],
)
@pytest.mark.parametrize("shape", [(), (3,), (4, 1)])
def test_a_wrong_shape_is_an_error_that_names_the_argument(name, call, shape):
    with pytest.raises(ValueError, match=rf"^{name}: shape .* 4 components"):
        call(np.ones(shape), np.ones((2, 4)))


def test_the_independent_checks_pass_on_the_table_as_it_is():
    assert checks_that_fail() == set()


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("column", range(4))
def test_the_independent_checks_fail_for_a_flipped_sign(monkeypatch, row, column):
    sign = [list(signs) for signs in quatnet.quaternion.SIGN]
    sign[row][column] *= -1
    monkeypatch.setattr(quatnet.quaternion, "SIGN", sign)
    monkeypatch.setattr(expand, "__defaults__", (sign,))
    assert checks_that_fail() == {"hamilton", "expand"}


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(range(4), 2)))
def test_the_independent_checks_fail_for_two_swapped_components(monkeypatch, row, first, second):
    component = [list(components) for components in quatnet.quaternion.COMPONENT]
    component[row][first], component[row][second] = component[row][second], component[row][first]
    monkeypatch.setattr(quatnet.quaternion, "COMPONENT", component)
    assert checks_that_fail() == {"hamilton", "expand"}


def printed_equation_3(p: np.ndarray, q: np.ndarray, j_sign: int, k_sign: int) -> np.ndarray:
    """The paper's equation (3); it prints the last sign of the j line and of the k line as -1."""
    (r1, x1, y1, z1), (r2, x2, y2, z2) = p, q
    return np.array(
        [
            r1 * r2 - x1 * x2 - y1 * y2 - z1 * z2,
            r1 * x2 + x1 * r2 + y1 * z2 - z1 * y2,
            r1 * y2 - x1 * z2 + y1 * r2 + j_sign * z1 * x2,
            r1 * z2 + x1 * y2 - y1 * x2 + k_sign * z1 * r2,
        ]
    )


P, Q = np.array([1.0, 2, 3, 4]), np.array([5.0, 6, 7, 8])


def test_equation_3_with_both_signs_corrected_is_the_product():
    np.testing.assert_array_equal(printed_equation_3(P, Q, 1, 1), hamilton(P, Q))


def test_equation_3_as_printed_contradicts_equation_4():
    matrix_4_of_p = np.array([[1, -2, -3, -4], [2, 1, -4, 3], [3, 4, 1, -2], [4, -3, 2, 1]])
    differs = printed_equation_3(P, Q, -1, -1) != matrix_4_of_p @ Q
    np.testing.assert_array_equal(differs, [False, False, True, True])


@pytest.mark.parametrize(("j_sign", "k_sign"), [(-1, -1), (1, -1), (-1, 1)])
def test_equation_3_with_a_wrong_sign_is_not_norm_multiplicative(j_sign, k_sign):
    product = printed_equation_3(P, Q, j_sign, k_sign)
    assert product @ product != (P @ P) * (Q @ Q)


def test_shuffled_signs_are_the_tables_in_another_order():
    tables = [shuffled_signs(np.random.default_rng(seed)) for seed in range(5)]
    assert len(set(tables)) == 5
    for table in tables:
        assert sorted(np.ravel(table)) == sorted(np.ravel(quatnet.quaternion.SIGN))


@given(seed=st.integers(0, 99))
def test_expand_and_fold_are_adjoint_whatever_the_signs(seed):
    random = np.random.default_rng(seed)
    signs = shuffled_signs(random)
    w, g = random.normal(size=(4, 2, 3)), random.normal(size=(8, 12))
    assert np.vdot(expand(w, signs), g) == pytest.approx(np.vdot(w, fold(g, signs)))
    assert not np.allclose(expand(w, signs), expand(w)) or signs == quatnet.quaternion.SIGN
