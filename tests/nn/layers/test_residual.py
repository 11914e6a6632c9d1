"""Residual connections and the shortcut without weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.errors import UsageError
from quatnet.nn.layers import Conv2d, MaxPool2d, QuaternionConv2d, ReLU, Sequential
from quatnet.nn.layers.batchnorm import BatchNorm
from quatnet.nn.layers.residual import QuaternionSubsample, Residual, Subsample
from quatnet.nn.layers.whitening import WhiteningBatchNorm
from tests.nn.gradcheck import assert_layer_gradients, with_random_values
from tests.strategies import SEEDS, images_nhwc


def block(conv, norm, shortcut=None, stride=1):
    """A path of a normalisation and a convolution, from 8 to 16 channels or, beside the identity, to 8."""
    width = 8 if shortcut is None else 16
    body = {"norm1": norm(8), "conv1": conv(8, width, 3, stride=stride, padding=1)}
    return Residual(Sequential(body), shortcut)


BLOCKS = {
    "identity": lambda: block(Conv2d, BatchNorm),
    "subsampled": lambda: block(Conv2d, BatchNorm, Subsample(16), stride=2),
    "projected": lambda: block(Conv2d, BatchNorm, Conv2d(8, 16, 1, stride=2), stride=2),
    "quaternion identity": lambda: block(QuaternionConv2d, WhiteningBatchNorm),
    "quaternion subsampled": lambda: block(QuaternionConv2d, WhiteningBatchNorm, QuaternionSubsample(16), stride=2),
}


@pytest.fixture(params=BLOCKS)
def residual(request):
    return with_random_values(BLOCKS[request.param](), seed=0)


@pytest.fixture
def maps_nhwc():
    return np.random.default_rng(1).normal(size=(3, 5, 6, 8))


def test_the_output_is_that_of_the_body_plus_that_of_the_shortcut(residual, maps_nhwc):
    expected = residual.body.forward(maps_nhwc)[0] + residual.shortcut.forward(maps_nhwc)[0]
    np.testing.assert_array_equal(residual.forward(maps_nhwc)[0], expected)


def test_predictions_are_those_of_the_body_plus_those_of_the_shortcut(residual, maps_nhwc):
    residual.forward(maps_nhwc)
    expected = residual.body.predict(maps_nhwc) + residual.shortcut.predict(maps_nhwc)
    np.testing.assert_array_equal(residual.predict(maps_nhwc), expected)
    assert not np.allclose(expected, residual.forward(maps_nhwc)[0])


def test_the_shortcut_is_the_identity_unless_one_is_given(maps_nhwc):
    residual = Residual(ReLU())
    y, backward = residual.forward(maps_nhwc)
    np.testing.assert_array_equal(y, maps_nhwc + np.maximum(maps_nhwc, 0))
    np.testing.assert_array_equal(backward(np.ones_like(y)), 1 + (maps_nhwc > 0))


def test_gradients_of_blocks_equal_differences(residual, maps_nhwc):
    assert_layer_gradients(residual, maps_nhwc, seed=0, step=1e-6, rtol=1e-5)


@pytest.mark.parametrize("body", [Sequential({}), ReLU()])
def test_neither_pass_changes_what_it_was_given(body, maps_nhwc):
    before, dy = maps_nhwc.copy(), np.ones_like(maps_nhwc)
    y, backward = Residual(body).forward(maps_nhwc)
    y += 1
    dx = backward(dy)
    dx += 1
    np.testing.assert_array_equal(maps_nhwc, before)
    np.testing.assert_array_equal(dy, 1)


@pytest.mark.parametrize("paths", [(Conv2d(8, 8, padding=1), ReLU()), (ReLU(), Conv2d(8, 8, padding=1))])
def test_a_sequence_that_begins_with_it_spares_the_gradient_of_the_input(paths, maps_nhwc):
    net = with_random_values(Sequential({"relu": ReLU(), "residual": Residual(*paths), "last": ReLU()}), seed=2)
    y, backward = net.forward(maps_nhwc)
    assert backward(np.cos(y), inputs=False) is None
    found = {name: parameter.gradient.copy() for name, parameter in net.parameters.items()}
    backward(np.cos(y))
    for name, parameter in net.parameters.items():
        assert found[name].any()
        np.testing.assert_array_equal(parameter.gradient, found[name])


def test_parameters_are_named_by_their_path():
    residual = Residual(Sequential({"conv1": Conv2d(8, 16), "norm1": BatchNorm(16)}), Conv2d(8, 16))
    net = Sequential({"block": residual})
    assert list(net.parameters) == [
        *("block.body.conv1.weight", "block.body.conv1.bias", "block.body.norm1.scale", "block.body.norm1.shift"),
        *("block.shortcut.weight", "block.shortcut.bias"),
    ]


def test_running_statistics_are_named_by_their_path():
    residual = Residual(Sequential({"norm1": BatchNorm(8)}), Residual(WhiteningBatchNorm(8)))
    shapes = {name: statistic.shape for name, statistic in Sequential({"block": residual}).state.items()}
    assert shapes == {
        "block.body.norm1.mean": (8,),
        "block.body.norm1.variance": (8,),
        "block.shortcut.body.mean": (8,),
        "block.shortcut.body.variance": (4, 4, 2),
    }


def test_its_leaves_are_the_layers_of_the_body_then_those_of_the_shortcut():
    conv, norm, shortcut = Conv2d(8, 8), BatchNorm(8), Subsample(8)
    residual = Residual(Sequential({"conv": conv, "inner": Residual(norm)}), shortcut)
    assert list(residual.leaves()) == [conv, norm, shortcut]


def test_paths_of_different_shapes_are_an_error_that_shows_both(maps_nhwc):
    residual = Residual(MaxPool2d(2), Sequential({}))
    with pytest.raises(UsageError, match=r"shortcut: its outputs are \(4, 4, 8\), those of the body \(2, 2, 8\)"):
        residual.output_shape((4, 4, 8))
    for run in (residual.forward, residual.predict):
        with pytest.raises(ValueError, match=r"shortcut: its output has shape \(3, 5, 6, 8\).* body \(3, 2, 3, 8\)"):
            run(maps_nhwc)


def test_paths_that_would_broadcast_are_an_error_too(maps_nhwc):
    with pytest.raises(ValueError, match="shortcut: its output has shape"):
        Residual(Conv2d(8, 1, padding=1)).forward(maps_nhwc)


def test_the_output_shape_is_that_of_both_paths():
    assert BLOCKS["subsampled"]().output_shape((5, 6, 8)) == (3, 3, 16)


# the shortcut without weights

SUBSAMPLES = {1: Subsample, 4: QuaternionSubsample}


@pytest.mark.parametrize("blocks", SUBSAMPLES)
@given(data=st.data())
def test_every_second_pixel_is_taken_and_new_channels_are_zero_at_the_end_of_their_block(blocks, data):
    given_width, new_width, stride = (data.draw(st.integers(1, 3)) for _ in range(3))
    width = given_width + new_width - 1
    x = data.draw(images_nhwc(channels=blocks * given_width))
    layer = SUBSAMPLES[blocks](blocks * width, stride)
    y, _ = layer.forward(x)
    assert y.shape == (len(x), *layer.output_shape(x.shape[1:]))
    for image, i, j, component, channel in np.ndindex(*y.shape[:3], blocks, width):
        kept = channel < given_width
        expected = x[image, i * stride, j * stride, component * given_width + channel] if kept else 0
        assert y[image, i, j, component * width + channel] == expected


@pytest.mark.parametrize("blocks", SUBSAMPLES)
@given(x=images_nhwc(channels=8), seed=SEEDS)
def test_gradients_of_subsampling_equal_differences(blocks, x, seed):
    assert_layer_gradients(SUBSAMPLES[blocks](12), x, seed)


@pytest.mark.parametrize("side", [1, 2, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_side_is_that_of_a_3x3_convolution_of_the_same_stride(side, stride):
    conv = Conv2d(8, 16, 3, stride=stride, padding=1)
    assert Subsample(16, stride).output_shape((side, 7, 8)) == conv.output_shape((side, 7, 8))


@pytest.mark.parametrize("layer", [Subsample(16), QuaternionSubsample(16)])
def test_subsampling_has_no_parameters_keeps_the_dtype_and_takes_no_images(layer):
    assert layer.parameters == {}
    x = np.ones((2, 5, 4, 8), np.float32)
    y, backward = layer.forward(x)
    assert y.dtype == backward(y).dtype == np.float32
    assert layer.forward(x[:0])[1](y[:0]).shape == (0, 5, 4, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Subsample(0), "outputs: 0 given; a positive integer is needed"),
        (lambda: Subsample(4, 0), "stride: 0 given; a positive integer is needed"),
        (lambda: QuaternionSubsample(6), "outputs: 6 given; .* 4 or 8"),
        (lambda: Subsample(4).output_shape((4, 4, 8)), "outputs: 4 given; 8 channels come in"),
        (lambda: QuaternionSubsample(8).output_shape((4, 4, 6)), "channels: 6 given; .* 4 or 8"),
        (lambda: Subsample(4).predict(np.zeros((1, 4, 4, 8))), "outputs: 4 given; 8 channels come in"),
    ],
)
def test_widths_that_do_not_fit_are_named(make, message):
    with pytest.raises(UsageError, match=message):
        make()
