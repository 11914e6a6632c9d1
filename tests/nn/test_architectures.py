"""The paper's architectures: layers in order, epochs and rates, and widths that do not fit."""

import pytest

from quatnet.errors import UsageError
from quatnet.nn.architectures import ARCHITECTURES, architecture
from quatnet.nn.layers import WeightLayer
from tests.nn.every import network
from tests.small import build

MNIST = (28, 28, 1)
CONV_2_BODY = ["conv1", "relu_conv1", "conv2", "pool1", "relu_conv2", "flatten", "fc1", "relu_fc1", "fc2", "relu_fc2"]


@pytest.mark.parametrize(
    ("arch", "quaternion", "shape", "names"),
    [
        ("lenet", False, MNIST, ["flatten", "fc1", "relu_fc1", "fc2", "relu_fc2", "fc3"]),
        ("lenet", True, MNIST, ["flatten", "fc1", "relu_fc1", "fc2", "relu_fc2", "fc3"]),
        ("lenet-12", True, (8, 8, 3), ["gray", "flatten", "fc1", "relu_fc1", "fc2"]),
        ("conv-2", False, (8, 8, 3), [*CONV_2_BODY, "fc3"]),
        ("conv-2", True, (8, 8, 3), ["gray", *CONV_2_BODY, "fc3"]),
        ("conv-2", True, (8, 8, 1), ["quaternion", *CONV_2_BODY, "fc3"]),
    ],
)
def test_layers_are_named_in_order(arch, quaternion, shape, names):
    assert list(build(arch, quaternion=quaternion, input_shape=shape, classes=10).layers.layers) == names


def test_pools_follow_the_blocks_of_table_1():
    layers = list(build("conv-6", quaternion=False, input_shape=(8, 8, 3), classes=10).layers.layers)
    body = " ".join(name for name in layers if name.startswith(("conv", "pool", "fc")))
    assert body == "conv1 conv2 pool1 conv3 conv4 pool2 conv5 conv6 pool3 fc1 fc2 fc3"


def test_lenet_means_lenet_300_100():
    assert architecture("lenet") is architecture("lenet-300-100")


@pytest.mark.parametrize(
    ("name", "epochs", "rate"),
    [("lenet", 40, 1.2e-3), ("conv-2", 40, 2e-4), ("conv-4", 40, 3e-4), ("conv-6", 60, 3e-4)],
)
def test_epochs_and_rates_are_those_of_table_1(name, epochs, rate):
    assert (architecture(name).epochs, architecture(name).rate) == (epochs, rate)


@pytest.mark.parametrize(("wrong", "right"), [("conv2", "conv-2"), ("lenet12", "lenet-12"), ("lenett", "lenet")])
def test_an_unknown_architecture_is_an_error_that_suggests_the_nearest(wrong, right):
    with pytest.raises(UsageError, match=rf"arch: '{wrong}' given; allowed are lenet, .*; did you mean {right}\?"):
        build(wrong, quaternion=False, input_shape=MNIST, classes=10)


def test_an_architecture_like_no_other_is_an_error_without_a_suggestion():
    with pytest.raises(UsageError, match=r"arch: 'xyzzy' given; allowed are .*vgg-16$"):
        architecture("xyzzy")


@pytest.mark.parametrize("width", [0.29, 0.07, 1.1])
def test_a_width_that_floats_cannot_hold_is_whole_all_the_same(width):
    layers = build("lenet", quaternion=False, input_shape=(8, 8, 1), classes=10, width=width).layers.layers
    assert (layers["fc1"].outputs, layers["fc2"].outputs) == (round(300 * width), round(100 * width))


@pytest.mark.parametrize(("width", "nearest"), [(0.3, "0.333333"), (0.01, "0.0833333")])
def test_a_width_that_gives_no_whole_number_of_neurons_names_the_nearest(width, nearest):
    with pytest.raises(UsageError, match=rf"^width: {width} given; a layer of 12 needs .*, the nearest: {nearest}$"):
        build("lenet-12", quaternion=False, input_shape=MNIST, classes=10, width=width)


@pytest.mark.parametrize("quaternion", [False, True])
def test_images_too_small_for_the_pools_are_an_error_that_says_so(quaternion):
    with pytest.raises(UsageError, match="input_shape: 2x2 pooling does not fit a 1x1 feature map"):
        build("conv-6", quaternion=quaternion, input_shape=(4, 4, 3), classes=10)


def test_pixels_that_do_not_split_into_four_blocks_name_the_nearest_two_numbers():
    with pytest.raises(UsageError, match=r"inputs: 729 given; a quaternion layer needs a multiple of 4.* 728 or 732"):
        build("lenet", quaternion=True, input_shape=(27, 27, 1), classes=10)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_layer_but_the_last_is_a_quaternion_layer(arch):
    layers = network(arch, quaternion=True).layers.leaves()
    *others, last = [layer.quaternion for layer in layers if isinstance(layer, WeightLayer)]
    assert all(others)
    assert not last
