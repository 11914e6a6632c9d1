"""The kinds of batch normalisation, and layers of them with random scales and statistics."""

import numpy as np

from quatnet.nn.layers.batchnorm import BatchNorm, ScalarBatchNorm
from quatnet.nn.layers.whitening import WhiteningBatchNorm
from quatnet.nn.parameters import Parameters
from tests.nn.gradcheck import with_random_values

KINDS = (BatchNorm, ScalarBatchNorm, WhiteningBatchNorm)


def with_random_scale(layer, seed=0, dtype="float64"):
    """Give a layer random scale and shift, and a state of the same dtype."""
    Parameters(layer.state, np.dtype(dtype))
    return with_random_values(layer, seed, dtype)


def with_random_statistics(layer, seed=0):
    """Give a layer of float64 the running statistics of some random maps."""
    random = np.random.default_rng([seed, 2])
    mix = random.normal(size=(layer.channels, layer.channels))
    for _ in range(30):
        layer.forward(random.normal(size=(2, 3, 4, layer.channels)) @ mix + 1)
    return layer


def pixels_of(x):
    return x.reshape(-1, x.shape[-1])


def state_of(layer):
    return {name: statistic.value.copy() for name, statistic in layer.state.items()}
