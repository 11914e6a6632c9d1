"""Every kind of layer, optimizer and architecture, small enough for tests that are about all of them."""

from contextlib import nullcontext

import numpy as np

from quatnet.backend import to_device, to_host
from quatnet.fast import accelerate_optimizer
from quatnet.nn.layers import (
    AppendGray,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool2d,
    PureReal,
    QuaternionConv2d,
    QuaternionDense,
    QuaternionFlatten,
    QuaternionSubsample,
    ReLU,
    Residual,
    ScalarBatchNorm,
    Sequential,
    Subsample,
    WhiteningBatchNorm,
)
from quatnet.nn.optimizers import SGD, Adam
from quatnet.nn.parameters import Parameters
from quatnet.quaternion import shuffled_signs
from tests.small import build

SHUFFLED = shuffled_signs(np.random.default_rng(0))

LAYERS = {
    "dense": (lambda: Dense(8, 3), (8,)),
    "quaternion dense": (lambda: QuaternionDense(8, 4), (8,)),
    "dense with other signs": (lambda: QuaternionDense(8, 12, signs=SHUFFLED), (8,)),
    "conv": (lambda: Conv2d(2, 5, padding=1), (5, 4, 2)),
    "conv of even maps": (lambda: Conv2d(3, 5, padding=1), (10, 6, 3)),
    "conv with stride": (lambda: Conv2d(3, 2, 2, stride=2), (5, 6, 3)),
    "conv without bias": (lambda: Conv2d(3, 4, padding=1, bias=False), (8, 8, 3)),
    "quaternion conv": (lambda: QuaternionConv2d(8, 4, 2, stride=2, padding=1), (5, 6, 8)),
    "quaternion conv of even maps": (lambda: QuaternionConv2d(4, 8, padding=1), (8, 12, 4)),
    "conv with other signs": (lambda: QuaternionConv2d(4, 8, padding=1, signs=SHUFFLED), (8, 6, 4)),
    "pool": (lambda: MaxPool2d(2), (5, 6, 3)),
    "pool of 3x3": (lambda: MaxPool2d(3), (6, 7, 2)),
    "global pool": (GlobalAveragePool, (3, 2, 8)),
    "relu": (ReLU, (5, 6, 3)),
    "flatten": (Flatten, (5, 6, 3)),
    "quaternion flatten": (QuaternionFlatten, (5, 6, 8)),
    "gray": (AppendGray, (5, 6, 3)),
    "pure real": (PureReal, (5, 6, 1)),
    "batch norm": (lambda: BatchNorm(6), (3, 2, 6)),
    "batch norm of rows": (lambda: BatchNorm(6), (6,)),
    "scalar batch norm": (lambda: ScalarBatchNorm(8), (3, 2, 8)),
    "whitening batch norm": (lambda: WhiteningBatchNorm(8), (6, 5, 8)),
    "subsample": (lambda: Subsample(6), (5, 4, 4)),
    "quaternion subsample": (lambda: QuaternionSubsample(12), (5, 4, 8)),
    "residual": (lambda: Residual(Conv2d(2, 3, padding=1), Subsample(3, stride=1)), (6, 4, 2)),
    "sequence": (lambda: Sequential({"a": Conv2d(1, 3), "b": ReLU(), "c": Flatten(), "d": Dense(36, 2)}), (5, 6, 1)),
}
"""How to make a layer, and the shape of one input."""

OPTIMIZERS = {
    "adam": Adam,
    "adam with decay": lambda p: Adam(p, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.1),
    "sgd": SGD,
    "sgd with momentum and decay": lambda p: SGD(p, momentum=0.9, weight_decay=0.1),
}

ARCHITECTURES = {
    "lenet-300-100": ((8, 8, 1), 1),
    "lenet-12": ((4, 4, 3), 1),
    "conv-2": ((7, 6, 3), 1),
    "conv-4": ((8, 8, 1), 1 / 2),
    "conv-6": ((8, 10, 3), 1 / 4),
    "resnet-20": ((8, 6, 3), 1 / 4),
    "resnet-20-conv": ((8, 6, 3), 1 / 4),
    "resnet-18": ((8, 9, 3), 1 / 16),
    "vgg-16": ((32, 32, 3), 1 / 16),
}
"""Shapes of images, and factors of the widths."""


def random_layer(name, dtype, xp=np):
    """Return a layer, and the parameters and the state that it has; the parameters are random."""
    layer = LAYERS[name][0]()
    parameters, state = (Parameters(named, np.dtype(dtype), xp) for named in (layer.parameters, layer.state))
    parameters.set_value(np.random.default_rng(1).normal(size=parameters.size))
    return layer, parameters, state


def batches(name, dtype, n=8):
    """Return a batch of inputs of a layer, and one of gradients of its outputs, on the host."""
    make, shape = LAYERS[name]
    random = np.random.default_rng(2)
    x, dy = (random.normal(size=(n, *s)).astype(dtype) for s in (shape, make().output_shape(shape)))
    return x, dy


def network(arch, quaternion, dtype="float64", device="cpu", **given):
    """Return a small network of an architecture, on the reference engine."""
    shape, width = ARCHITECTURES[arch]
    of_it = {"quaternion": quaternion, "input_shape": shape, "width": width, "classes": 4, "dtype": dtype, **given}
    return build(arch, **of_it, device=device)


def random_mask(parameters, density):
    """Return a mask that leaves about this part of the weights, and all biases."""
    return (np.random.default_rng(3).random(parameters.size) < density) | ~parameters.prunable


def trained(network, steps=2, densities=(1.0,), watched=nullcontext):
    """Train a network on one batch, so many steps with each of these parts of the weights left.

    Returns what the last step gave, by name. Nothing is copied or waited for inside `watched()`, but for the masks.
    """
    parameters, random = network.parameters, np.random.default_rng(4)
    images = to_device(random.normal(size=(6, *network.input_shape)).astype(parameters.dtype), parameters.xp)
    labels = to_device(np.array([1, 0, 3, 2, 2, 1]), parameters.xp)
    # The usual epsilon would magnify the rounding of gradients near 0.
    optimizer = accelerate_optimizer(Adam(parameters, epsilon=1e-4), network)
    with watched():
        for density in densities:
            if density < 1:
                parameters.set_mask(random_mask(parameters, density))
                optimizer.mask_state()
            for _ in range(steps):
                logits, backward = network.forward(images)
                loss, dlogits = network.loss(logits, labels)
                dimages = backward(dlogits)
                gradient = parameters.gradient * parameters.mask
                optimizer.step(2e-4)
        predictions = network.predict(images)
    assert not to_host(parameters.value)[~to_host(parameters.mask)].any()
    return {
        "logits": logits,
        "loss": parameters.xp.asarray(loss),
        "images' gradient": dimages,
        "gradient": gradient,
        "values": parameters.value,
        "predictions": predictions,
        "statistics": network.statistics.value,
    }
