"""Whitening: the covariance it leaves, and the algebra of 4x4 matrices under it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.nn.layers.whitening import (
    UPPER,
    WhiteningBatchNorm,
    cholesky,
    gather,
    inverse_factor,
    inverse_triangle,
    spread,
)
from quatnet.nn.parameters import Parameters
from tests.nn.gradcheck import assert_gradients, with_random_values
from tests.strategies import SEEDS, WIDTHS, normals


@st.composite
def covariances_q44(draw):
    """Symmetric matrices (channels, 4, 4) with eigenvalues of at least 0.1."""
    a = draw(normals(draw(WIDTHS), 4, 4))
    return a @ a.swapaxes(1, 2) + 0.1 * np.eye(4)


@st.composite
def correlated_maps_nhwc(draw):
    """Maps with more pixels than components, whose components are mixed and far from 0."""
    channels = 4 * draw(WIDTHS)
    n, h, w = draw(st.integers(1, 3)), draw(st.integers(3, 6)), draw(st.integers(3, 6))
    return draw(normals(n, h, w, channels)) @ draw(normals(channels, channels)) + draw(normals(channels))


def unscaled(channels, epsilon):
    """A layer whose scale is the unit matrix, so that its output has the covariance of the whitened components."""
    layer = WhiteningBatchNorm(channels, epsilon=epsilon)
    for p in (layer.parameters, layer.state):
        Parameters(p, np.dtype("float64"))
    layer.scale.value *= 2
    return layer


def quaternions(maps):
    """Return (pixels, channels, 4)."""
    return np.moveaxis(maps.reshape(-1, 4, maps.shape[-1] // 4), 1, 2)


def covariance(components):
    return np.cov(components, rowvar=False, ddof=0)


@given(correlated_maps_nhwc())
def test_the_covariance_of_the_outputs_is_the_unit_matrix_less_what_epsilon_takes(x):
    epsilon = 1e-3
    y, _ = unscaled(x.shape[3], epsilon).forward(x)
    for channel in range(x.shape[3] // 4):
        v = covariance(quaternions(x)[:, channel])
        r = np.linalg.inv(np.linalg.cholesky(v + epsilon * np.eye(4)))
        expected = np.eye(4) - epsilon * r @ r.T
        np.testing.assert_allclose(covariance(quaternions(y)[:, channel]), expected, atol=1e-10)


def test_the_covariance_of_the_outputs_is_the_unit_matrix_where_epsilon_is_small():
    random = np.random.default_rng(0)
    x = random.normal(size=(6, 5, 4, 12)) @ random.normal(size=(12, 12)) + 5
    y, _ = unscaled(12, 1e-13).forward(x)
    for channel in range(3):
        components = quaternions(y)[:, channel]
        np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(covariance(components), np.eye(4), atol=1e-10)


@given(correlated_maps_nhwc(), SEEDS)
def test_the_output_is_scale_times_factor_times_the_centred_quaternion_plus_the_shift(x, seed):
    channels = x.shape[3]
    layer = with_random_values(unscaled(channels, 1e-5), seed)
    y, _ = layer.forward(x)
    for channel in range(channels // 4):
        s = np.zeros((4, 4))
        rows, columns = np.triu_indices(4)
        s[rows, columns] = s[columns, rows] = layer.scale.value[:, channel]
        q = quaternions(x)[:, channel]
        factor = np.linalg.cholesky(covariance(q) + 1e-5 * np.eye(4))
        whitened = np.linalg.solve(factor, (q - q.mean(axis=0)).T).T
        expected = whitened @ s.T + layer.shift.value[channel :: channels // 4]
        np.testing.assert_allclose(quaternions(y)[:, channel], expected, rtol=1e-7, atol=1e-8)


def test_the_mean_square_of_a_new_layers_quaternions_is_1():
    random = np.random.default_rng(1)
    x = random.normal(size=(6, 5, 4, 8)) @ random.normal(size=(8, 8))
    y = quaternions(WhiteningBatchNorm(8, epsilon=1e-12).forward(x)[0])
    np.testing.assert_allclose((y**2).sum(axis=2).mean(axis=0), 1, rtol=1e-6)


def test_a_channel_does_not_see_the_other_channels():
    random = np.random.default_rng(2)
    layer = with_random_values(unscaled(8, 1e-5), seed=2)
    x = random.normal(size=(3, 4, 4, 8))
    before = quaternions(layer.forward(x)[0])
    x[..., 1::2] += random.normal(size=(3, 4, 4, 4))
    after = quaternions(layer.forward(x)[0])
    np.testing.assert_allclose(after[:, 0], before[:, 0], atol=1e-12)
    assert np.abs(after[:, 1] - before[:, 1]).max() > 0.1


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1e-3, 1, 1e3, 1e6])
def test_dependent_components_give_outputs_and_gradients_of_moderate_size_in_float32(rank, size):
    random = np.random.default_rng(3)
    free, mix = random.normal(0, size, (4, 8, 8, rank, 2)), random.normal(size=(rank, 4))
    x = np.einsum("nhwac,ab->nhwbc", free, mix).reshape(4, 8, 8, 8).astype(np.float32)
    y, backward = WhiteningBatchNorm(8).forward(x)
    assert np.abs(y).max() < 3
    assert np.abs(backward(np.cos(y))).max() < 1e3 / min(1, size)


# the algebra


@given(covariances_q44())
def test_the_cholesky_factor_is_numpys(v):
    np.testing.assert_allclose(cholesky(v, 1e-9), np.linalg.cholesky(v), atol=1e-12)


@given(covariances_q44())
def test_the_inverse_of_a_triangle_is_a_triangle_and_its_inverse(v):
    factor = np.linalg.cholesky(v)
    r = inverse_triangle(factor)
    np.testing.assert_array_equal(r, np.tril(r))
    np.testing.assert_allclose(r @ factor, np.broadcast_to(np.eye(4), r.shape), atol=1e-11)


@pytest.mark.parametrize(("size", "least", "square"), [(1, 1e-5, 1e-5), (1e12, 1e-5, 1e12 * 32 * 2**-52)])
def test_a_square_that_only_rounding_makes_negative_is_replaced_by_the_least_it_can_be(size, least, square):
    v = size * np.ones((1, 4, 4)) - 1e-3 * np.diag([0, 0, 0, 1])
    factor = cholesky(v, least)
    np.testing.assert_allclose(np.diagonal(factor[0]) ** 2, [size, square, square, square], rtol=1e-9)


@given(covariances_q44(), SEEDS)
def test_the_gradient_of_the_inverse_factor_equals_differences(v, seed):
    random = np.random.default_rng(seed)

    def function():
        return inverse_factor((v + v.swapaxes(1, 2)) / 2, 1e-9)[0]

    u = np.tril(random.normal(size=v.shape))
    _, backward = inverse_factor(v, 1e-9)
    assert_gradients(function, {"v": v}, {"v": backward(u)}, u, random)


@given(covariances_q44(), SEEDS)
def test_what_stands_above_the_diagonal_of_a_gradient_does_not_count(v, seed):
    dr = np.random.default_rng(seed).normal(size=v.shape)
    _, backward = inverse_factor(v, 1e-9)
    np.testing.assert_allclose(backward(dr), backward(np.tril(dr)), atol=1e-9)


@given(WIDTHS, SEEDS)
def test_gather_is_the_adjoint_of_spread(channels, seed):
    random = np.random.default_rng(seed)
    blocks, full = random.normal(size=(4, 4, channels)), random.normal(size=(4 * channels, 4 * channels))
    np.testing.assert_allclose((spread(blocks) * full).sum(), (blocks * gather(full)).sum(), atol=1e-12)
    np.testing.assert_array_equal(gather(spread(blocks)), blocks)


@given(WIDTHS, SEEDS)
def test_a_spread_matrix_multiplies_the_components_of_each_channel_by_its_block(channels, seed):
    random = np.random.default_rng(seed)
    blocks, x = random.normal(size=(4, 4, channels)), random.normal(size=(3, 4 * channels))
    y = (x @ spread(blocks)).reshape(3, 4, channels)
    np.testing.assert_allclose(y, np.einsum("nbt,bat->nat", x.reshape(3, 4, channels), blocks), atol=1e-12)


def test_the_scale_has_the_ten_entries_of_an_upper_triangle():
    assert UPPER == ((0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3))


@pytest.mark.torch
def test_outputs_and_gradients_equal_those_of_pytorchs_linear_algebra(torch):
    random = np.random.default_rng(4)
    x = random.normal(size=(3, 4, 5, 8)) @ random.normal(size=(8, 8)) + 2
    dy = random.normal(size=x.shape)
    layer = with_random_values(unscaled(8, 1e-5), seed=4)
    y, backward = layer.forward(x)
    dx = backward(dy)

    images = torch.tensor(x, requires_grad=True)
    scale, shift = (torch.tensor(p.value, requires_grad=True) for p in layer.parameters.values())
    q = images.reshape(-1, 4, 2).permute(2, 1, 0)  # channel, component, pixel
    z = q - q.mean(dim=2, keepdim=True)
    v = z @ z.mT / z.shape[2]
    factor = torch.linalg.cholesky(v + 1e-5 * torch.eye(4, dtype=torch.float64))
    whitened = torch.linalg.solve_triangular(factor, z, upper=False)
    rows, columns = torch.triu_indices(4, 4)
    upper = torch.zeros(2, 4, 4, dtype=torch.float64).index_put(
        (torch.arange(2)[:, None], rows[None], columns[None]), scale.T
    )
    s = upper + upper.triu(1).mT
    expected = (s @ whitened).permute(2, 1, 0).reshape(x.shape) + shift
    expected.backward(torch.tensor(dy))

    pairs = {
        "y": (y, expected.detach()),
        "dx": (dx, images.grad),
        "scale": (layer.scale.gradient, scale.grad),
        "shift": (layer.shift.gradient, shift.grad),
    }
    for name, (array, wanted) in pairs.items():
        np.testing.assert_allclose(array, wanted.numpy(), rtol=1e-9, atol=1e-11, err_msg=name)
