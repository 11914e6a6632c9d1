"""Threads that share a batch compute what one thread computes."""

import numpy as np
import pytest

from quatnet.errors import UsageError
from quatnet.nn.layers import Conv2d, MaxPool2d, Parallel, QuaternionConv2d, ReLU, Sequential
from quatnet.nn.parameters import Parameters
from quatnet.fast.threads import Threads


def trunk(conv, threads):
    layers = Sequential({"conv1": conv(4, 8, padding=1), "relu": ReLU(), "conv2": conv(8, 8), "pool": MaxPool2d()})
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


def test_numpy_error_settings_hold_in_threads():
    huge = np.full(1000, 1e200)
    with np.errstate(over="ignore"):
        assert np.isinf(Threads(2).map(lambda k: huge * huge, range(2))).all()


def test_a_length_is_split_into_nearly_equal_parts():
    assert Threads(3).split(7) == [slice(0, 2), slice(2, 4), slice(4, 7)]
    assert Threads(3).split(2) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_threads_below_one_is_an_error(count):
    with pytest.raises(UsageError, match=f"threads: {count} given; 1 or more"):
        Threads(count)
