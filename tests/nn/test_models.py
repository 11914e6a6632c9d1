"""The paper's networks: counts to the last digit, names, shapes, errors, and gradients of whole networks."""

import numpy as np
import pytest

from quatnet.errors import UsageError
from quatnet.nn.architectures import ARCHITECTURES, architecture
from quatnet.nn.layers import Sequential, WeightLayer
from quatnet.nn.networks import Network, build, count_parameters
from tests.nn.gradcheck import assert_layer_gradients

MNIST, CIFAR = (28, 28, 1), (32, 32, 3)
COUNTS = [
    ("lenet-300-100", MNIST, 10, (266_200, 266_610), (67_300, 67_710)),
    ("lenet-12", MNIST, 10, (9_528, 9_550), (2_472, 2_494)),
    ("conv-2", CIFAR, 10, (4_300_992, 4_301_642), (1_077_312, 1_077_962)),
    ("conv-4", CIFAR, 10, (2_425_024, 2_425_930), (608_320, 609_226)),
    ("conv-6", CIFAR, 10, (2_261_184, 2_262_602), (567_360, 568_778)),
    ("conv-2", CIFAR, 100, (4_324_032, 4_324_772), (1_100_352, 1_101_092)),
    ("conv-4", CIFAR, 100, (2_448_064, 2_449_060), (631_360, 632_356)),
    ("conv-6", CIFAR, 100, (2_284_224, 2_285_732), (590_400, 591_908)),
]
"""Section 3 of the protocol: (weights, weights and biases) of the real and of the quaternion network."""
CONV_COUNTS = [
    ("conv-2", (38_592, 38_720), (9_792, 9_920)),
    ("conv-4", (259_776, 260_160), (65_088, 65_472)),
    ("conv-6", (1_144_512, 1_145_408), (286_272, 287_168)),
]


@pytest.mark.parametrize(("arch", "shape", "classes", "real", "quaternion"), COUNTS)
def test_weights_and_biases_are_counted_as_in_the_protocol(arch, shape, classes, real, quaternion):
    for is_quaternion, (weights, parameters) in ((False, real), (True, quaternion)):
        assert count_parameters(arch, is_quaternion, shape, classes) == (weights, parameters - weights)


@pytest.mark.parametrize(("arch", "shape", "classes", "real", "quaternion"), COUNTS[:4])
def test_a_built_network_has_that_many_parameters(arch, shape, classes, real, quaternion):
    for is_quaternion, (weights, parameters) in ((False, real), (True, quaternion)):
        network = build(arch, quaternion=is_quaternion, input_shape=shape, classes=classes)
        assert network.parameters.size == parameters
        assert network.parameters.count_kept() == network.parameters.prunable.sum() == weights


@pytest.mark.parametrize(("arch", "real", "quaternion"), CONV_COUNTS)
def test_the_convolutions_alone_are_counted_as_in_the_protocol(arch, real, quaternion):
    for is_quaternion, expected in ((False, real), (True, quaternion)):
        network = build(arch, quaternion=is_quaternion, input_shape=(8, 8, 3), classes=10)
        convs = {name: p.size for name, p in network.parameters.items() if name.startswith("conv")}
        weights = sum(size for name, size in convs.items() if name.endswith("weight"))
        assert (weights, sum(convs.values())) == expected


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
    assert list(build(arch, quaternion=quaternion, input_shape=shape, classes=10).layers) == names


def test_pools_follow_the_blocks_of_table_1():
    layers = list(build("conv-6", quaternion=False, input_shape=(8, 8, 3), classes=10).layers)
    body = " ".join(name for name in layers if name.startswith(("conv", "pool", "fc")))
    assert body == "conv1 conv2 pool1 conv3 conv4 pool2 conv5 conv6 pool3 fc1 fc2 fc3"


def large_enough(arch, shape):
    """VGG-16 halves its maps five times."""
    return (4 * shape[0], 4 * shape[1], shape[2]) if arch == "vgg-16" else shape


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_layer_but_the_last_is_a_quaternion_layer(arch):
    network = build(arch, quaternion=True, input_shape=large_enough(arch, (8, 8, 3)), classes=10)
    layers = network.layers.leaves()
    *others, last = [layer.quaternion for layer in layers if isinstance(layer, WeightLayer)]
    assert all(others)
    assert not last


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (12, 8, 4), (15, 9, 3)])
def test_every_network_turns_images_into_logits_and_gradients_back_into_images(arch, quaternion, shape):
    shape = large_enough(arch, shape)
    network = build(arch, quaternion=quaternion, input_shape=shape, classes=7)
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    logits, backward = network.forward(images)
    assert logits.shape == network.predict(images).shape == (2, 7)
    assert logits.dtype == np.float32
    assert backward(logits).shape == images.shape
    assert network.classes == 7


