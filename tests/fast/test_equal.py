"""Whatever is fast equals the reference: every layer, both optimizers, and networks of every architecture.

On NumPy and, where it works, on CuPy. The reference always runs on NumPy.
"""

import functools

import numpy as np
import pytest

from quatnet.backend import array_module, gpu_problem, select, to_device, to_host
from quatnet.fast import accelerate, cpu, gpu
from quatnet.fast.gpu.optimizers import KernelOptimizer
from quatnet.fast.networks import GpuNetwork
from quatnet.fast.optimizers import ChunkedOptimizer
from quatnet.fast.threads import Threads
from quatnet.nn.layers import Dense, QuaternionDense, Sequential
from quatnet.nn.parameters import Parameter, Parameters
from tests.fast.gpu import host_kernels
from tests.nn.every import ARCHITECTURES, LAYERS, OPTIMIZERS, batches, network, random_layer, random_mask, trained

CPU = [("im2col", 1), ("im2col", 2), ("winograd", 1), ("winograd", 2)]
HOST = "kernels on the host"
CUPY = ["formulas on cupy", "kernels on cupy"]
"""The layers of the core as they are, and those with kernels."""

on_cupy = (pytest.mark.cupy, pytest.mark.skipif(gpu_problem() is not None, reason=str(gpu_problem())))
KERNELS = [HOST, *(pytest.param(way, marks=on_cupy) for way in CUPY)]
ALGORITHMS = [pytest.param(way, id=f"{way[0]} on {way[1]}") for way in CPU]
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture
def way(request):
    if request.param != HOST:
        yield request.param
        return
    with host_kernels.installed():
        yield request.param


def library(way):
    return select("gpu") if way in CUPY else np


def fast_layer(layer, shape, way):
    """Return what stands for a layer inside an accelerated network."""
    whole = Sequential({"layer": layer})
    if way in CPU:
        return cpu.layers(whole, shape, way[0], Threads(way[1]), large_weight=0)
    return whole if way == "formulas on cupy" else gpu.layers(whole)


def fast_network(name, way, dtype="float64"):
    """Return an accelerated network, or with formulas the reference one on CuPy."""
    arch, given = NETWORKS[name]
    made = network(arch, **given, dtype=dtype, device="gpu" if way in CUPY else "cpu")
    if way in CPU:
        return accelerate(made, conv=way[0], threads=way[1])
    return {HOST: GpuNetwork, "kernels on cupy": accelerate}.get(way, lambda made: made)(made)


def assert_equal(found, expected, xp):
    """Compare arrays of some library with host arrays, name by name, relative to the largest entry."""
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        array, wanted = found[name], np.asarray(wanted)
        if xp is not np:
            assert array_module(array) is xp, name
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape), name
        tolerance = (5e-5 if wanted.dtype == np.float32 else 1e-10) * np.abs(wanted).max(initial=1e-3)
        np.testing.assert_allclose(to_host(array), wanted, rtol=0, atol=tolerance, err_msg=name)


def outcome(layer, parameters, state, x, dy):
    """Run a layer; return what it gave, and the gradients once more without those of the inputs."""
    y, backward = layer.forward(x)
    dx = backward(dy)
    gradient = parameters.gradient * parameters.mask
    parameters.gradient.fill(0)
    layer.forward(x)[1](dy, inputs=False)
    alone = parameters.gradient * parameters.mask
    found = {"y": y, "dx": dx, "gradient": gradient, "gradient alone": alone, "predict": layer.predict(x)}
    return found | {"statistics": state.value}


@pytest.mark.parametrize("way", [*ALGORITHMS, *KERNELS], indirect=True)
@DTYPES
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_equals_the_reference(name, dtype, way):
    xp, (x, dy) = library(way), batches(name, dtype)
    expected = outcome(*random_layer(name, dtype), x, dy)
    layer, parameters, state = random_layer(name, dtype, xp)
    layer = fast_layer(layer, LAYERS[name][1], way)
    assert_equal(outcome(layer, parameters, state, to_device(x, xp), to_device(dy, xp)), expected, xp)


def outcomes_along_masks(kind, inputs, dtype, xp, densities, wrap=lambda layer: layer):
    """Return what a dense layer gives with each of these parts of its weights left, one after the other."""
    random, layer = np.random.default_rng(5), kind(inputs, 24)
    parameters, state = (Parameters(named, np.dtype(dtype), xp) for named in (layer.parameters, layer.state))
    parameters.set_value(random.normal(size=parameters.size))
    x, dy = (to_device(random.normal(size=(5, width)).astype(dtype), xp) for width in (inputs, 24))
    layer, found = wrap(layer), {}
    for step, density in enumerate(densities):
        parameters.set_mask(random_mask(parameters, density))
        given = outcome(layer, parameters, state, x, dy)
        found |= {f"{name}, mask {step}": array for name, array in given.items()}
    return found


