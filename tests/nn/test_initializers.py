"""Initial weights: their distributions against the derivation in the protocol, with bounds of six standard errors."""

import numpy as np
import pytest
from scipy import stats

from quatnet.nn.initializers import INITIALIZERS, glorot, he, matched, paper
from quatnet.nn.layers import Conv2d, Dense, QuaternionConv2d, QuaternionDense, Sequential
from quatnet.nn.networks import Network
from tests.small import build

REAL = [Dense(400, 600), Conv2d(64, 128, 3)]
QUATERNION = [QuaternionDense(800, 1200), QuaternionConv2d(128, 256, 3)]


def name_of(layer):
    return type(layer).__name__


def fan_in(layer):
    """Real inputs that one real output sums over, from the layer's widths."""
    return layer.inputs * getattr(layer, "kernel", 1) ** 2


def fan_out(layer):
    return layer.outputs * getattr(layer, "kernel", 1) ** 2


def draw(init, layer):
    return init(layer, np.random.default_rng(123))


def assert_mean(samples, expected):
    """The mean of independent samples lies within six standard errors of the expected one."""
    samples = np.ravel(samples)
    assert abs(samples.mean() - expected) < 6 * samples.std() / np.sqrt(samples.size)


@pytest.mark.parametrize("layer", REAL + QUATERNION, ids=name_of)
def test_a_layers_fans_count_real_inputs_and_outputs(layer):
    assert (layer.fan_in, layer.fan_out) == (fan_in(layer), fan_out(layer))