def test_a_gray_image_in_a_quaternion_convolution_is_a_quaternion_without_imaginary_part():
    network = build("conv-2", quaternion=True, input_shape=(8, 8, 1), classes=10, dtype="float64")
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    four = np.concatenate([images, np.zeros((2, 8, 8, 3))], axis=-1)
    with_four = build("conv-2", quaternion=True, input_shape=(8, 8, 4), classes=10, dtype="float64")
    np.testing.assert_array_equal(network.parameters.value, with_four.parameters.value)
    np.testing.assert_allclose(network.predict(images), with_four.predict(four), rtol=1e-12)


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


def test_a_thin_real_network_has_about_as_many_weights_as_a_quaternion_one():
    for name, width, shape in (("lenet-12", 0.25, MNIST), ("conv-2", 0.5, CIFAR)):
        thin = build(name, quaternion=False, input_shape=shape, classes=10, width=width).parameters.size
        quaternion = sum(count_parameters(name, True, shape, 10))
        assert 0.95 < thin / quaternion < 1.05


@pytest.mark.parametrize("width", [0.29, 0.07, 1.1])
def test_a_width_that_floats_cannot_hold_is_whole_all_the_same(width):
    layers = build("lenet", quaternion=False, input_shape=(8, 8, 1), classes=10, width=width).layers
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


def test_parameters_are_counted_with_the_normalisation_chosen():
    for norm in ("split", "whitening", "scalar"):
        network = build("resnet-20", quaternion=True, input_shape=CIFAR, classes=3, norm=norm)
        assert sum(count_parameters("resnet-20", True, CIFAR, 3, norm=norm)) == network.parameters.size


@pytest.mark.parametrize("quaternion", [False, True])
def test_an_empty_batch_has_empty_logits(quaternion):
    network = build("lenet-12", quaternion=quaternion, input_shape=(8, 8, 1), classes=10)
    logits, backward = network.forward(np.zeros((0, 8, 8, 1), np.float32))
    assert logits.shape == (0, 10)
    assert backward(logits).shape == (0, 8, 8, 1)


def test_a_real_network_takes_any_number_of_pixels():
    assert build("lenet", quaternion=False, input_shape=(27, 27, 1), classes=10).classes == 10


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dtype": "float16"}, "dtype: 'float16' given; allowed are float32, float64"),
        ({"init": "zeros"}, "init: 'zeros' given; allowed are paper, matched, he, glorot"),
        ({"classes": 1}, "classes: 1 given; 2 or more are needed"),
        ({"input_shape": (28, 28)}, r"input_shape: \(28, 28\) given; \(height, width, channels\) is needed"),
        ({"input_shape": (0, 28, 1)}, r"input_shape: \(0, 28, 1\) given"),
        ({"device": "tpu"}, "device: 'tpu' given; allowed are auto, cpu, gpu and gpu:K"),
    ],
)
def test_a_wrong_argument_is_named(changed, message):
    with pytest.raises(UsageError, match=message):
        build("lenet-12", **{"quaternion": True, "input_shape": MNIST, "classes": 10, **changed})


@pytest.mark.parametrize("shape", [(28, 28, 1), (1, 28, 28), (1, 28, 28, 3), (1, 1, 28, 28)])
def test_images_of_another_shape_are_an_error_that_shows_the_right_one(shape):
    network = build("lenet-12", quaternion=True, input_shape=MNIST, classes=10)
    for run in (network.forward, network.predict):
        with pytest.raises(UsageError, match=r"images: shape .* given; \(n, 28, 28, 1\) is needed"):
            run(np.zeros(shape, np.float32))


def test_the_input_shape_may_be_a_list_as_in_a_settings_file():
    network = build("lenet-12", quaternion=True, input_shape=[28, 28, 1], classes=10)
    assert network.predict(np.zeros((1, 28, 28, 1), np.float32)).shape == (1, 10)


def test_drawing_new_weights_keeps_pruned_ones_at_zero():
    network = build("lenet-12", quaternion=True, input_shape=(8, 8, 1), classes=10)
    mask = ~network.parameters.prunable
    mask[3] = True
    network.parameters.set_mask(mask)
    network.initialize("he", np.random.default_rng(5))
    weights = network.parameters.value[network.parameters.prunable]
    np.testing.assert_array_equal(np.flatnonzero(weights), [3])


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize(("arch", "shape"), [("lenet-12", (8, 8, 1)), ("conv-2", (8, 8, 3)), ("conv-2", (7, 6, 1))])
def test_gradients_of_whole_networks_equal_differences(arch, shape, quaternion):
    network: Network = build(arch, quaternion=quaternion, input_shape=shape, classes=10, seed=3, dtype="float64")
    images = np.random.default_rng(3).normal(size=(3, *shape))
    assert_layer_gradients(network, images, seed=3, step=1e-6, rtol=1e-5)
