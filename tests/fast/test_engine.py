"""The engine that the command line hands down: fast or reference, and what it says of itself."""

import pytest

from quatnet import Compute, UsageError
from quatnet.fast.networks import CpuNetwork
from quatnet.fast.optimizers import ChunkedOptimizer
from quatnet.nn.optimizers import SGD
from tests.nn import every


@pytest.fixture
def network():
    return every.network("conv-2", quaternion=True)


def test_the_fast_engine_is_the_default(network):
    fast = Compute(threads=2).prepare(network)
    assert isinstance(fast, CpuNetwork)
    assert isinstance(Compute().optimizer(SGD(network.parameters), fast), ChunkedOptimizer)


def test_the_reference_engine_leaves_network_and_optimizer_as_they_are(network):
    reference, sgd = Compute(engine="reference"), SGD(network.parameters)
    assert reference.prepare(network) is network
    assert reference.optimizer(sgd, network) is sgd


def test_an_unknown_engine_is_an_error_that_names_those_there_are():
    with pytest.raises(UsageError, match="engine: 'slow' given; allowed are fast, reference"):
        Compute(engine="slow")


@pytest.mark.parametrize(("engine", "threads"), [("fast", 3), ("reference", 1)])
def test_it_describes_the_engine_and_the_threads_that_are_used(network, engine, threads):
    compute = Compute(engine=engine, conv="im2col", threads=3)
    found = compute.describe(compute.prepare(network))
    assert {key: found[key] for key in ("engine", "conv", "threads", "device", "arrays")} == {
        "engine": engine,
        "conv": "im2col",
        "threads": threads,
        "device": "cpu",
        "arrays": "numpy",
    }
