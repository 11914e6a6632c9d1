"""Real against quaternion: by hand, on made-up curves."""

import numpy as np
import pytest
from scipy import stats

from quatnet.report.comparison import AHEAD, BEHIND, BY_T, UNKNOWN, compare, obstacle, too_few
from tests.report.made import crossing_pairs, experiment, trial


def test_levels_are_those_of_the_quaternion_network_in_the_range_of_the_real_one():
    levels = compare(experiment(*crossing_pairs(2))).levels
    assert [level.weights_left for level in levels] == [25, 12.5, 6.25]


def test_means_and_differences_are_those_of_the_pairs():
    levels = compare(experiment(*crossing_pairs(3))).levels
    assert [(level.real, level.quaternion) for level in levels] == [(91, 90), (80, 79), (71, 72)]
    assert [level.difference for level in levels] == pytest.approx([-1, -1, 1])


def test_a_real_run_is_interpolated_over_log2_at_other_levels():
    real = trial("real", 0, [90, 80], levels=(100.0, 25.0))
    quaternion = trial("quaternion", 0, [80], levels=(50.0,))
    (level,) = compare(experiment(real, quaternion)).levels
    assert (level.real, level.difference) == (pytest.approx(85), pytest.approx(-5))


def test_the_mean_curves_cross_half_way_between_the_levels_where_they_change_places():
    crossing = compare(experiment(*crossing_pairs(3))).crossing
    assert crossing.weights_left == pytest.approx(12.5 / 2**0.5)
    # All pairs differ alike, so every resample crosses at the same place.
    assert (crossing.low, crossing.high) == pytest.approx((crossing.weights_left,) * 2)
    assert crossing.none == 0


def test_resamples_without_a_crossing_are_counted():
    # The second of two pairs does not cross. A resample is twice the second one with probability 1/4.
    real = [trial("real", seed, [90, 90, 90, 90]) for seed in (0, 1)]
    quaternion = [trial("quaternion", 0, [88, 94]), trial("quaternion", 1, [88, 88])]
    crossing = compare(experiment(*real, *quaternion)).crossing
    assert crossing.none == pytest.approx(25, abs=1.5)
    # Mean of both: from -2 to 1. The first alone: from -2 to 4.
    assert (crossing.low, crossing.weights_left) == pytest.approx((25 / 2 ** (2 / 3), 25 / 2 ** (2 / 3)))
    assert crossing.high == pytest.approx(25 / 2 ** (1 / 3))


def test_curves_that_never_cross_have_no_interval():
    pairs = [trial(algebra, seed, [90, 89, 88, 87]) for algebra in ("real", "quaternion") for seed in (0, 1)]
    crossing = compare(experiment(*pairs)).crossing
    assert (crossing.weights_left, crossing.low, crossing.high, crossing.none) == (None, None, None, 100)


def test_one_pair_has_a_crossing_without_interval():
    crossing = compare(experiment(*crossing_pairs(1))).crossing
    assert crossing.weights_left == pytest.approx(12.5 / 2**0.5)
    assert (crossing.low, crossing.high, crossing.none) == (None, None, None)


def test_two_pairs_are_too_few_to_tell_and_it_says_how_many_are_needed():
    comparison = compare(experiment(*crossing_pairs(2)))
    assert {level.verdict for level in comparison.levels} == {"2 seeds are too few to tell"}
    assert {(level.low, level.high, level.t_p) for level in comparison.levels} == {(None, None, None)}
    assert comparison.smallest_p == 1
    assert comparison.pairs_needed == 7


def test_pairs_too_few_for_the_exact_test_are_judged_by_the_t_test():
    real = [trial("real", seed, [90] * 5) for seed in range(5)]
    quaternion = [
        trial("quaternion", seed, [90 + ahead, 90 - behind, 90 + either])
        for seed, (ahead, behind, either) in enumerate(
            zip([4, 5, 6, 5, 5], [4, 5, 6, 5, 5], [9, -9, 9, -9, 1], strict=True)
        )
    ]
    comparison = compare(experiment(*real, *quaternion))
    assert [level.verdict for level in comparison.levels] == [
        AHEAD + BY_T,
        BEHIND + BY_T,
        "5 seeds are too few to tell",
    ]
    p = [stats.ttest_1samp(d, 0).pvalue for d in ([4, 5, 6, 5, 5], [9, -9, 9, -9, 1])]
    assert [level.t_p for level in comparison.levels] == pytest.approx([3 * p[0], 3 * p[0], p[1]])
    low, high = stats.ttest_1samp([4, 5, 6, 5, 5], 0).confidence_interval(0.95)
    assert (comparison.levels[0].low, comparison.levels[0].high) == pytest.approx((low, high))


def test_enough_pairs_that_all_differ_alike_are_significant_in_their_direction():
    comparison = compare(experiment(*crossing_pairs(7)))
    assert [level.p for level in comparison.levels] == pytest.approx([3 * 2 / 2**7] * 3)
    assert [level.verdict for level in comparison.levels] == [BEHIND, BEHIND, AHEAD]


def test_enough_pairs_that_differ_in_both_directions_are_not_significant():
    real = [trial("real", seed, [90] * 4) for seed in range(7)]
    quaternion = [trial("quaternion", seed, [90 + (-1) ** seed] * 2) for seed in range(7)]
    assert [level.verdict for level in compare(experiment(*real, *quaternion)).levels] == [UNKNOWN, UNKNOWN]


def test_only_seeds_that_both_have_are_compared():
    runs = [*crossing_pairs(3), trial("real", 7, [10] * 5), trial("quaternion", 8, [10] * 4)]
    comparison = compare(experiment(*runs))
    assert comparison.seeds == (0, 1, 2)
    assert comparison.levels == compare(experiment(*crossing_pairs(3))).levels


@pytest.mark.parametrize(
    ("trials", "reason"),
    [
        ([trial("real", 0, [90])], "there is no quaternion run"),
        ([trial("quaternion", 0, [90])], "there is no real run"),
        ([trial("real", 0, [90] * 3), trial("quaternion", 1, [90])], "real and quaternion have no seed in common"),
        ([trial("real", 0, [90]), trial("quaternion", 0, [90])], "have no number of weights left in common"),
        (crossing_pairs(41), "the exact test takes up to 40 seeds, and there are 41"),
    ],
    ids=["real", "quaternion", "seeds", "levels", "too many"],
)
def test_what_cannot_be_compared_is_not_and_says_why(trials, reason):
    found = experiment(*trials)
    assert reason in obstacle(found)
    assert compare(found) is None


def test_what_can_be_compared_has_no_obstacle():
    assert [obstacle(experiment(*crossing_pairs(seeds))) for seeds in (1, 40)] == [None, None]


def test_one_seed_is_said_in_the_singular():
    assert too_few(1) == "1 seed is too few to tell"


def test_the_comparison_is_the_same_every_time():
    runs = [
        trial(algebra, seed, np.random.default_rng([seed, dense]).uniform(60, 90, 5).tolist())
        for algebra, dense in (("real", 0), ("quaternion", 1))
        for seed in range(4)
    ]
    assert compare(experiment(*runs)) == compare(experiment(*runs))