@pytest.mark.parametrize("way", [*(pytest.param(way, id=f"on {way[1]}") for way in CPU[:2]), *KERNELS], indirect=True)
@pytest.mark.parametrize("inputs", [20, 1024], ids=["20 inputs", "1024 inputs, rows a power of two apart"])
@DTYPES
@pytest.mark.parametrize("kind", [Dense, QuaternionDense])
def test_a_dense_layer_equals_the_reference_whatever_is_left_of_its_weights(kind, dtype, inputs, way):
    given = kind, inputs, dtype
    densities = (1.0, 0.3, 0.1, 0.02, 0.0, 0.2)  # masks may grow again
    expected = outcomes_along_masks(*given, np, densities)
    found = outcomes_along_masks(*given, library(way), densities, lambda layer: fast_layer(layer, (inputs,), way))
    assert_equal(found, expected, library(way))


OPTIMIZER_WAYS = {
    "chunks": lambda rule: ChunkedOptimizer(rule, Threads(1), chunk=7),
    "chunks on two threads": lambda rule: ChunkedOptimizer(rule, Threads(2), chunk=7),
    "one chunk": lambda rule: ChunkedOptimizer(rule, Threads(1)),
}


def steps_of(optimizer, make):
    """Step along masks that shrink and grow again, with a state that is saved in between; yield what there is then."""
    parameters, random = optimizer.parameters, np.random.default_rng(7)
    for left in (1.0, 0.5, 0.3, 0.1, 0.3, 1.0):
        parameters.set_mask(random_mask(parameters, left))
        optimizer.mask_state()
        for rate in (0.05, 0.02):
            gradient = random.normal(size=parameters.size).astype(parameters.dtype)
            parameters.gradient[...] = to_device(gradient, parameters.xp)
            optimizer.step(rate)
        yield {"values": parameters.value.copy(), **optimizer.state()}
        saved, steps = optimizer.state(), optimizer.steps
        optimizer = make()
        optimizer.set_state(saved, steps)


def parameters_of(size, dtype, xp=np):
    named = {"weight": Parameter((size,), prunable=True), "bias": Parameter((3,), prunable=False)}
    parameters = Parameters(named, np.dtype(dtype), xp)
    parameters.set_value(np.random.default_rng(8).normal(size=parameters.size))
    return parameters


def follow(name, size, dtype, xp, wrap):
    parameters = parameters_of(size, dtype, xp)
    make = lambda: wrap(OPTIMIZERS[name](parameters))  # noqa: E731
    return list(steps_of(make(), make))


@DTYPES
@pytest.mark.parametrize("size", [1, 10, 11, 40])
@pytest.mark.parametrize("way", OPTIMIZER_WAYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_equals_the_reference_bit_for_bit(name, way, size, dtype):
    expected = follow(name, size, dtype, np, lambda rule: rule)
    for found, wanted in zip(follow(name, size, dtype, np, OPTIMIZER_WAYS[way]), expected, strict=True):
        for key, array in wanted.items():
            np.testing.assert_array_equal(found[key], array, err_msg=key, strict=True)


@pytest.mark.parametrize("way", KERNELS, indirect=True)
@DTYPES
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_a_gpu_equals_the_reference(name, dtype, way):
    wrap = (lambda rule: rule) if way == "formulas on cupy" else KernelOptimizer
    expected = follow(name, 300, dtype, np, lambda rule: rule)
    for found, wanted in zip(follow(name, 300, dtype, library(way), wrap), expected, strict=True):
        assert_equal({key: to_host(array) for key, array in found.items()}, wanted, np)


NETWORKS = {
    f"{arch} {'quaternion' if quaternion else 'real'}": (arch, {"quaternion": quaternion})
    for arch in ARCHITECTURES
    for quaternion in (False, True)
} | {
    "whitening": ("resnet-20", {"quaternion": True, "norm": "whitening"}),
    "scalar": ("resnet-20", {"quaternion": True, "norm": "scalar"}),
    "shuffled": ("conv-4", {"quaternion": True, "signs": "shuffled"}),
}

WAYS_OF_NETWORKS = pytest.mark.parametrize("way", [*ALGORITHMS, *KERNELS[1:]], indirect=True)


@functools.cache
def expected_of(name, densities):
    arch, given = NETWORKS[name]
    return trained(network(arch, **given), densities=densities)


@WAYS_OF_NETWORKS
@pytest.mark.parametrize("density", [1.0, 0.3, 0.02], ids=["all", "few", "almost nothing"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_in_training_equals_the_reference(name, density, way):
    """In float64: in float32 gradients jump where a ReLU or a pooling is undecided."""
    densities = (1.0, density)
    assert_equal(trained(fast_network(name, way), densities=densities), expected_of(name, densities), library(way))


@pytest.mark.parametrize("way", [HOST], indirect=True)
@pytest.mark.parametrize("name", ["lenet-12 quaternion", "conv-2 real", "conv-2 quaternion", "resnet-20 quaternion"])
def test_a_small_network_of_kernels_equals_the_reference(name, way):
    assert_equal(trained(fast_network(name, way)), expected_of(name, (1.0,)), np)


@WAYS_OF_NETWORKS
@pytest.mark.parametrize("name", NETWORKS)
def test_the_logits_and_the_loss_in_float32_equal_the_references(name, way):
    arch, given = NETWORKS[name]
    results = []
    for made in (fast_network(name, way, "float32"), network(arch, **given, dtype="float32")):
        found = trained(made, steps=1)
        results.append({key: found[key] for key in ("logits", "loss")})
    assert_equal(*results, library(way))
