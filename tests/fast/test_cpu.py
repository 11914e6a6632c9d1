"""Which convolution a layer gets, and that the choice changes nothing but rounding."""

import numpy as np
import pytest

from quatnet import UsageError, build
from quatnet.nn.layers import winograd
from quatnet.nn.layers.conv import Im2col
from quatnet.fast.winograd import F2, F4


def tiles(shape, conv="auto"):
    net = build("conv-2", quaternion=False, input_shape=shape, classes=3, conv=conv)
    algorithms = [net.layers[name].algorithm for name in ("conv1", "conv2")]
    return [None if isinstance(algorithm, Im2col) else algorithm.tile for algorithm in algorithms]


@pytest.mark.parametrize(
    ("shape", "chosen"), [((8, 12, 3), [None, F4]), ((8, 6, 3), [None, F2]), ((8, 7, 3), [None, None])]
)
def test_auto_picks_by_shape(shape, chosen):
    assert tiles(shape) == chosen


def test_winograd_is_used_wherever_it_applies():
    assert tiles((8, 8, 3), "winograd") == [F4, F4]


def test_im2col_is_used_throughout_on_request():
    assert tiles((8, 8, 3), "im2col") == [None, None]


def test_an_unknown_convolution_is_an_error_that_names_the_choices():
    with pytest.raises(UsageError, match="conv: 'fft' given; allowed are auto, im2col, winograd"):
        tiles((8, 8, 3), "fft")


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize(("conv", "threads"), [("auto", 1), ("auto", 2), ("winograd", 3)])
def test_a_whole_network_computes_the_same_in_every_way(quaternion, conv, threads, monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST_PIXELS", 0)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 3))
    settings = {"quaternion": quaternion, "input_shape": (8, 8, 3), "classes": 3, "dtype": "float64"}
    results = []
    for way in ({"conv": "im2col"}, {"conv": conv, "threads": threads}):
        net = build("conv-4", **settings, **way)
        logits, backward = net.forward(images)
        results.append((logits, backward(np.sin(logits)), net.parameters.gradient))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-10 * np.abs(expected).max())
