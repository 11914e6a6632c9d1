"""Statistics over seeds, against scipy.stats, definitions that are listed out, and examples by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from quatnet.report import statistics

LEVELS = np.array([100.0, 50, 25, 12.5])
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


def test_the_band_is_that_of_scipy_up_to_the_random_numbers():
    values = np.random.default_rng(1).normal(80, 5, (8, 1))
    low, high = statistics.confidence_band(values)
    theirs = stats.bootstrap((values[:, 0],), np.mean, method="percentile", n_resamples=50_000, rng=2)
    assert (low[0], high[0]) == pytest.approx(tuple(theirs.confidence_interval), abs=0.1)


def test_of_three_seeds_the_band_is_their_range():
    # A resample is three times the lowest with probability 1/27, more than the 2.5 % below the band.
    low, high = statistics.confidence_band(np.array([[1.0], [2], [7]]))
    assert (low[0], high[0]) == (1, 7)


@given(accuracies(4, 3))
def test_a_band_holds_the_mean_and_lies_within_the_range_of_the_seeds(values):
    low, high = statistics.confidence_band(values)
    assert (low <= values.mean(axis=0) + 1e-9).all()
    assert (high >= values.mean(axis=0) - 1e-9).all()
    assert (low >= values.min(axis=0) - 1e-9).all()
    assert (high <= values.max(axis=0) + 1e-9).all()


def test_the_band_is_the_same_every_time():
    values = np.random.default_rng(1).normal(size=(5, 3))
    assert np.array_equal(statistics.confidence_band(values), statistics.confidence_band(values))


def test_equal_numbers_of_seeds_are_resampled_together():
    values = np.random.default_rng(1).normal(size=(5, 2))
    shifted = statistics.resampled_means(values + 7) - statistics.resampled_means(values)
    assert shifted == pytest.approx(7)


def test_every_resample_is_a_mean_of_as_many_seeds():
    means = statistics.resampled_means(np.array([[0.0], [1], [5]]))
    possible = {round(sum(drawn) / 3, 9) for drawn in itertools.product([0, 1, 5], repeat=3)}
    assert means.shape == (statistics.RESAMPLES, 1)
    assert set(means[:, 0].round(9)) == possible


# curves over log2


def test_between_two_levels_accuracy_is_linear_in_log2():
    values = np.array([[10.0, 20, 60, 100]])
    at = np.array([100, 100 / 2**0.5, 12.5 * 2**0.25])
    assert statistics.interpolate(LEVELS, values, at) == pytest.approx(np.array([[10, 15, 90]]))


@given(accuracies(2, 4))
def test_at_its_own_levels_a_curve_is_not_changed(values):
    assert statistics.interpolate(LEVELS, values, LEVELS) == pytest.approx(values)


def test_levels_within_the_range_of_others_are_found_in_spite_of_rounding():
    inside = statistics.within_range(np.array([50.1, 25.1131, 20, 10, 9.99]), np.array([25.11309, 15, 10.0005]))
    assert inside.tolist() == [False, True, True, True, False]


def test_the_difference_of_two_curves_is_known_at_the_levels_of_both_in_the_range_of_both():
    first, second = np.array([40.0, 20, 10]), np.array([80.0, 28.2842712474619, 14.142135623730951])
    at, difference = statistics.differences(first, np.array([[3.0, 1, 0]]), second, np.array([[0.0, 0, 0]]))
    assert at == pytest.approx([40, 28.2842712474619, 20, 14.142135623730951])
    assert difference == pytest.approx(np.array([[3, 2, 1, 0.5]]))


def test_curves_cross_where_the_difference_first_rises_to_0():
    rows = np.array(
        [
            [-1.0, -1, 1, 2],  # half way between 50 and 25
            [-3.0, 1, -1, 1],  # three quarters of the way from 100 to 50; what comes later does not count
            [1.0, -2, -1, 0],  # 0 at 12.5
            [-1.0, -2, -3, -4],
            [1.0, 2, 3, 0],
            [3.0, 2, 1, -1],  # falls below 0, and does not come back
        ]
    )
    expected = [50 / 2**0.5, 100 / 2**0.75, 12.5, np.nan, np.nan, np.nan]
    assert statistics.crossings(LEVELS, rows) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("levels", [0, 1])
def test_too_few_levels_have_no_crossing(levels):
    assert np.isnan(statistics.crossings(LEVELS[:levels], np.ones((2, levels)))).tolist() == [True, True]


@given(accuracies(1, 4), accuracies(1, 4))
def test_at_a_crossing_the_curves_are_equal(real, quaternion):
    (place,) = statistics.crossings(LEVELS, quaternion - real)
    assume(not np.isnan(place))
    heights = [statistics.interpolate(LEVELS, values, np.array([place])) for values in (real, quaternion)]
    assert heights[0] == pytest.approx(heights[1], abs=1e-6)


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
    low, high, p = statistics.paired_t(differences)
    for column, *ours in zip(differences.T, low, high, p, strict=True):
        theirs = stats.ttest_1samp(column, 0)
        assert ours == pytest.approx([*theirs.confidence_interval(0.95), theirs.pvalue], abs=1e-9)


def test_two_pairs_have_no_t_test_and_differences_that_are_all_equal_show_nothing():
    assert statistics.paired_t(np.array([[1.0], [2.0]])) is None
    low, high, p = statistics.paired_t(np.array([[0.1, 0]] * 3))
    assert np.isnan([low, high]).all()
    assert p.tolist() == [1, 1]
