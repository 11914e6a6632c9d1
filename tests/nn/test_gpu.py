"""The engine on a GPU computes what it computes on the CPU; skipped, with the reason, where no GPU works."""

import numpy as np
import pytest

from quatnet.backend import array_module, gpu_problem, select, to_device, to_host
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.models import build
from quatnet.nn.optimizers import SGD, Adam
from quatnet.quaternion import conjugate, hamilton, hamilton_backward, inverse, norm

pytestmark = pytest.mark.skipif(gpu_problem() is not None, reason=str(gpu_problem()))


@pytest.fixture
def cupy():
    return select("gpu")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


def assert_equal(found, expected):
    tolerance = 1e-4 if expected.dtype == np.float32 else 1e-10
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(to_host(found), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def test_an_array_comes_back_as_it_was(cupy, dtype):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    there = to_device(x, cupy)
    assert array_module(there) is cupy
    np.testing.assert_array_equal(to_host(there), x)


def test_the_quaternion_algebra_is_the_cpus(cupy, dtype):
    p, q, dy = np.random.default_rng(1).normal(size=(3, 5, 4)).astype(dtype)
    there = [to_device(a, cupy) for a in (p, q, dy)]
    assert_equal(hamilton(*there[:2]), hamilton(p, q))
    for found, expected in zip(hamilton_backward(*there), hamilton_backward(p, q, dy), strict=True):
        assert_equal(found, expected)
    for function in (conjugate, norm, inverse):
        assert_equal(function(there[0]), function(p))


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize(
    ("arch", "shape"), [("lenet-12", (8, 8, 1)), ("conv-2", (7, 6, 3)), ("conv-2", (4, 4, 1)), ("conv-4", (5, 4, 3))]
)
@pytest.mark.parametrize("make", [Adam, lambda p: SGD(p, momentum=0.9, weight_decay=0.1)], ids=["adam", "sgd"])
def test_steps_of_training_are_the_cpus(cupy, arch, shape, quaternion, make):
    random = np.random.default_rng(2)
    images, labels = random.normal(size=(3, *shape)), np.array([1, 0, 3])
    networks = {
        device: build(arch, quaternion=quaternion, input_shape=shape, classes=4, dtype="float64", device=device)
        for device in ("cpu", "gpu")
    }
    results = {}
    for device, network in networks.items():
        xp = network.parameters.xp
        mask = np.ones(network.parameters.size, bool)
        mask[network.parameters.slice("fc1.weight")][::3] = False
        network.parameters.set_mask(mask)
        optimizer = make(network.parameters)
        for _ in range(3):
            logits, backward = network.forward(to_device(images, xp))
            loss, dlogits = softmax_cross_entropy(logits, to_device(labels, xp))
            dimages = backward(dlogits)
            optimizer.step(1e-3)
        results[device] = [logits, loss, dimages, network.parameters.gradient, network.parameters.value]
        results[device].append(network.predict(to_device(images, xp)))
        assert not to_host(network.parameters.value)[~mask].any()
    for found, expected in zip(results["gpu"], results["cpu"], strict=True):
        assert array_module(found) is cupy
        assert_equal(found, expected)
