"""Threads that share a batch compute what one thread computes."""

import numpy as np
import pytest

from quatnet.fast.batchnorm import FastBatchNorm
from quatnet.fast.conv import FastConv2d, Im2col
from quatnet.fast.parallel import Parallel
from quatnet.fast.threads import SERIAL, Threads
from quatnet.nn.layers import BatchNorm, Conv2d, MaxPool2d, QuaternionConv2d, ReLU, Residual, Sequential, Subsample
from quatnet.nn.parameters import Parameters


def trunk(conv, threads):
    """Return a convolution, a residual block and a pooling, on threads; and their parameters."""
    conv1, conv2 = (FastConv2d(layer, Im2col(3, 1, 1)) for layer in (conv(4, 8, padding=1), conv(8, 8, padding=1)))
    block = Residual(Sequential({"conv2": conv2}), Subsample(8, stride=1))
    layers = Sequential({"conv1": conv1, "relu": ReLU(), "block": block, "pool": MaxPool2d()})
    parameters = Parameters(layers.parameters, np.dtype(np.float64))
    parameters.set_value(np.random.default_rng(0).normal(size=parameters.size))
    return (Parallel(layers, Threads(threads)) if threads > 1 else layers), parameters


@pytest.fixture
def images_nhwc():
    return np.random.default_rng(1).normal(size=(7, 8, 6, 4))


def outputs_and_gradients(layer, parameters, x):
    y, backward = layer.forward(x)
    dx = backward(np.cos(y))
    return y, dx, parameters.gradient.copy()


@pytest.mark.parametrize("conv", [Conv2d, QuaternionConv2d])
@pytest.mark.parametrize("threads", [2, 3, 9])
def test_any_number_of_threads_gives_the_results_of_one(conv, threads, images_nhwc):
    expected = outputs_and_gradients(*trunk(conv, 1), images_nhwc)
    for found, array in zip(outputs_and_gradients(*trunk(conv, threads), images_nhwc), expected, strict=True):
        np.testing.assert_allclose(found, array, atol=1e-12)


def test_results_are_bit_identical_from_run_to_run(images_nhwc):
    runs = [outputs_and_gradients(*trunk(Conv2d, 3), images_nhwc) for _ in range(5)]
    for run in runs[1:]:
        for found, array in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(found, array)


def test_predictions_are_the_forward_pass(images_nhwc):
    layer, _ = trunk(Conv2d, 2)
    np.testing.assert_array_equal(layer.predict(images_nhwc), layer.forward(images_nhwc)[0])


def test_threads_see_new_values(images_nhwc):
    layer, parameters = trunk(Conv2d, 2)
    serial, same = trunk(Conv2d, 1)
    for p in (parameters, same):
        p.set_value(np.random.default_rng(2).normal(size=p.size))
    np.testing.assert_allclose(layer.predict(images_nhwc), serial.predict(images_nhwc), atol=1e-12)


def test_a_thread_without_images_adds_nothing(images_nhwc):
    layer, parameters = trunk(Conv2d, 3)
    outputs_and_gradients(layer, parameters, images_nhwc)
    expected = outputs_and_gradients(*trunk(Conv2d, 1), images_nhwc[:1])
    for found, array in zip(outputs_and_gradients(layer, parameters, images_nhwc[:1]), expected, strict=True):
        np.testing.assert_allclose(found, array, atol=1e-12)


def test_an_error_in_a_thread_reaches_the_caller(images_nhwc):
    layer, _ = trunk(Conv2d, 2)
    with pytest.raises(ValueError, match="needs 4 on the last axis"):
        layer.forward(images_nhwc[..., :3])


def test_a_normalisation_is_refused_because_it_would_see_a_share_of_the_batch():
    body = Sequential({"norm": FastBatchNorm(BatchNorm(8), SERIAL)})
    with pytest.raises(TypeError, match="FastBatchNorm: threads cannot share a batch in it"):
        Parallel(body, Threads(2))
