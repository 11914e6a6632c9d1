"""The softmax cross-entropy against scipy in float64 and against differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from quatnet.nn.losses import softmax_cross_entropy
from tests.nn.gradcheck import assert_gradients
from tests.strategies import SEEDS


@st.composite
def logits_and_labels(draw, scale=3.0):
    n, classes = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    random = np.random.default_rng(draw(SEEDS))
    return scale * random.normal(size=(n, classes)), random.integers(0, classes, n)


@given(logits_and_labels())
def test_the_loss_is_the_mean_negative_log_probability_of_the_labels(batch):
    logits, labels = batch
    expected = -np.mean([log_softmax(row)[label] for row, label in zip(logits, labels, strict=True)])
    np.testing.assert_allclose(softmax_cross_entropy(logits, labels)[0], expected, rtol=1e-12)


@given(logits_and_labels())
def test_the_gradient_is_probability_minus_one_hot_over_n(batch):
    logits, labels = batch
    onehot = np.eye(logits.shape[1])[labels]
    expected = (softmax(logits, axis=1) - onehot) / len(logits)
    np.testing.assert_allclose(softmax_cross_entropy(logits, labels)[1], expected, atol=1e-14)


@given(logits_and_labels(), SEEDS)
def test_the_gradient_equals_differences(batch, seed):
    logits, labels = batch
    _, dlogits = softmax_cross_entropy(logits, labels)
    assert_gradients(
        lambda: np.asarray(softmax_cross_entropy(logits, labels)[0]),
        {"logits": logits},
        {"logits": dlogits},
        np.asarray(1.0),
        np.random.default_rng(seed),
    )


@given(logits_and_labels())
def test_the_gradients_of_a_row_sum_to_zero(batch):
    np.testing.assert_allclose(softmax_cross_entropy(*batch)[1].sum(axis=1), 0, atol=1e-15)


@given(logits_and_labels(), st.floats(-1e3, 1e3))
def test_a_constant_added_to_all_logits_changes_nothing(batch, shift):
    logits, labels = batch
    loss, dlogits = softmax_cross_entropy(logits + shift, labels)
    expected_loss, expected = softmax_cross_entropy(logits, labels)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dlogits, expected, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_huge_logits_give_the_exact_loss_without_warning(dtype, size):
    logits = np.array([[size, 0, -size], [-size, size, 0]], dtype)
    with np.errstate(all="raise", under="ignore"):
        loss, dlogits = softmax_cross_entropy(logits, np.array([0, 2]))
    np.testing.assert_allclose(loss, size / 2, rtol=1e-6)
    np.testing.assert_array_equal(dlogits, [[0, 0, 0], [0, 0.5, -0.5]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label_dtype", [np.uint8, np.int32, np.int64])
def test_loss_and_gradient_keep_the_dtype_whatever_the_labels_integers(dtype, label_dtype):
    loss, dlogits = softmax_cross_entropy(np.ones((3, 2), dtype), np.zeros(3, label_dtype))
    assert loss.dtype == dlogits.dtype == dtype


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    loss, _ = softmax_cross_entropy(np.zeros((4, 10)), np.arange(4))
    np.testing.assert_allclose(loss, np.log(10), rtol=1e-15)


def test_the_logits_are_left_as_they_were():
    logits = np.array([[1.0, 2.0]])
    softmax_cross_entropy(logits, np.array([0]))
    np.testing.assert_array_equal(logits, [[1, 2]])


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_an_error_that_says_what_is_allowed(label):
    with pytest.raises(ValueError, match="0 to 2 are needed"):
        softmax_cross_entropy(np.zeros((2, 3)), np.array([0, label]))
