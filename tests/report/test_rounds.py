"""Which rounds runs have, and which follow each other."""

import pytest

from quatnet.report import rounds
from tests.report.made import trial


def test_common_rounds_are_those_of_all_trials_by_their_numbers():
    assert rounds.common([[0, 7, 8], [0, 1, 2, 7, 8, 9], [8, 7, 0]]) == (0, 7, 8)


def test_rounds_follow_each_other_where_none_is_missing():
    assert rounds.successive([0, 1, 7, 8, 10]).tolist() == [True, False, True, False]
    assert rounds.gaps([0, 1, 7, 8, 10]) == (2, 4)


def test_one_round_follows_no_other():
    assert rounds.successive([0]).tolist() == []
    assert rounds.gaps([0]) == ()


@pytest.mark.parametrize(
    ("numbers", "text"), [([0], "0"), ([0, 1], "0 to 1"), (range(21), "0 to 20"), ([0, 7, 8, 9, 12], "0, 7 to 9, 12")]
)
def test_rounds_are_written_shortly(numbers, text):
    assert rounds.text(numbers) == text


def test_trials_are_put_together_by_the_numbers_of_their_rounds():
    every = trial("real", 0, [90, 80, 70, 60])
    some = trial("real", 1, [92, 0, 0, 64])
    numbers, weights_left, accuracy = rounds.shared([every, [some[3], some[0]]])
    assert numbers == (0, 3)
    assert weights_left.tolist() == [100, 12.5]
    assert accuracy.tolist() == [[90, 60], [92, 64]]
