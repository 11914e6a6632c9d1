"""Batch normalisation piece by piece and on threads."""

import numpy as np
import pytest

from quatnet.fast.batchnorm import FastBatchNorm
from quatnet.fast.threads import Threads
from tests.nn.layers.normalisations import KINDS, state_of, with_random_scale, with_random_statistics

TWO_LINES = 3 * 8 * 8 * 2
"""The bytes of two lines of three pixels of eight channels."""


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def maps_nhwc():
    """Maps of two quaternion channels whose components are correlated and far from 0."""
    random = np.random.default_rng(1)
    return random.normal(size=(5, 4, 3, 8)) @ random.normal(size=(8, 8)) + 3


def results_with(kind, x, threads=1, **given):
    layer = FastBatchNorm(with_random_scale(kind(8)), Threads(threads), **given)
    y, backward = layer.forward(x)
    dx = backward(np.cos(y))
    gradients = [parameter.gradient for parameter in layer.parameters.values()]
    return [y, dx, *gradients, *state_of(layer.layer).values(), layer.predict(x)]


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(kind, threads, maps_nhwc):
    expected = results_with(kind, maps_nhwc, piece_bytes=TWO_LINES)
    for found, array in zip(results_with(kind, maps_nhwc, threads, piece_bytes=TWO_LINES), expected, strict=True):
        np.testing.assert_array_equal(found, array)


def test_large_maps_are_done_in_pieces_without_a_difference_but_rounding(kind, maps_nhwc, monkeypatch):
    expected, taken, pair = results_with(kind, maps_nhwc), [], FastBatchNorm._pair

    def recording(layer, a, b):
        taken.append(len(a))
        return pair(layer, a, b)

    monkeypatch.setattr(FastBatchNorm, "_pair", recording)
    for found, array in zip(results_with(kind, maps_nhwc, piece_bytes=1400), expected, strict=True):
        np.testing.assert_allclose(found, array, rtol=1e-9, atol=1e-9)
    assert taken == 2 * [7, 7, 6]


@pytest.mark.parametrize("shape", [(0, 8), (0, 3, 2, 8)])
def test_no_images_give_no_images_and_teach_nothing(kind, shape):
    layer = with_random_statistics(with_random_scale(kind(8)))
    before, fast = state_of(layer), FastBatchNorm(layer, Threads(1))
    y, backward = fast.forward(np.zeros(shape))
    assert y.shape == backward(y).shape == fast.predict(y).shape == shape
    assert not layer.shift.gradient.any()
    for name, statistic in state_of(layer).items():
        np.testing.assert_array_equal(statistic, before[name])


def test_maps_of_other_channels_are_an_error_that_names_the_layer(kind):
    layer = FastBatchNorm(kind(8), Threads(1))
    for run in (layer.forward, layer.predict):
        with pytest.raises(ValueError, match=rf"x: shape \(2, 4\) given; {kind.__name__} needs 8 on the last axis"):
            run(np.zeros((2, 4), np.float32))
