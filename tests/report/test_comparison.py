"""Real against quaternion: by hand, on made-up curves."""

import numpy as np
import pytest
from scipy import stats

from quatnet.errors import UsageError
from quatnet.report import points
from quatnet.report.comparison import AHEAD, BEHIND, UNKNOWN, compare, compare_results, obstacle, too_few
from quatnet.report.crossing import Piece, Turn
from tests.report.made import crossing_pairs, experiment, level_pairs, trial


def test_levels_are_those_of_the_quaternion_network_in_the_range_of_the_real_one():
    levels = compare(experiment(*crossing_pairs(2))).levels
    assert [level.weights_left for level in levels] == [25, 12.5, 6.25]


def test_means_and_differences_are_those_of_the_pairs():
    levels = compare(experiment(*crossing_pairs(3))).levels
    assert [(level.real, level.quaternion) for level in levels] == [(91, 86), (80, 75), (71, 76)]
    assert [level.difference for level in levels] == pytest.approx([-5, -5, 5])


def test_a_real_run_is_interpolated_over_log2_at_other_levels():
    real = trial("real", 0, [90, 80], levels=(100.0, 25.0))
    quaternion = trial("quaternion", 0, [80], levels=(50.0,))
    (level,) = compare(experiment(real, quaternion)).levels
    assert (level.real, level.difference) == (pytest.approx(85), pytest.approx(-5))


# where they cross


def test_the_crossing_is_half_way_between_the_levels_where_the_means_change_places():
    crossing = compare(experiment(*crossing_pairs(5))).crossing
    assert crossing.weights_left == pytest.approx(12.5 / 2**0.5)
    assert crossing.turns == (crossing.turn,)
    assert (crossing.turn.high, crossing.turn.low, crossing.reason) == (12.5, 6.25, None)


def test_its_interval_is_where_the_paired_t_test_of_scipy_does_not_reject():
    (piece,) = compare(experiment(*crossing_pairs(5))).crossing.interval
    assert 12.5 > piece.high > 12.5 / 2**0.5 > piece.low > 6.25
    for end in (piece.high, piece.low):
        part = np.log2(12.5 / end)
        # The seeds differ by -5 and by 5 from one level to the next, give or take their own tenth.
        own = np.array([-5 + 10 * part + offset for offset in (-0.2, -0.1, 0, 0.1, 0.2)])
        assert stats.ttest_1samp(own, 0).pvalue == pytest.approx(0.05)


def test_where_no_level_differs_no_crossing_is_claimed():
    crossing = compare(experiment(*level_pairs([-2, 2, -1], [1, -1, 2], [-1, 1, -1]))).crossing
    assert (crossing.weights_left, crossing.turn, crossing.reason) == (None, None, "no level shows a difference")
    assert crossing.turns
    assert crossing.interval == (Piece(25, 6.25, True, True),)


def test_where_quaternion_is_never_shown_to_be_ahead_no_crossing_is_claimed():
    crossing = compare(experiment(*level_pairs([-5, -5, 3], [-5.1, -5, -2], [-4.9, -5.1, -0.5]))).crossing
    assert crossing.turn is None
    assert crossing.reason == "quaternion is at no level shown to be ahead"


def test_where_quaternion_is_ahead_from_the_first_level_on_there_is_nothing_to_cross():
    crossing = compare(experiment(*level_pairs([5, 5, 5], [5.1, 5.2, 5], [4.9, 5, 5.1]))).crossing
    assert crossing.turn is None
    assert crossing.reason.startswith("the quaternion mean is at no level below")
    assert crossing.interval == ()


def test_of_several_turns_the_last_one_before_quaternion_is_ahead_counts():
    rows = ([-5, 4, -5, 5], [5, -1, -5.1, 5.1], [-1, -1, -4.9, 4.9], [-1, 2, -5, 5])
    crossing = compare(experiment(*level_pairs(*rows))).crossing
    assert [turn.high for turn in crossing.turns] == [25, 6.25]
    assert crossing.turn.high == 6.25


def test_a_crossing_where_rounds_are_missing_has_no_place():
    runs = [point for run in crossing_pairs(5) for point in run if (point.algebra, point.round) != ("quaternion", 1)]
    crossing = compare(experiment(runs)).crossing
    assert crossing.turn == Turn(25, 6.25, None)
    assert (crossing.weights_left, crossing.reason) == (None, None)


