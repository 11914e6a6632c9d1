"""Batch normalisation as a part of a network: its running statistics, and its promises as a layer."""

import numpy as np
import pytest

from quatnet.nn.layers.batchnorm import BatchNorm, ScalarBatchNorm
from quatnet.nn.layers.whitening import WhiteningBatchNorm
from quatnet.nn.parameters import Parameters
from tests.nn.layers.normalisations import KINDS, pixels_of, state_of, with_random_scale, with_random_statistics


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def maps_nhwc():
    """Maps of two quaternion channels whose components are correlated and far from 0."""
    random = np.random.default_rng(1)
    return random.normal(size=(5, 4, 3, 8)) @ random.normal(size=(8, 8)) + 3


# running statistics


def test_the_running_statistics_move_by_the_momentum_towards_mean_and_unbiased_variance(maps_nhwc):
    layer = with_random_scale(BatchNorm(8, momentum=0.25))
    pixels = pixels_of(maps_nhwc)
    mean, variance = np.zeros(8), np.ones(8)
    for _ in range(3):
        layer.forward(maps_nhwc)
        mean = 0.75 * mean + 0.25 * pixels.mean(axis=0)
        variance = 0.75 * variance + 0.25 * pixels.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.mean.value, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.variance.value, variance, rtol=1e-12)


def test_the_running_covariance_is_the_unbiased_one_of_each_channel(maps_nhwc):
    layer = with_random_scale(WhiteningBatchNorm(8, momentum=1))
    layer.forward(maps_nhwc)
    for channel in range(2):
        expected = np.cov(pixels_of(maps_nhwc)[:, channel::2], rowvar=False)
        np.testing.assert_allclose(layer.variance.value[:, :, channel], expected, rtol=1e-10)


def test_predict_with_the_statistics_of_a_batch_is_the_forward_pass_of_that_batch(kind, maps_nhwc):
    layer = with_random_scale(kind(8, momentum=1))
    y, _ = layer.forward(maps_nhwc)
    layer.variance.value *= 59 / 60  # forward takes the biased variance, and keeps the unbiased one
    np.testing.assert_allclose(layer.predict(maps_nhwc), y, atol=1e-10)


def test_predict_treats_every_image_on_its_own(kind, maps_nhwc):
    layer = with_random_statistics(with_random_scale(kind(8)))
    np.testing.assert_allclose(layer.predict(maps_nhwc[1:2]), layer.predict(maps_nhwc)[1:2], rtol=1e-12)


def test_predict_changes_no_statistics_and_forward_changes_all(kind, maps_nhwc):
    layer = with_random_scale(kind(8))
    before = state_of(layer)
    layer.predict(maps_nhwc)
    for name, statistic in state_of(layer).items():
        np.testing.assert_array_equal(statistic, before[name])
    layer.forward(maps_nhwc)
    for name, statistic in state_of(layer).items():
        assert not np.array_equal(statistic, before[name])


def test_the_first_prediction_of_a_new_layer_leaves_values_as_they_are_but_for_the_scale(kind, maps_nhwc):
    scale = 1 / 2 if kind is WhiteningBatchNorm else 1
    np.testing.assert_allclose(kind(8).predict(maps_nhwc), scale * maps_nhwc, rtol=1e-5)


def test_the_state_is_stored_and_loaded_by_name_like_parameters(kind, maps_nhwc):
    trained, other = (with_random_scale(kind(8)) for _ in range(2))
    stored = Parameters(trained.state, np.dtype("float64"))
    trained.forward(maps_nhwc)
    assert not np.allclose(trained.predict(maps_nhwc), other.predict(maps_nhwc))
    Parameters(other.state, np.dtype("float64")).load(stored.by_name())
    np.testing.assert_array_equal(other.predict(maps_nhwc), trained.predict(maps_nhwc))


def test_reset_restores_a_new_layer(kind, maps_nhwc):
    layer = with_random_statistics(with_random_scale(kind(8)))
    layer.reset()
    new = kind(8)
    for name, parameter in (layer.parameters | layer.state).items():
        np.testing.assert_array_equal(parameter.value, (new.parameters | new.state)[name].value)


# what every layer promises


@pytest.mark.parametrize(
    ("kind", "scale", "variance"),
    [(BatchNorm, (8,), (8,)), (ScalarBatchNorm, (2,), (8,)), (WhiteningBatchNorm, (10, 2), (4, 4, 2))],
)
def test_scale_and_shift_are_parameters_and_the_statistics_are_not(kind, scale, variance):
    layer = kind(8)
    assert {name: p.shape for name, p in layer.parameters.items()} == {"scale": scale, "shift": (8,)}
    assert {name: p.shape for name, p in layer.state.items()} == {"mean": (8,), "variance": variance}


def test_scale_and_shift_are_never_pruned(kind):
    assert not Parameters(kind(8).parameters, np.dtype("float32")).prunable.any()


def test_float32_is_float64_but_for_rounding(kind, maps_nhwc):
    results = []
    for dtype in ("float32", "float64"):
        layer = with_random_scale(kind(8), dtype=dtype)
        y, backward = layer.forward(maps_nhwc.astype(dtype))
        results.append([y, backward(np.cos(np.arange(480).astype(dtype)).reshape(y.shape)), layer.scale.gradient])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_arrays_that_do_not_lie_in_one_piece_give_the_same(kind, maps_nhwc):
    layer = with_random_scale(kind(8))
    wide = np.zeros((5, 6, 5, 8))
    wide[:, 1:-1, 1:-1] = maps_nhwc
    y, backward = layer.forward(wide[:, 1:-1, 1:-1])
    expected, expected_backward = layer.forward(maps_nhwc)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(backward(wide[:, 1:-1, 1:-1]), expected_backward(maps_nhwc))
