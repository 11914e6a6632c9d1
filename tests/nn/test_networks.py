"""The paper's networks: counts to the last digit, errors, gradients of whole networks, and running statistics."""

import numpy as np
import pytest

from quatnet.errors import UsageError
from quatnet.nn.architectures import ARCHITECTURES
from quatnet.nn.networks import Network, count_parameters
from tests.nn import every
from tests.nn.gradcheck import assert_gradients, assert_layer_gradients
from tests.small import build

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


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (12, 8, 4), (15, 9, 3)])
def test_every_network_turns_images_into_logits_and_gradients_back_into_images(arch, quaternion, shape):
    if arch == "vgg-16":  # which halves its maps five times
        shape = (4 * shape[0], 4 * shape[1], shape[2])
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


def test_a_thin_real_network_has_about_as_many_weights_as_a_quaternion_one():
    for name, width, shape in (("lenet-12", 0.25, MNIST), ("conv-2", 0.5, CIFAR)):
        thin = build(name, quaternion=False, input_shape=shape, classes=10, width=width).parameters.size
        quaternion = sum(count_parameters(name, True, shape, 10))
        assert 0.95 < thin / quaternion < 1.05


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


# running statistics


def images_of(network):
    return np.random.default_rng(0).normal(size=(3, *network.input_shape))


@pytest.mark.parametrize(
    ("quaternion", "norm"), [(False, "split"), (True, "split"), (True, "whitening"), (True, "scalar")]
)
@pytest.mark.parametrize("arch", ["resnet-20", "resnet-18"])
def test_gradients_of_normalised_networks_equal_differences(arch, quaternion, norm):
    width = {"resnet-20": 0.5, "resnet-18": 0.125}[arch]  # wide enough that scales do not cancel out
    network, random = every.network(arch, quaternion, norm=norm, width=width), np.random.default_rng(3)
    images = images_of(network)
    logits, backward = network.forward(images)
    u = random.normal(size=logits.shape)
    gradients = {"images": backward(u)} | {name: p.gradient.copy() for name, p in network.parameters.items()}
    arguments = {"images": images} | {name: p.value for name, p in network.parameters.items()}
    run = lambda: network.forward(images)[0].copy()  # noqa: E731
    assert_gradients(run, arguments, gradients, u, random, step=1e-7, rtol=1e-5)


@pytest.mark.parametrize("norm", ["split", "whitening", "scalar"])
def test_values_that_are_put_back_bring_the_running_statistics_along(norm):
    network = every.network("resnet-20", True, norm=norm)
    images, initial, flat = images_of(network), network.values(), network.flat()
    before = network.predict(images)
    every.trained(network)
    assert not np.allclose(network.predict(images), before)
    network.load(initial)
    np.testing.assert_array_equal(network.predict(images), before)
    every.trained(network)
    network.set_flat(flat)
    np.testing.assert_array_equal(network.predict(images), before)


def test_values_that_lack_a_running_statistic_change_nothing():
    network = every.network("resnet-20", False)
    values, flat = {name: value + 1 for name, value in network.values().items()}, network.flat()
    del values["norm1.variance"]
    with pytest.raises(ValueError, match=r"norm1\.variance missing or unknown"):
        network.load(values)
    np.testing.assert_array_equal(network.flat(), flat)
    with pytest.raises(ValueError, match=r"value: shape \(3,\) given"):
        network.set_flat(np.zeros(3))


def test_new_initial_weights_forget_the_running_statistics():
    network = every.network("resnet-20", True)
    every.trained(network)
    network.initialize("paper", np.random.default_rng(0))
    again = every.network("resnet-20", True)
    again.initialize("paper", np.random.default_rng(0))
    np.testing.assert_array_equal(network.flat(), again.flat())


def test_an_unknown_normalisation_is_an_error_that_names_those_there_are():
    with pytest.raises(UsageError, match="norm: 'layer' given; allowed are split, whitening, scalar"):
        every.network("resnet-20", True, norm="layer")
