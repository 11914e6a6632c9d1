"""Batch normalisation of all kinds: their gradients, what each of them normalises, and PyTorch's."""

import numpy as np
import pytest
import quaternion as independent
from hypothesis import given

from quatnet.errors import UsageError
from quatnet.nn.layers.batchnorm import BatchNorm, ScalarBatchNorm
from quatnet.nn.layers.whitening import WhiteningBatchNorm
from tests.nn.gradcheck import assert_layer_gradients
from tests.nn.layers.normalisations import KINDS, pixels_of, state_of, with_random_scale, with_random_statistics
from tests.strategies import SEEDS, images_nhwc, rows_nc


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def maps_nhwc():
    """Maps of two quaternion channels whose components are correlated and far from 0."""
    random = np.random.default_rng(1)
    return random.normal(size=(5, 4, 3, 8)) @ random.normal(size=(8, 8)) + 3


# gradients


@pytest.mark.parametrize("kind", KINDS)
@given(x=images_nhwc(channels=8), seed=SEEDS)
def test_gradients_of_maps_equal_differences(kind, x, seed):
    assert_layer_gradients(with_random_scale(kind(8, epsilon=0.1), seed), x, seed)


@pytest.mark.parametrize("kind", KINDS)
@given(x=rows_nc(multiple=4), seed=SEEDS)
def test_gradients_of_rows_equal_differences(kind, x, seed):
    assert_layer_gradients(with_random_scale(kind(x.shape[1], epsilon=0.1), seed), x, seed)


@given(images_nhwc(), SEEDS)
def test_gradients_of_any_number_of_real_channels_equal_differences(x, seed):
    assert_layer_gradients(with_random_scale(BatchNorm(x.shape[3], epsilon=0.1), seed), x, seed)


def test_gradients_with_the_usual_epsilon_equal_differences(kind, maps_nhwc):
    assert_layer_gradients(with_random_scale(kind(8)), maps_nhwc, seed=0)


# what is normalised


def test_every_channel_gets_the_shift_as_mean_and_the_scale_as_deviation(maps_nhwc):
    layer = with_random_scale(BatchNorm(8, epsilon=1e-12))
    y = pixels_of(layer.forward(maps_nhwc)[0])
    np.testing.assert_allclose(y.mean(axis=0), layer.shift.value, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), np.abs(layer.scale.value), rtol=1e-10)


def test_epsilon_is_added_to_the_variance():
    x = np.array([[0.0], [4.0]])
    y, _ = BatchNorm(1, epsilon=5.0).forward(x)
    np.testing.assert_allclose(y, [[-2 / 3], [2 / 3]])


def test_scalar_normalises_the_mean_of_the_components_variances_to_the_square_of_the_scale(maps_nhwc):
    layer = with_random_scale(ScalarBatchNorm(8, epsilon=1e-12))
    y = pixels_of(layer.forward(maps_nhwc)[0])
    np.testing.assert_allclose(y.mean(axis=0), layer.shift.value, atol=1e-12)
    variances = y.var(axis=0).reshape(4, 2)
    np.testing.assert_allclose(variances.mean(axis=0), layer.scale.value**2, rtol=1e-10)
    assert (variances.max(axis=0) > 1.5 * variances.min(axis=0)).all()


@given(images_nhwc(channels=8), SEEDS)
def test_scalar_normalisation_of_turned_quaternions_is_the_turned_normalisation(x, seed):
    random = np.random.default_rng(seed)
    turn = independent.as_quat_array(random.normal(size=4)).normalized()

    def turned(maps):
        quaternions = independent.as_quat_array(np.moveaxis(maps.reshape(*maps.shape[:3], 4, 2), 3, 4))
        components = np.moveaxis(independent.as_float_array(turn * quaternions), 4, 3)
        return components.reshape(maps.shape)

    layer = with_random_scale(ScalarBatchNorm(8), seed)
    layer.shift.value[...] = 0
    y = layer.forward(x)[0]
    np.testing.assert_allclose(layer.forward(turned(x))[0], turned(y), atol=1e-9 * (1 + np.abs(y).max()))


def test_a_channel_of_equal_entries_becomes_its_shift_with_finite_gradients(kind, maps_nhwc):
    maps_nhwc[..., ::2] = 7
    layer = with_random_scale(kind(8))
    y, backward = layer.forward(maps_nhwc)
    np.testing.assert_allclose(pixels_of(y)[:, ::2], np.tile(layer.shift.value[::2], (60, 1)), atol=1e-10)
    assert np.isfinite(backward(np.cos(y))).all()


