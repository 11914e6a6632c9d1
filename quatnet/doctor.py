"""Checks of an installation: does the engine compute on a device what it computes on the CPU, and are gradients right?

Everything runs on small networks with fixed random numbers, in a few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quatnet.api import build
from quatnet.backend import to_device, to_host
from quatnet.fast import accelerate_optimizer
from quatnet.nn.networks import Network
from quatnet.nn.optimizers import Adam, Optimizer

NETWORKS = {"lenet-12": (8, 8, 1), "conv-2": (8, 8, 3), "resnet-20": (8, 8, 3)}
"""What is checked, with small images; resnet-20 at a quarter of its width."""

STEP, GRADIENT_BOUND = 1e-5, 1e-5
"""Length of the step of central differences: shorter than the way to the next kink of a ReLU. And the relative error
at which they still agree with a gradient, in float64."""

PARITY_BOUND = 1e-8
"""Relative difference between two devices after three steps of training in float64."""

TIMED = {"lenet": (28, 28, 1), "conv-2": (32, 32, 3)}
TIMED_STEPS = 20


@dataclass(frozen=True)
class Check:
    """One check: what it is of, its largest relative error, and the bound that this must not pass."""

    name: str
    error: float
    bound: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the bound."""
        return self.error <= self.bound


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a training step with batches of 60, in float32."""

    network: str
    milliseconds: float


def checks(device: str) -> Iterator[Check]:
    """Yield the checks of a device, one by one: gradients against differences, and three steps against the CPU."""
    for arch in NETWORKS:
        for quaternion in (False, True):
            name = f"{arch}, {'quaternion' if quaternion else 'real'}"
            yield Check(f"{name}: gradients", gradient_error(_small(arch, quaternion, device)), GRADIENT_BOUND)
            if device != "cpu":
                error = parity_error(_small(arch, quaternion, device), _small(arch, quaternion, "cpu"))
                yield Check(f"{name}: same as the CPU", error, PARITY_BOUND)


def timings(device: str) -> Iterator[Timing]:
    """Yield the times of training steps on a device."""
    for arch, shape in TIMED.items():
        for quaternion in (False, True):
            network = build(arch, quaternion=quaternion, input_shape=shape, classes=10, device=device)
            x, labels = _batch(network, 60)
            optimizer = accelerate_optimizer(Adam(network.parameters), network)
            _train(network, optimizer, x, labels, 2)
            started = time.perf_counter()
            _train(network, optimizer, x, labels, TIMED_STEPS)
            milliseconds = 1000 * (time.perf_counter() - started) / TIMED_STEPS
            yield Timing(f"{arch}, {'quaternion' if quaternion else 'real'}", milliseconds)


def gradient_error(network: Network) -> float:
    """Return the relative error of <gradient, v> against central differences of the loss, for a random direction v."""
    x, labels = _batch(network, 4)
    value = network.flat()
    v = np.random.default_rng(1).normal(size=network.parameters.size)
    v /= np.linalg.norm(v)
    logits, backward = network.forward(x)
    backward(network.loss(logits, labels)[1], inputs=False)
    found = float(np.vdot(to_host(network.parameters.gradient), v))
    losses = []
    for sign in (1, -1):
        moved = value.copy()
        moved[: v.size] += sign * STEP * v
        network.set_flat(moved)
        losses.append(float(network.loss(network.forward(x)[0], labels)[0]))
    expected = (losses[0] - losses[1]) / (2 * STEP)
    return abs(found - expected) / abs(expected)


def parity_error(network: Network, reference: Network) -> float:
    """Return the largest difference of two networks after the same three steps, relative to the largest value."""
    for each in (network, reference):
        x, labels = _batch(each, 4)
        _train(each, accelerate_optimizer(Adam(each.parameters, epsilon=1e-4), each), x, labels, 3)
    expected = reference.flat()
    return float(np.abs(network.flat() - expected).max() / np.abs(expected).max())


def _small(arch: str, quaternion: bool, device: str) -> Network:
    return build(
        arch,
        quaternion=quaternion,
        input_shape=NETWORKS[arch],
        classes=5,
        dtype="float64",
        width=0.25 if arch == "resnet-20" else 1.0,
        device=device,
    )


def _batch(network: Network, n: int) -> tuple[object, object]:
    random = np.random.default_rng(0)
    images = random.normal(size=(n, *network.input_shape)).astype(network.parameters.dtype)
    xp = network.parameters.xp
    return to_device(images, xp), to_device(random.integers(0, network.classes, n), xp)


def _train(network: Network, optimizer: Optimizer, x: object, labels: object, steps: int) -> None:
    for _ in range(steps):
        logits, backward = network.forward(x)
        backward(network.loss(logits, labels)[1], inputs=False)
        optimizer.step(1e-3)
    to_host(network.parameters.value)  # waits for a GPU
