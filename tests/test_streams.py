"""Streams of random numbers: a function of seed, name and position, and independent of each other."""

import itertools

import numpy as np
import pytest
from scipy import stats

from quatnet.streams import Stream, generator


def numbers(*arguments, size=8):
    return generator(*arguments).random(size)


@pytest.mark.parametrize("position", [(), (0,), (3, 14)])
def test_the_same_seed_stream_and_position_give_the_same_numbers(position):
    np.testing.assert_array_equal(numbers(5, Stream.ORDER, *position), numbers(5, Stream.ORDER, *position))


def test_a_generator_is_fresh_whatever_was_drawn_before():
    first = generator(5, Stream.ORDER)
    before = first.random(8)
    first.random(1000)
    np.testing.assert_array_equal(numbers(5, Stream.ORDER), before)


def test_a_stream_is_numpys_spawned_child_of_the_seed():
    child = np.random.SeedSequence(5).spawn(len(Stream))[Stream.MASK]
    np.testing.assert_array_equal(numbers(5, Stream.MASK), np.random.default_rng(child).random(8))


def test_a_position_is_numpys_spawned_child_of_the_stream():
    child = np.random.SeedSequence(5).spawn(2)[Stream.ORDER].spawn(4)[3].spawn(8)[7]
    np.testing.assert_array_equal(numbers(5, Stream.ORDER, 3, 7), np.random.default_rng(child).random(8))


def test_other_seeds_streams_and_positions_give_other_numbers():
    positions = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    arguments = [(seed, stream, *p) for seed in (0, 1, 2**40) for stream in Stream for p in positions]
    first = {generator(*a).integers(2**63) for a in arguments}
    assert len(first) == len(arguments) == 3 * 8 * 6


def test_two_streams_of_one_seed_are_uncorrelated():
    size = 20_000
    draws = [numbers(0, stream, size=size) for stream in Stream] + [numbers(0, Stream.ORDER, 0, 1, size=size)]
    for a, b in itertools.combinations(draws, 2):
        assert abs(stats.pearsonr(a, b).statistic) < 6 / np.sqrt(size)


def test_the_numbers_of_the_streams_are_those_of_the_file_format():
    names = {stream.name: stream.value for stream in Stream}
    assert names == {
        "INIT": 0,
        "ORDER": 1,
        "AUGMENTATION": 2,
        "MASK": 3,
        "REINIT": 4,
        "SIGNS": 5,
        "CUT": 1000,
        "SHAPES": 1001,
    }