def test_a_single_image_of_several_pixels_is_normalised(kind, maps_nhwc):
    y = pixels_of(kind(8, epsilon=1e-12).forward(maps_nhwc[:1])[0])
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose((y**2).mean(), 1 / 4 if kind is WhiteningBatchNorm else 1, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 8), (1, 1, 1, 8)])
def test_a_single_value_per_channel_becomes_the_shift_and_teaches_nothing(kind, shape):
    layer = with_random_statistics(with_random_scale(kind(8)))
    before = state_of(layer)
    y, backward = layer.forward(np.full(shape, 5.0))
    np.testing.assert_array_equal(y.ravel(), layer.shift.value)
    assert not backward(np.arange(8.0).reshape(shape)).any()
    assert not layer.scale.gradient.any()
    np.testing.assert_array_equal(layer.shift.gradient, np.arange(8.0))
    for name, statistic in state_of(layer).items():
        np.testing.assert_array_equal(statistic, before[name])


@pytest.mark.parametrize("shape", [(0, 8), (0, 3, 2, 8)])
def test_no_images_give_no_images_and_teach_nothing(kind, shape):
    layer = with_random_statistics(with_random_scale(kind(8)))
    before = state_of(layer)
    y, backward = layer.forward(np.zeros(shape))
    assert y.shape == backward(y).shape == layer.predict(y).shape == shape
    assert not layer.shift.gradient.any()
    assert not layer.scale.gradient.any()
    for name, statistic in state_of(layer).items():
        np.testing.assert_array_equal(statistic, before[name])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_nan_is_passed_on_so_that_a_diverged_run_is_noticed(kind, maps_nhwc):
    maps_nhwc[0, 0, 0, 0] = np.nan
    assert np.isnan(kind(8).forward(maps_nhwc)[0][..., 0]).all()


# errors


@pytest.mark.parametrize("channels", [0, -4, 8.0])
def test_channels_must_be_a_positive_integer(kind, channels):
    with pytest.raises(UsageError, match=f"channels: {channels} given; a positive integer is needed"):
        kind(channels)


@pytest.mark.parametrize("kind", [ScalarBatchNorm, WhiteningBatchNorm])
def test_channels_that_do_not_split_name_the_nearest_two_numbers(kind):
    with pytest.raises(UsageError, match=r"channels: 6 given; .* 4 or 8"):
        kind(6)


@pytest.mark.parametrize("momentum", [0, -0.1, 1.5, float("nan")])
def test_a_momentum_outside_0_to_1_is_named(kind, momentum):
    with pytest.raises(UsageError, match=f"momentum: {momentum} given; more than 0 and at most 1 is needed"):
        kind(8, momentum=momentum)


@pytest.mark.parametrize("epsilon", [0, -1e-5, float("inf"), float("nan")])
def test_an_epsilon_that_is_not_positive_is_named(kind, epsilon):
    with pytest.raises(UsageError, match=f"epsilon: {epsilon} given; a positive number is needed"):
        kind(8, epsilon=epsilon)


def test_maps_of_other_channels_are_an_error_that_names_the_layer(kind):
    for run in (kind(8).forward, kind(8).predict):
        with pytest.raises(ValueError, match=rf"x: shape \(2, 4\) given; {kind.__name__} needs 8 on the last axis"):
            run(np.zeros((2, 4), np.float32))


# the other library


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(5, 4, 3, 6), (7, 6), (1, 2, 2, 6)])
def test_outputs_gradients_and_running_statistics_equal_pytorchs(shape, torch):
    random = np.random.default_rng(2)
    layer = with_random_scale(BatchNorm(6, momentum=0.1, epsilon=1e-5))
    scale, shift = (torch.tensor(p.value, requires_grad=True) for p in layer.parameters.values())
    mean, variance = torch.zeros(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)

    def expected(x, training):
        return torch.nn.functional.batch_norm(
            x.movedim(-1, 1), mean, variance, scale, shift, training, momentum=0.1, eps=1e-5
        ).movedim(1, -1)

    for _ in range(3):
        x, dy = random.normal(1, 2, shape), random.normal(size=shape)
        images = torch.tensor(x, requires_grad=True)
        scale.grad = shift.grad = None
        y = expected(images, training=True)
        y.backward(torch.tensor(dy))
        found, backward = layer.forward(x)
        pairs = {
            "y": (found, y.detach()),
            "dx": (backward(dy), images.grad),
            "scale": (layer.scale.gradient, scale.grad),
            "shift": (layer.shift.gradient, shift.grad),
            "mean": (layer.mean.value, mean),
            "variance": (layer.variance.value, variance),
            "predict": (layer.predict(x), expected(images, training=False).detach()),
        }
        for name, (array, wanted) in pairs.items():
            np.testing.assert_allclose(array, wanted.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)
