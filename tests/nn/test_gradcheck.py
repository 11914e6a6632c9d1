"""The gradient check itself: it passes a right backward pass and catches wrong ones."""

import numpy as np
import pytest

from quatnet.nn.layers import Dense, Layer, QuaternionConv2d
from quatnet.quaternion import fold
from tests.nn.gradcheck import assert_layer_gradients, with_random_values


class Wrong(Layer):
    """A layer whose backward pass is spoiled afterwards by `spoil(layer, dx)`, which returns the new dx."""

    def __init__(self, layer, spoil):
        self.layer, self.spoil = layer, spoil

    @property
    def parameters(self):
        return self.layer.parameters

    def forward(self, x):
        y, backward = self.layer.forward(x)
        return y, lambda dy, inputs=True: self.spoil(self.layer, backward(dy, inputs))

    def output_shape(self, shape):
        return self.layer.output_shape(shape)


@pytest.fixture
def rows_nc():
    return np.random.default_rng(3).normal(size=(5, 8))


def flip_one_weight(layer, dx):
    layer.weight.gradient[0, 1] *= -1
    return dx


def forget_the_bias(layer, dx):
    layer.bias.gradient.fill(0)
    return dx


def scale_the_weight(layer, dx):
    layer.weight.gradient *= 1.0001
    return dx


def flip_one_input(_, dx):
    dx[2, 3] *= -1
    return dx


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (flip_one_weight, "weight"),
        (scale_the_weight, "weight"),
        (forget_the_bias, "bias"),
        (flip_one_input, "x"),
        (lambda _, dx: dx * 1.0001, "x"),
    ],
)
def test_a_wrong_gradient_is_caught_and_named(rows_nc, spoil, name):
    layer = with_random_values(Dense(8, 8), seed=0)
    with pytest.raises(AssertionError, match=rf"^{name}: "):
        assert_layer_gradients(Wrong(layer, spoil), rows_nc, seed=0)


def test_a_gradient_of_the_wrong_shape_is_caught(rows_nc):
    layer = with_random_values(Dense(8, 3), seed=0)
    with pytest.raises(AssertionError, match="x: the gradient has shape"):
        assert_layer_gradients(Wrong(layer, lambda _, dx: dx[:1]), rows_nc, seed=0)


def test_a_right_gradient_passes_and_leaves_the_arguments_as_they_were(rows_nc):
    layer = with_random_values(Dense(8, 3), seed=0)
    before = [rows_nc.copy(), layer.weight.value.copy(), layer.bias.value.copy()]
    assert_layer_gradients(layer, rows_nc, seed=0)
    for old, new in zip(before, [rows_nc, layer.weight.value, layer.bias.value], strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_gradient_folded_with_one_wrong_sign_is_caught(monkeypatch):
    def wrong_fold(g, signs):
        w = fold(g, signs)
        w[2] *= -1
        return w

    monkeypatch.setattr("quatnet.nn.layers.layer.fold", wrong_fold)
    layer = with_random_values(QuaternionConv2d(4, 4), seed=0)
    with pytest.raises(AssertionError, match=r"^weight: "):
        assert_layer_gradients(layer, np.random.default_rng(3).normal(size=(1, 4, 4, 4)), seed=0)