def test_one_pair_has_turns_and_no_crossing_that_is_claimed():
    crossing = compare(experiment(*crossing_pairs(1))).crossing
    assert (crossing.weights_left, crossing.interval, crossing.reason) == (None, None, "1 seed is too few to tell")
    assert [turn.place for turn in crossing.turns] == pytest.approx([12.5 / 2**0.5])


# level by level


@pytest.mark.parametrize("pairs", [2, 5, 12, 41])
def test_whatever_the_number_of_pairs_the_verdict_is_that_of_the_t_test_with_holm_s_correction(pairs):
    generator = np.random.default_rng(pairs)
    differences = generator.normal([-3, 0.5, 4], 1, (pairs, 3)).round(2)
    levels = compare(experiment(*level_pairs(*differences))).levels
    p = stats.ttest_1samp(differences, 0).pvalue
    order = np.argsort(p)
    corrected = np.maximum.accumulate(p[order] * [3, 2, 1]).clip(max=1)[np.argsort(order)]
    assert [level.p for level in levels] == pytest.approx(corrected)
    assert [level.verdict for level in levels] == [
        UNKNOWN if q > 0.05 else AHEAD if mean > 0 else BEHIND
        for q, mean in zip(corrected, differences.mean(axis=0), strict=True)
    ]


def test_each_level_has_the_t_interval_of_scipy_of_itself_alone():
    levels = compare(experiment(*level_pairs([4, 9, 1], [5, -9, 2], [6, 9, 4]))).levels
    for level, differences in zip(levels, ([4, 5, 6], [9, -9, 9], [1, 2, 4]), strict=True):
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert (level.low, level.high, level.half) == pytest.approx((low, high, (high - low) / 2))


def test_the_exact_p_stands_beside_it_with_its_least_value():
    comparison = compare(experiment(*crossing_pairs(7)))
    assert [level.exact_p for level in comparison.levels] == pytest.approx([3 * 2 / 2**7] * 3)
    assert comparison.smallest_exact_p == pytest.approx(3 * 2 / 2**7)
    assert comparison.exact_pairs_needed == 7


def test_one_pair_has_no_tests():
    levels = compare(experiment(*crossing_pairs(1))).levels
    assert {(level.half, level.low, level.high, level.p, level.exact_p) for level in levels} == {(None,) * 5}
    assert {level.verdict for level in levels} == {"1 seed is too few to tell"}


def test_more_pairs_than_the_exact_test_takes_are_compared_all_the_same():
    levels = compare(experiment(*crossing_pairs(41))).levels
    assert {level.exact_p for level in levels} == {None}
    assert [level.verdict for level in levels] == [BEHIND, BEHIND, AHEAD]


def test_pairs_that_differ_alike_have_no_interval_and_show_no_difference():
    (level, *_) = compare(experiment(*level_pairs([-1, 0, 1], [-1, 0, 1], [-1, 0, 1]))).levels
    assert (level.half, level.low, level.high, level.p, level.verdict) == (None, None, None, 1, UNKNOWN)


def test_levels_where_rounds_are_missing_are_not_compared():
    runs = [point for run in crossing_pairs(3) for point in run if (point.algebra, point.round) != ("real", 3)]
    assert [level.weights_left for level in compare(experiment(runs)).levels] == [25, 6.25]


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
    ],
    ids=["real", "quaternion", "seeds", "levels"],
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


# from files


def test_a_folder_a_table_and_points_have_the_comparison_of_their_experiment(tmp_path):
    runs = crossing_pairs(5)
    expected = compare(experiment(*runs))
    (tmp_path / "results.csv").write_text(points.to_csv(point for run in runs for point in run))
    assert compare_results(tmp_path) == compare_results(str(tmp_path / "results.csv")) == expected
    assert compare_results(point for run in runs for point in run) == expected


def test_what_is_several_experiments_or_cannot_be_compared_is_an_error_that_says_so():
    with pytest.raises(UsageError, match="one experiment is needed; there are lenet-12 on mnist, protocol imp, lenet"):
        compare_results([*trial("real", 0, [90]), *trial("real", 0, [90], protocol="paper")])
    with pytest.raises(UsageError, match="the points: there is no quaternion run"):
        compare_results(trial("real", 0, [90]))
