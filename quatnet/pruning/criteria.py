"""Which weights are pruned next (section 4 of the paper: 20 % of those left, the smallest of the whole network).

Every criterion returns the next flat mask. It has exactly round(amount * weights left) entries fewer than the present
one (`layerwise`: in every layer), so masks only ever shrink. Biases are exempt. The components r, i, j, k of a
quaternion are pruned one by one. Among equal weights the first in the order of the parameters is pruned first.

Whole `Units`, quaternions or channels, may be pruned instead of single weights, until at least so many weights are
pruned, or none is left that may be. The magnitude of a unit with m weights left is their root mean square,
|w| / sqrt(m) for their norm |w|: |w| / 2 for a quaternion. So it is measured as a single weight is, and does not grow
with m. But that of large units varies less, so among the smallest of a network there are more single weights than
quaternions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from quatnet.backend import to_host
from quatnet.nn.parameters import Parameters
from quatnet.pruning.units import Units

Criterion: TypeAlias = Callable[[Parameters, float, np.random.Generator, Units | None], np.ndarray]


def global_magnitude(
    parameters: Parameters, amount: float, generator: np.random.Generator, units: Units | None = None
) -> np.ndarray:
    """Remove the smallest |w| of all weights together."""
    return _without_smallest(parameters, _magnitudes(parameters, units), [slice(None)], amount, units)


def layerwise_magnitude(
    parameters: Parameters, amount: float, generator: np.random.Generator, units: Units | None = None
) -> np.ndarray:
    """Remove the same fraction of every layer, the smallest |w| of each: round(amount * weights left in it).

    A layer also loses weights with the channels of the layer before it. So the same fraction of the channels, not of
    the weights, is pruned in each layer, as large as the amount takes.
    """
    magnitudes = _magnitudes(parameters, units)
    if units is not None and units.layers:
        return _without_smallest(parameters, units.ranks(magnitudes), [slice(None)], amount, units)
    weights = [parameters.slice(name) for name, p in parameters.items() if p.prunable]
    return _without_smallest(parameters, magnitudes, weights, amount, units)


def random(
    parameters: Parameters, amount: float, generator: np.random.Generator, units: Units | None = None
) -> np.ndarray:
    """Remove weights at random, from all layers together (a control)."""
    scores = generator.permutation(parameters.size)
    return _without_smallest(parameters, scores, [slice(None)], amount, units)


CRITERIA: dict[str, Criterion] = {
    "global": global_magnitude,
    "layerwise": layerwise_magnitude,
    "random": random,
}


def _magnitudes(parameters: Parameters, units: Units | None) -> np.ndarray:
    values: np.ndarray = to_host(parameters.value)
    return np.abs(values) if units is None else units.magnitudes(values, to_host(parameters.mask))


def _without_smallest(
    parameters: Parameters, scores: np.ndarray, groups: list[slice], amount: float, units: Units | None
) -> np.ndarray:
    """Return the flat mask without the part `amount` of the weights left in each group that score lowest."""
    mask: np.ndarray = to_host(parameters.mask).copy()
    for group in groups:
        left = np.flatnonzero(mask[group] & parameters.prunable[group]) + (group.start or 0)
        count = round(amount * left.size)
        gone = _smallest(scores[left], count) if units is None else units.smallest(scores, left, count)
        mask[left[gone]] = False
    return mask


def _smallest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the `count` smallest scores; of equal ones, the first positions."""
    if count == 0:
        return np.empty(0, np.intp)
    threshold = np.partition(scores, count - 1)[count - 1]
    below = np.flatnonzero(scores < threshold)
    equal = np.flatnonzero(scores == threshold)
    return np.concatenate([below, equal[: count - below.size]])
