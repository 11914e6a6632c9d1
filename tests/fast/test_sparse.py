"""A dense layer of which few weights are left computes through CSR what it computes through BLAS."""

import numpy as np
import pytest

from quatnet.nn.layers import Dense, QuaternionDense, sparse
from quatnet.nn.layers.dense import Direct
from quatnet.fast.sparse import Pruned
from quatnet.fast.stacked import Stacked
from quatnet.nn.parameters import Parameters
from quatnet.fast.threads import SERIAL, Threads

LAYERS = pytest.mark.parametrize("kind", [Dense, QuaternionDense])
DENSITIES = pytest.mark.parametrize("density", [0.1, 0.02, 0.0], ids=["csr", "csr and sampled", "nothing left"])


def pruned_pair(kind, density, inputs=1024, outputs=24, threads=SERIAL, dtype="float64"):
    """Return two layers with the same weights and masks: one as the reference, one that may use CSR."""
    random = np.random.default_rng(0)
    pair = []
    for _ in range(2):
        layer = kind(inputs, outputs)
        parameters = Parameters(layer.parameters, np.dtype(dtype))
        pair.append((layer, parameters))
    value, mask = random.normal(size=parameters.size), np.ones(parameters.size, bool)
    weights = layer.weight.size
    mask[:weights] = random.permutation(weights) < density * weights
    for _, parameters in pair:
        parameters.set_value(value)
        parameters.set_mask(mask)
    layer.algorithm = Pruned(Stacked(threads) if layer.quaternion else Direct(threads))
    return pair[0][0], layer


def forward_and_backward(layer, x, dy):
    y, backward = layer.forward(x)
    dx = backward(dy)
    return y, dx, layer.weight.gradient * layer.weight.mask, layer.bias.gradient


@LAYERS
@DENSITIES
@pytest.mark.parametrize("threads", [SERIAL, Threads(2)], ids=["serial", "two threads"])
@pytest.mark.parametrize("inputs", [1024, 20])
def test_outputs_and_all_gradients_equal_the_reference(kind, density, threads, inputs):
    reference, layer = pruned_pair(kind, density, inputs, threads=threads)
    random = np.random.default_rng(1)
    for n in (5, 1):
        x, dy = random.normal(size=(n, inputs)), random.normal(size=(n, 24))
        for found, expected in zip(
            forward_and_backward(layer, x, dy), forward_and_backward(reference, x, dy), strict=True
        ):
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, atol=1e-11)


@LAYERS
@DENSITIES
def test_pruned_weights_are_not_multiplied(kind, density):
    """The values of pruned weights are not read: even an infinite one does not spoil the output."""
    _, layer = pruned_pair(kind, density)
    layer.weight.value[~layer.weight.mask] = np.inf
    y, backward = layer.forward(np.ones((3, 1024)))
    assert np.isfinite(y).all()
    assert np.isfinite(backward(np.ones((3, 24)))).all()


@LAYERS
def test_above_the_density_the_dense_product_is_taken(kind):
    _, layer = pruned_pair(kind, 0.2)
    layer.weight.value[~layer.weight.mask] = np.inf
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(layer.forward(np.ones((3, 1024)))[0]).all()


@LAYERS
def test_a_new_mask_is_followed(kind):
    reference, layer = pruned_pair(kind, 0.1)
    x, dy = np.random.default_rng(2).normal(size=(2, 1024)), np.ones((2, 24))
    forward_and_backward(layer, x, dy)
    for one in (reference, layer):
        parameters = Parameters(one.parameters, np.dtype("float64"))
        mask = np.ones(parameters.size, bool)
        mask[: one.weight.size] = np.arange(one.weight.size) % 17 == 0
        parameters.set_mask(mask)
    for found, expected in zip(forward_and_backward(layer, x, dy), forward_and_backward(reference, x, dy), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-11)


@LAYERS
def test_the_gradients_of_many_weights_are_taken_part_by_part(kind, monkeypatch):
    reference, layer = pruned_pair(kind, 0.02)
    monkeypatch.setattr(sparse, "WEIGHTS_AT_A_TIME", 7)
    x, dy = np.random.default_rng(3).normal(size=(2, 1024)), np.ones((2, 24))
    for found, expected in zip(forward_and_backward(layer, x, dy), forward_and_backward(reference, x, dy), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-11)


@LAYERS
def test_the_gradient_of_the_input_can_be_spared(kind):
    _, layer = pruned_pair(kind, 0.02)
    _, backward = layer.forward(np.ones((2, 1024)))
    backward(np.ones((2, 24)))
    expected = layer.weight.gradient.copy()
    layer.weight.gradient[...] = 0
    assert backward(np.ones((2, 24)), inputs=False) is None
    np.testing.assert_array_equal(layer.weight.gradient * layer.weight.mask, expected * layer.weight.mask)
