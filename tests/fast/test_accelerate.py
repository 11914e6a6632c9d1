"""The door: what comes out of it has the parameters of what went in."""

import numpy as np
import pytest

from quatnet import UsageError
from quatnet.fast import accelerate, accelerate_optimizer
from quatnet.fast.networks import CpuNetwork
from quatnet.fast.optimizers import ChunkedOptimizer
from quatnet.nn.optimizers import Adam
from tests.nn import every


@pytest.fixture
def network():
    return every.network("conv-2", quaternion=True)


def test_an_accelerated_network_has_the_same_parameters_and_the_same_layers(network):
    fast = accelerate(network)
    assert isinstance(fast, CpuNetwork)
    assert fast.parameters is network.parameters
    assert fast.statistics is network.statistics
    assert fast.layers is network.layers


def test_values_that_are_drawn_anew_are_those_of_both(network):
    fast = accelerate(network, threads=2)
    fast.initialize("he", np.random.default_rng(0))
    images = np.random.default_rng(1).normal(size=(3, 7, 6, 3))
    np.testing.assert_allclose(fast.predict(images), network.predict(images), rtol=1e-10)


def test_an_unknown_convolution_is_an_error_that_names_the_choices(network):
    with pytest.raises(UsageError, match="conv: 'fft' given; allowed are auto, im2col, winograd"):
        accelerate(network, conv="fft")


@pytest.mark.parametrize("threads", [0, -1])
def test_fewer_than_one_thread_is_an_error(network, threads):
    with pytest.raises(UsageError, match=f"threads: {threads} given; 1 or more are needed"):
        accelerate(network, threads=threads)


@pytest.mark.parametrize(("arch", "shared", "all_in_all"), [("lenet-12", 1, 3), ("conv-2", 3, 3), ("resnet-20", 3, 3)])
def test_the_threads_of_a_lenet_are_those_of_blas(arch, shared, all_in_all):
    fast = accelerate(every.network(arch, quaternion=False), threads=3)
    assert (fast.threads.count, fast.thread_count) == (shared, all_in_all)


def test_the_optimizer_of_an_accelerated_network_is_accelerated_and_that_of_another_is_not(network):
    adam = Adam(network.parameters)
    assert accelerate_optimizer(adam, network) is adam
    fast = accelerate_optimizer(adam, accelerate(network))
    assert isinstance(fast, ChunkedOptimizer)
    assert fast.parameters is network.parameters
