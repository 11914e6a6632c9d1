"""Interpolation over log2, turns, and the levels of equality: by hand, and against scipy's test at many places."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from quatnet.report import crossing
from quatnet.report.crossing import Piece, Polyline, Turn

LEVELS = np.array([100.0, 50, 25, 12.5])
POINTS = st.floats(-20, 20).map(lambda value: round(value, 2))
PERCENT = st.floats(0, 100).map(lambda value: round(value, 2))


def curve(*rows, levels=LEVELS, numbers=None):
    return Polyline.of(np.array(levels, float), np.array(rows, float), numbers)


# interpolation


def test_between_two_levels_accuracy_is_linear_in_log2():
    at = np.array([100, 100 / 2**0.5, 12.5 * 2**0.25])
    assert curve([10, 20, 60, 100]).at(at) == pytest.approx(np.array([[10, 15, 90]]))


@given(hnp.arrays(np.float64, (2, 4), elements=PERCENT))
def test_at_its_own_levels_a_curve_is_not_changed(values):
    assert Polyline.of(LEVELS, values).at(LEVELS) == pytest.approx(values)


def test_levels_within_the_range_of_others_are_reached_in_spite_of_rounding():
    other = curve([0, 0, 0], levels=(25.11309, 15, 10.0005))
    assert other.reaches(np.array([50.1, 25.1131, 20, 10, 9.99])).tolist() == [False, True, True, True, False]


def test_across_missing_rounds_nothing_is_interpolated():
    some = curve([90, 70, 60], levels=(100, 20, 16), numbers=(0, 7, 8))
    at = np.array([100, 99, 50, 20.001, 18, 16])
    assert some.reaches(at).tolist() == [True, False, False, True, True, True]
    assert np.isnan(some.at(at)[0]).tolist() == [False, True, True, False, False, False]


def test_the_difference_of_two_curves_is_known_at_the_levels_of_both_in_the_range_of_both():
    first = curve([3, 1, 0], levels=(40, 20, 10))
    second = curve([0, 0, 0], levels=(80, 28.2842712474619, 14.142135623730951))
    difference = first.minus(second)
    assert difference.weights_left == pytest.approx([40, 28.2842712474619, 20, 14.142135623730951])
    assert difference.values == pytest.approx(np.array([[3, 2, 1, 0.5]]))
    assert difference.joined.all()


def test_a_difference_is_linear_only_where_both_curves_are():
    first = curve([1, 1, 1, 1], numbers=(0, 1, 5, 6))
    second = curve([0, 0, 0, 0, 0], levels=(80, 60, 30, 20, 15))
    difference = first.minus(second)
    assert difference.weights_left.tolist() == [80, 60, 50, 25, 20, 15]
    assert difference.joined.tolist() == [True, True, False, True, True]


# turns


def test_a_mean_turns_where_it_rises_from_below_0_to_it_or_above():
    found = crossing.turns(curve([-1, -1, 1, 2], [-3, -3, 3, 4]))
    assert found == (Turn(50, 25, pytest.approx(50 / 2**0.5)),)


@pytest.mark.parametrize(
    ("mean", "places"),
    [
        ([-3, 1, -1, 1], [100 / 2**0.75, 25 / 2**0.5]),
        ([1, -2, -1, 0], [12.5]),
        ([-1, -2, -3, -4], []),
        ([1, 2, 3, 0], []),
        ([3, 2, 1, -1], []),
    ],
)
def test_every_turn_is_found_and_falls_are_none(mean, places):
    assert [turn.place for turn in crossing.turns(curve(mean))] == pytest.approx(places)


def test_a_turn_across_missing_rounds_has_no_place():
    assert crossing.turns(curve([-1, -1, 1, 2], numbers=(0, 1, 7, 8))) == (Turn(50, 25, None),)


@pytest.mark.parametrize("levels", [0, 1])
def test_too_few_levels_have_no_turn(levels):
    assert crossing.turns(curve(np.ones(levels), levels=LEVELS[:levels])) == ()


@given(hnp.arrays(np.float64, (2, 4), elements=PERCENT))
def test_at_a_turn_the_curves_are_equal(values):
    real, quaternion = (Polyline.of(LEVELS, row) for row in values)
    found = crossing.turns(quaternion.minus(real))
    assume(found)
    at = np.array([found[0].place])
    assert real.at(at) == pytest.approx(quaternion.at(at), abs=1e-6)


# levels of equality


def test_the_ends_of_the_interval_are_where_scipy_s_p_is_5_percent():
    differences = curve([-9, -4, 4, 11], [-11, -6, 6, 9], [-10, -5, 5, 10], [-8, -7, 4, 9])
    (piece,) = crossing.equality(differences)
    assert not piece.high_open
    assert not piece.low_open
    assert 50 > piece.high > piece.low > 25
    for end in (piece.high, piece.low):
        (values,) = differences.at(np.array([end])).T
        assert stats.ttest_1samp(values, 0).pvalue == pytest.approx(0.05)


@given(hnp.arrays(np.float64, (3, 4), elements=POINTS))
def test_the_pieces_are_the_places_where_scipy_s_test_does_not_reject(values):
    assume((np.ptp(values, axis=0) > 0.5).all())
    differences = Polyline.of(LEVELS, values)
    pieces = crossing.equality(differences)
    at = np.geomspace(99.9, 12.6, 41)
    p = stats.ttest_1samp(differences.at(at), 0).pvalue
    inside = np.array([any(piece.low <= place <= piece.high for piece in pieces) for place in at])
    clear = np.abs(p - 0.05) > 1e-6
    assert (inside == (p > 0.05))[clear].all()


def test_it_is_open_where_the_levels_end_before_equality_is_rejected():
    differences = curve([-1, -1, 2, 20], [1, 1, 2.1, 21], [2, 2, 1.9, 22])
    (piece,) = crossing.equality(differences)
    assert (piece.high, piece.high_open, piece.low_open) == (100, True, False)
    assert crossing.equality(curve([-1, 0, 2, 1], [1, 0.5, -2, 1], [2, -1, 1, -3])) == (Piece(100, 12.5, True, True),)


def test_it_may_have_pieces():
    # Far from 0 at 50 %, and scattered around it at 100 and 12.5 %.
    pieces = crossing.equality(curve([-1, 10, 11, -2], [1, 10.1, 10, 2], [0.5, 9.9, 10, 1]))
    assert [(piece.high_open, piece.low_open) for piece in pieces] == [(True, False), (False, True)]
    assert pieces[0].high == 100
    assert pieces[0].low > 50 > 25 > pieces[1].high
    assert pieces[1].low == 12.5


def test_it_is_empty_where_equality_is_rejected_everywhere():
    assert crossing.equality(curve([10, 11, 10, 11], [11, 10, 11, 10], [10, 10, 11, 11])) == ()


def test_it_is_open_towards_missing_rounds():
    values = ([-10, 1, -1, 10], [-11, -1, 1, 11], [-10, 2, 2, 11])
    whole, some = (crossing.equality(curve(*values, numbers=numbers)) for numbers in (None, (0, 1, 5, 6)))
    assert [(p.high_open, p.low_open) for p in whole] == [(False, False)]
    assert [(p.high_open, p.low_open) for p in some] == [(False, True), (True, False)]
    assert (some[0].low, some[1].high) == (50, 25)
    assert (some[0].high, some[1].low) == (whole[0].high, whole[0].low)


def test_a_level_between_missing_rounds_stands_alone():
    values = ([-1, 50, 50, 50], [1, 51, 51, 51])
    assert crossing.equality(curve(*values, numbers=(0, 3, 6, 9))) == (Piece(100, 100, True, True),)


def test_one_pair_has_none():
    assert crossing.equality(curve([-1, -1, 1, 1])) == ()


def test_pairs_that_differ_alike_say_nothing_anywhere():
    assert crossing.equality(curve(*[[-1, -1, 1, 1]] * 3)) == (Piece(100, 12.5, True, True),)
