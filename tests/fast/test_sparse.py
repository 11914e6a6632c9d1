"""A dense layer of which few weights are left goes through CSR, and reads no pruned weight (test_equal.py: results)."""

import numpy as np
import pytest

from quatnet.fast.dense import Direct, FastDense
from quatnet.fast.sparse import Pruned, few
from quatnet.fast.stacked import Stacked
from quatnet.fast.threads import SERIAL
from quatnet.nn.layers import Dense, QuaternionDense
from quatnet.nn.parameters import Parameters
from tests.nn.every import random_mask

LAYERS = pytest.mark.parametrize("kind", [Dense, QuaternionDense])
DENSITIES = pytest.mark.parametrize("density", [0.1, 0.02, 0.0], ids=["csr", "csr and sampled", "nothing left"])


def pruned_pair(kind, density, **given):
    """Return a layer with random weights of which few are left, and the same one through `Pruned`."""
    layer = kind(1024, 24)
    parameters = Parameters(layer.parameters, np.dtype("float64"))
    parameters.set_value(np.random.default_rng(0).normal(size=parameters.size))
    parameters.set_mask(random_mask(parameters, density))
    return layer, FastDense(layer, Pruned(Stacked(SERIAL) if layer.quaternion else Direct(SERIAL), **given))


def outputs_and_gradients(layer, x, dy):
    y, backward = layer.forward(x)
    weight, bias = layer.parameters.values()
    return [y, backward(dy), weight.gradient * weight.mask, bias.gradient.copy()]


@LAYERS
@DENSITIES
def test_pruned_weights_are_not_multiplied(kind, density):
    """The values of pruned weights are not read: even an infinite one does not spoil the output."""
    layer, fast = pruned_pair(kind, density)
    layer.weight.value[~layer.weight.mask] = np.inf
    y, backward = fast.forward(np.ones((3, 1024)))
    assert np.isfinite(y).all()
    assert np.isfinite(backward(np.ones((3, 24)))).all()


@LAYERS
def test_above_the_density_the_dense_product_is_taken(kind):
    layer, fast = pruned_pair(kind, 0.2)
    layer.weight.value[~layer.weight.mask] = np.inf
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(fast.forward(np.ones((3, 1024)))[0]).all()


@LAYERS
def test_the_gradients_of_many_weights_are_taken_part_by_part(kind):
    layer, fast = pruned_pair(kind, 0.02, weights_at_a_time=7)
    x, dy = np.random.default_rng(3).normal(size=(2, 1024)), np.ones((2, 24))
    expected = outputs_and_gradients(layer, x, dy)
    for found, wanted in zip(outputs_and_gradients(fast, x, dy), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-11)


@LAYERS
@DENSITIES
def test_the_gradient_of_the_input_can_be_spared(kind, density):
    _, fast = pruned_pair(kind, density)
    _, backward = fast.forward(np.ones((2, 1024)))
    assert backward(np.ones((2, 24)), inputs=False) is None


def test_the_entries_left_are_listed_where_they_are_few():
    mask = np.zeros((4, 5), bool)
    mask.flat[[3, 7, 11]] = True
    np.testing.assert_array_equal(few(mask), [3, 7, 11])
    assert few(~mask) is None
