"""Statistics over seeds, against scipy.stats, definitions that are listed out, and examples by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from quatnet.report import statistics

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=6)
PERCENT = st.floats(0, 100).map(lambda value: round(value, 2))
DIFFERENCES = st.lists(st.floats(-50, 50).map(lambda value: round(value, 2)), min_size=1, max_size=9).map(np.array)


def accuracies(seeds, rounds):
    return hnp.arrays(np.float64, (seeds, rounds), elements=PERCENT)


# deviations and bands


def test_the_deviation_is_the_sample_deviation_of_each_round():
    assert statistics.sample_deviation(np.array([[1.0, 5], [3, 5], [5, 8]])) == pytest.approx([2, 3**0.5])


def test_one_seed_has_neither_deviation_nor_band():
    assert statistics.sample_deviation(np.ones((1, 3))) is None
    assert statistics.confidence_band(np.ones((1, 3))) is None


# Student's t leaves 2.5 % above these, for 1, 2 and 4 degrees of freedom (any table of it).
@pytest.mark.parametrize(("seeds", "t"), [(2, 12.706), (3, 4.303), (5, 2.776)])
def test_the_band_is_student_s_interval_of_each_column(seeds, t):
    values = np.random.default_rng(seeds).normal(50, 2, (seeds, 3))
    low, high = statistics.confidence_band(values)
    for column, *ends in zip(values.T, low, high, strict=True):
        half = t * column.std(ddof=1) / seeds**0.5
        assert ends == pytest.approx([column.mean() - half, column.mean() + half], rel=1e-3)


def test_the_band_is_cut_to_where_accuracies_can_be():
    low, high = statistics.confidence_band(np.array([[1.0, 99.0], [3.0, 98.0]]))
    assert (low[0], high[1]) == (0, 100)


@given(accuracies(4, 3))
def test_a_band_holds_the_mean(values):
    low, high = statistics.confidence_band(values)
    assert (low <= values.mean(axis=0) + 1e-9).all()
    assert (high >= values.mean(axis=0) - 1e-9).all()


def test_seeds_that_agree_have_a_band_without_width():
    low, high = statistics.confidence_band(np.full((3, 1), 11.35))
    assert (low[0], high[0]) == pytest.approx((11.35, 11.35))


# tests


@given(DIFFERENCES)
def test_the_p_value_of_sign_flips_is_the_share_of_all_flips_that_are_listed(differences):
    signs = np.array(list(itertools.product([1, -1], repeat=len(differences))))
    as_large = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-6
    assert statistics.sign_flip_p(differences) == as_large.mean()


@pytest.mark.parametrize("n", [2, 5, 8, 11])
def test_the_p_value_of_sign_flips_is_that_of_scipy(n):
    first, second = np.random.default_rng(n).normal([[0.8], [0]], 1, (2, n))
    theirs = stats.permutation_test(
        (first, second), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert statistics.sign_flip_p(first - second) == pytest.approx(theirs.pvalue)


@given(DIFFERENCES, st.floats(0.1, 10))
def test_a_p_value_does_not_depend_on_order_direction_or_scale(differences, scale):
    p = statistics.sign_flip_p(differences)
    assert statistics.sign_flip_p(differences[::-1]) == p
    assert statistics.sign_flip_p(-differences) == p
    assert statistics.sign_flip_p(scale * differences) == p


@pytest.mark.parametrize("n", [1, 2, 5, 24])
def test_differences_of_one_sign_have_the_smallest_p_value(n):
    assert statistics.sign_flip_p(np.linspace(1, 2, n)) == statistics.smallest_p(n, 1) == 2 / 2**n


def test_no_difference_has_p_1():
    assert statistics.sign_flip_p(np.zeros(4)) == 1


@given(P_VALUES)
def test_holm_s_method_is_the_closed_test_of_bonferroni(p):
    # Closed testing: a hypothesis falls if every set with it falls, each tested by its smallest p times its size.
    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    expected = [max(min(1, len(s) * min(p[k] for k in s)) for s in sets if i in s) for i in range(len(p))]
    assert statistics.holm(p) == pytest.approx(expected)


def test_holm_s_method_by_hand():
    assert statistics.holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])


@given(P_VALUES)
def test_corrected_p_values_are_larger_and_in_the_same_order(p):
    corrected = statistics.holm(p)
    assert (corrected >= np.array(p)).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


@given(P_VALUES, st.randoms(use_true_random=False))
def test_corrected_p_values_do_not_depend_on_the_order(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert statistics.holm([p[k] for k in order]) == pytest.approx(statistics.holm(p)[order])


def test_nothing_is_corrected_to_nothing():
    assert statistics.holm([]).tolist() == []


@pytest.mark.parametrize(("tests", "pairs"), [(1, 6), (2, 7), (14, 10), (16, 10), (17, 10), (26, 11)])
def test_so_many_pairs_are_needed(tests, pairs):
    assert statistics.pairs_needed(tests) == pairs
    assert tests * 2 / 2**pairs <= 0.05 < tests * 2 / 2 ** (pairs - 1)


def test_the_smallest_p_value_is_never_above_1():
    assert statistics.smallest_p(3, 16) == 1


@given(st.floats(-30, 30), st.floats(0.01, 20), st.floats(0.01, 20), st.integers(2, 9), st.integers(2, 9))
def test_welch_s_test_is_that_of_scipy(difference, a, b, n, m):
    theirs = stats.ttest_ind_from_stats(difference, a, n, 0, b, m, equal_var=False)
    assert statistics.welch_p(difference, (a, b), (n, m)) == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize(("difference", "p"), [(0.0, 1), (0.5, 0)])
def test_without_any_deviation_every_difference_counts(difference, p):
    assert statistics.welch_p(difference, (0, 0), (3, 5)) == p


# the paired t test


@given(hnp.arrays(np.float64, (5, 2), elements=PERCENT))
def test_the_paired_t_test_and_its_interval_are_those_of_scipy(differences):
    assume((differences.std(axis=0) > 0.01).all())
    test = statistics.paired_t(differences)
    for column, *ours in zip(differences.T, test.low, test.high, test.p, strict=True):
        theirs = stats.ttest_1samp(column, 0)
        assert ours == pytest.approx([*theirs.confidence_interval(0.95), theirs.pvalue], abs=1e-9)


def test_the_paired_t_test_by_hand():
    # Mean 2, deviation 1, standard error 1/sqrt(3), t = 3.464 with 2 degrees of freedom: p = 0.0742.
    test = statistics.paired_t(np.array([[1.0], [2], [3]]))
    assert (test.mean[0], test.half[0], test.p[0]) == pytest.approx((2, 4.3027 / 3**0.5, 0.0742), abs=1e-4)


def test_two_pairs_are_tested_like_any_others_and_one_is_not():
    # t = 3 with 1 degree of freedom, that of Cauchy: p = 1 - 2/pi atan 3.
    assert statistics.paired_t(np.array([[1.0], [2.0]])).p[0] == pytest.approx(1 - 2 / np.pi * np.arctan(3))
    assert statistics.paired_t(np.array([[1.0]])) is None


def test_differences_that_are_all_equal_show_nothing():
    test = statistics.paired_t(np.array([[0.1, 0, 1], [0.1, 0, 2], [0.1 + 1e-13, 0, 3]]))
    assert np.isnan(test.half).tolist() == [True, True, False]
    assert test.p[:2].tolist() == [1, 1]


def test_a_column_with_a_nan_says_nothing_and_does_not_disturb_the_others():
    test = statistics.paired_t(np.array([[np.nan, 1], [2, 2], [3, 3]]))
    assert np.isnan([test.mean[0], test.half[0]]).all()
    assert test.p == pytest.approx([1, 0.0742], abs=1e-4)
