"""Initial weights: `paper` (what its code drew), `matched` (its scale, for both algebras), `he` and `glorot`.

Each function returns the initial weight and bias of a layer as float64 host arrays. N is the layer's real fan-in. The
variances below are those of every real entry; the paper does not state them, docs/protocol.md has their derivation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from quatnet.nn.layers import Conv2d, WeightLayer

Initializer: TypeAlias = Callable[[WeightLayer, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def paper(layer: WeightLayer, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw what the paper's code drew.

    Real layers have PyTorch's default: weight and bias uniform in +-1/sqrt(N), variance 1/(3N). Quaternion layers
    have polar weights, |q| (cos t + u sin t), with |q| chi-distributed (4 degrees of freedom) times a scale, t uniform
    in +-pi, u a unit vector (a normalised point of the cube), and zero biases. The scale is 1/sqrt(2N), except that
    the code counts the area of a k x k kernel as k: variance 1/N of r and 1/(3N) of i, j, k in dense layers, k times
    that in convolutions.
    """
    if not layer.quaternion:
        bound = 1 / np.sqrt(layer.fan_in)
        weight = generator.uniform(-bound, bound, layer.weight.shape)
        return weight, generator.uniform(-bound, bound, layer.bias.shape)
    shape = layer.weight.shape[1:]
    magnitude = np.sqrt(generator.chisquare(4, shape) / (2 * _counted_fan_in(layer)))
    phase = generator.uniform(-np.pi, np.pi, shape)
    axis = generator.uniform(-1, 1, (3, *shape))
    axis /= np.sqrt((axis * axis).sum(axis=0))
    weight = np.concatenate([(magnitude * np.cos(phase))[None], magnitude * np.sin(phase) * axis])
    return weight, np.zeros(layer.bias.shape)


def matched(layer: WeightLayer, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw normal weights with the mean variance of `paper`'s quaternion layers, for both algebras, and zero biases.

    The variance of every real entry is 1/(2N), and k times that in convolutions; the four components are alike.
    """
    deviation = np.sqrt(1 / (2 * _counted_fan_in(layer)))
    return generator.normal(0, deviation, layer.weight.shape), np.zeros(layer.bias.shape)


def he(layer: WeightLayer, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw normal weights of variance 2/N, all four components alike (an isotropic quaternion), and zero biases.

    He et al. 2015, equation (10). Every output of a quaternion layer sums over N real products as a real one does.
    """
    deviation = np.sqrt(2 / layer.fan_in)
    return generator.normal(0, deviation, layer.weight.shape), np.zeros(layer.bias.shape)


def glorot(layer: WeightLayer, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw normal weights of variance 2 / (fan-in + fan-out), all four components alike, and zero biases.

    Glorot and Bengio 2010, equation (12).
    """
    deviation = np.sqrt(2 / (layer.fan_in + layer.fan_out))
    return generator.normal(0, deviation, layer.weight.shape), np.zeros(layer.bias.shape)


def _counted_fan_in(layer: WeightLayer) -> float:
    """Return N as the paper's code counts it: the area of a k x k kernel as k."""
    return layer.fan_in / (layer.kernel if isinstance(layer, Conv2d) else 1)


INITIALIZERS: dict[str, Initializer] = {"paper": paper, "matched": matched, "he": he, "glorot": glorot}