@pytest.mark.parametrize("layer", REAL, ids=name_of)
def test_the_papers_real_weights_and_biases_are_uniform_up_to_one_over_root_n(layer):
    weight, bias = draw(paper, layer)
    bound = 1 / np.sqrt(fan_in(layer))
    for sample in (weight, bias):
        assert np.abs(sample).max() < bound
        assert stats.kstest(sample.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-6
    assert_mean(weight**2, 1 / (3 * fan_in(layer)))


@pytest.mark.parametrize(
    ("layer", "area_over_counted"), [(QUATERNION[0], 1), (QUATERNION[1], 3)], ids=["dense", "conv"]
)
def test_the_papers_quaternion_weights_have_larger_real_parts_and_a_slip_in_3x3_kernels(layer, area_over_counted):
    weight, _ = draw(paper, layer)
    n = fan_in(layer)
    assert_mean(weight[0] ** 2, area_over_counted / n)
    for component in weight[1:]:
        assert_mean(component**2, area_over_counted / (3 * n))


@pytest.mark.parametrize("layer", QUATERNION, ids=name_of)
def test_the_papers_quaternions_have_a_chi_magnitude_and_a_uniform_phase(layer):
    weight, _ = draw(paper, layer)
    counted = fan_in(layer) / getattr(layer, "kernel", 1)
    imaginary = np.sqrt((weight[1:] ** 2).sum(axis=0))
    squared_magnitude = (weight**2).sum(axis=0) * 2 * counted
    phase = np.arctan2(imaginary, weight[0])
    assert stats.kstest(squared_magnitude.ravel(), stats.chi2(4).cdf).pvalue > 1e-6
    assert stats.kstest(phase.ravel(), stats.uniform(0, np.pi).cdf).pvalue > 1e-6


def test_the_papers_imaginary_axis_is_a_normalised_point_of_the_cube_and_favours_its_corners():
    weight, _ = draw(paper, QUATERNION[0])
    axis = weight[1:] / np.sqrt((weight[1:] ** 2).sum(axis=0))
    cube = np.random.default_rng(7).uniform(-1, 1, (3, axis[0].size))
    cube /= np.sqrt((cube**2).sum(axis=0))
    assert stats.ks_2samp(axis[0].ravel(), cube[0]).pvalue > 1e-6
    assert stats.kstest(axis[0].ravel(), stats.uniform(-1, 2).cdf).pvalue < 1e-6  # a sphere's would be uniform
    for component in axis:
        assert_mean(component, 0)


@pytest.mark.parametrize(
    ("layer", "gain"),
    [
        (QUATERNION[1], 1.5),
        (QUATERNION[0], 0.5),
        (REAL[0], 1 / 3),
        (REAL[1], 1 / 3),
    ],
    ids=["quaternion conv", "quaternion dense", "real dense", "real conv"],
)
def test_the_papers_gains_are_those_of_the_protocol(layer, gain):
    weight, _ = draw(paper, layer)
    squares = weight**2 if not layer.quaternion else (weight**2).mean(axis=0)
    assert_mean(fan_in(layer) * squares, gain)


@pytest.mark.parametrize("layer", REAL + QUATERNION, ids=name_of)
def test_he_weights_are_normal_with_variance_two_over_fan_in(layer):
    weight, _ = draw(he, layer)
    assert_mean(weight**2, 2 / fan_in(layer))
    assert stats.kstest(weight.ravel(), stats.norm(0, np.sqrt(2 / fan_in(layer))).cdf).pvalue > 1e-6


@pytest.mark.parametrize("layer", REAL + QUATERNION, ids=name_of)
def test_glorot_weights_are_normal_with_variance_two_over_the_sum_of_fans(layer):
    weight, _ = draw(glorot, layer)
    variance = 2 / (fan_in(layer) + fan_out(layer))
    assert_mean(weight**2, variance)
    assert stats.kstest(weight.ravel(), stats.norm(0, np.sqrt(variance)).cdf).pvalue > 1e-6


@pytest.mark.parametrize("layer", REAL + QUATERNION, ids=name_of)
def test_matched_weights_have_the_scale_of_the_papers_quaternions_in_both_algebras(layer):
    counted = layer.kernel if isinstance(layer, Conv2d) else 1
    weight, bias = draw(matched, layer)
    assert_mean(weight**2, counted / (2 * fan_in(layer)))
    assert stats.kstest(weight.ravel(), stats.norm(0, np.sqrt(counted / (2 * fan_in(layer)))).cdf).pvalue > 1e-6
    assert not bias.any()
    if layer.quaternion:
        assert_mean(draw(paper, layer)[0] ** 2, counted / (2 * fan_in(layer)))


@pytest.mark.parametrize("init", [he, glorot, matched])
@pytest.mark.parametrize("layer", QUATERNION, ids=name_of)
def test_he_and_glorot_quaternions_point_in_every_direction_alike(init, layer):
    weight, _ = draw(init, layer)
    direction = weight.reshape(4, -1) / np.sqrt((weight.reshape(4, -1) ** 2).sum(axis=0))
    for a in range(4):
        assert_mean(direction[a] ** 2, 1 / 4)
        for b in range(a):
            assert_mean(direction[a] * direction[b], 0)


@pytest.mark.parametrize("init", INITIALIZERS.values(), ids=INITIALIZERS)
@pytest.mark.parametrize("layer", REAL + QUATERNION, ids=name_of)
def test_weights_are_centred_and_have_the_shapes_of_the_layer(init, layer):
    weight, bias = draw(init, layer)
    assert weight.shape == layer.weight.shape
    assert bias.shape == layer.bias.shape
    assert_mean(weight, 0)


@pytest.mark.parametrize("init", INITIALIZERS.values(), ids=INITIALIZERS)
@pytest.mark.parametrize("layer", QUATERNION, ids=name_of)
def test_quaternion_biases_are_zero(init, layer):
    assert not draw(init, layer)[1].any()


@pytest.mark.parametrize("init", [he, glorot])
@pytest.mark.parametrize("layer", REAL, ids=name_of)
def test_real_biases_of_he_and_glorot_are_zero(init, layer):
    assert not draw(init, layer)[1].any()


@pytest.mark.parametrize("init", INITIALIZERS)
@pytest.mark.parametrize("quaternion", [False, True])
def test_the_seed_decides_the_weights(init, quaternion):
    first, again, other = (
        build("lenet-12", quaternion=quaternion, input_shape=(8, 8, 1), classes=10, seed=seed, init=init)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.parameters.value, again.parameters.value)
    assert not (first.parameters["fc1.weight"].value == other.parameters["fc1.weight"].value).any()


@pytest.mark.parametrize("init", INITIALIZERS)
def test_float32_weights_are_the_rounded_float64_ones(init):
    single, double = (
        build("lenet-12", quaternion=True, input_shape=(8, 8, 1), classes=10, init=init, dtype=dtype)
        for dtype in ("float32", "float64")
    )
    np.testing.assert_array_equal(single.parameters.value, double.parameters.value.astype(np.float32))


@pytest.mark.parametrize("init", INITIALIZERS)
def test_two_layers_of_one_shape_get_different_weights(init):
    network = Network(Sequential({"a": QuaternionDense(8, 8), "b": QuaternionDense(8, 8)}), (8,))
    network.initialize(init, np.random.default_rng(0))
    assert not (network.parameters["a.weight"].value == network.parameters["b.weight"].value).any()
