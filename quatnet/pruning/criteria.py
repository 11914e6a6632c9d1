"""Which weights go next (section 4 of the paper: 20 % of those left, the smallest of the whole network).

Every criterion returns the next flat mask: exactly round(amount * weights left) entries less than the present one, so
masks only ever shrink. Biases are exempt. The components r, i, j, k of a quaternion go one by one. Of equal weights
the first in the order of the parameters goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from quatnet.backend import to_host
from quatnet.nn.parameters import Parameters

Criterion: TypeAlias = Callable[[Parameters, float, np.random.Generator], np.ndarray]


def global_magnitude(parameters: Parameters, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Remove the smallest |w| of all weights together."""
    return _without_smallest(parameters, _magnitudes(parameters), [slice(None)], amount)


def layerwise_magnitude(parameters: Parameters, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Remove the smallest |w| of every layer on its own, the same part of each."""
    weights = [parameters.slice(name) for name, p in parameters.items() if p.prunable]
    return _without_smallest(parameters, _magnitudes(parameters), weights, amount)


def random(parameters: Parameters, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Remove weights at random, from all layers together (a control)."""
    scores = generator.permutation(parameters.size)
    return _without_smallest(parameters, scores, [slice(None)], amount)


CRITERIA: dict[str, Criterion] = {
    "global": global_magnitude,
    "layerwise": layerwise_magnitude,
    "random": random,
}


def _magnitudes(parameters: Parameters) -> np.ndarray:
    magnitudes: np.ndarray = np.abs(to_host(parameters.value))
    return magnitudes


def _without_smallest(parameters: Parameters, scores: np.ndarray, groups: list[slice], amount: float) -> np.ndarray:
    """Return the flat mask without the part `amount` of the weights left in each group that score lowest."""
    mask: np.ndarray = to_host(parameters.mask).copy()
    for group in groups:
        left = np.flatnonzero(mask[group] & parameters.prunable[group]) + (group.start or 0)
        count = round(amount * left.size)
        mask[left[_smallest(scores[left], count)]] = False
    return mask


def _smallest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the `count` smallest scores; of equal ones, the first positions."""
    if count == 0:
        return np.empty(0, np.intp)
    threshold = np.partition(scores, count - 1)[count - 1]
    below = np.flatnonzero(scores < threshold)
    equal = np.flatnonzero(scores == threshold)
    return np.concatenate([below, equal[: count - below.size]])
