"""Im2col a few images at a time: the results of all at once, with few columns held."""

import numpy as np
import pytest

from quatnet.fast import conv
from quatnet.fast.conv import FastConv2d, Im2col
from quatnet.nn.layers import Conv2d, QuaternionConv2d
from tests.nn.gradcheck import with_random_values


def outputs_and_gradients(layer, dy):
    y, backward = layer.forward(np.random.default_rng(4).normal(size=(7, 5, 6, 8)))
    return [y, backward(dy), *(parameter.gradient.copy() for parameter in layer.parameters.values())]


@pytest.mark.parametrize("kind", [Conv2d, QuaternionConv2d])
@pytest.mark.parametrize("column_bytes", [1, 3 * 5 * 6 * 9 * 8 * 8, 1 << 40])
def test_results_do_not_depend_on_how_many_images_are_done_at_a_time(kind, column_bytes):
    layer = with_random_values(kind(8, 4, padding=1), seed=4)
    dy = np.random.default_rng(5).normal(size=(7, 5, 6, 4))
    expected = outputs_and_gradients(layer, dy)
    found = outputs_and_gradients(FastConv2d(layer, Im2col(3, 1, 1, column_bytes)), dy)
    for array, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-12, atol=1e-12)


def test_few_images_are_done_at_a_time_when_the_columns_are_large(monkeypatch):
    sizes = []
    columns_of = conv.im2col

    def recording(x, *arguments):
        sizes.append(len(x))
        return columns_of(x, *arguments)

    monkeypatch.setattr(conv, "im2col", recording)
    layer = with_random_values(Conv2d(8, 4, padding=1), seed=0)
    FastConv2d(layer, Im2col(3, 1, 1, column_bytes=2 * (4 * 4 * 9 * 8 * 8))).predict(np.zeros((5, 4, 4, 8)))
    assert sizes == [2, 2, 1]


def test_images_with_other_channels_are_an_error_that_names_the_layer():
    layer = FastConv2d(with_random_values(QuaternionConv2d(8, 4), seed=0), Im2col(3, 1, 0))
    with pytest.raises(ValueError, match=r"x: shape \(1, 5, 5, 4\) given; QuaternionConv2d needs 8 on the last axis"):
        layer.forward(np.zeros((1, 5, 5, 4)))


def test_a_convolution_of_no_images_gives_no_images():
    layer = FastConv2d(with_random_values(Conv2d(1, 2, padding=1), seed=0), Im2col(3, 1, 1))
    y, backward = layer.forward(np.zeros((0, 4, 4, 1)))
    assert y.shape == (0, 4, 4, 2)
    assert backward(y).shape == (0, 4, 4, 1)
    assert not layer.layer.weight.gradient.any()
