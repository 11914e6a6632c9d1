"""Units of pruning: single weights, whole quaternions, or whole channels (neurons, of a dense layer).

A channel is a column of a dense layer's weight or a filter of a convolution; in a quaternion layer the four components
of every weight of a quaternion channel. It takes along the weights that read it in the layer after, which without it
would still read a constant: its bias, which is never pruned, or the shift of its normalisation. So the logits do not
depend on it any more, and `quatnet.deploy.shrink` can leave it out. The output layer loses no channels, and neither
does a convolution whose output is an input or a term of a residual sum: its channels are those of the whole stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from quatnet.errors import UsageError
from quatnet.nn.layers import Flatten, Layer, QuaternionFlatten, Residual, Sequential, WeightLayer
from quatnet.nn.networks import Network
from quatnet.nn.parameters import Parameters

NONE = -1
"""In place of a unit, for what belongs to none."""


@dataclass(frozen=True, eq=False)
class Units:
    """The weights of a network, grouped. A unit is called by the place of its first weight in the flat arrays.

    Attributes
    ----------
    own : (size,) for every entry of the flat arrays, the unit that it belongs to, or NONE.
    read : (size,) the channel that a weight reads, and is pruned with as well, or NONE.
    layers : of channels, where the weights of each layer that has such lie in the flat arrays; else empty.
    """

    own: np.ndarray
    read: np.ndarray
    layers: tuple[slice, ...] = ()

    def magnitudes(self, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the root mean square of the weights left of every unit, at its place; infinite where none is left."""
        left = np.flatnonzero(mask & (self.own != NONE))
        squares = np.bincount(self.own[left], values[left].astype(np.float64) ** 2, values.size)
        counts = np.bincount(self.own[left], minlength=values.size)
        magnitudes = np.full(values.size, np.inf)
        np.divide(squares, counts, out=magnitudes, where=counts > 0)
        np.sqrt(magnitudes, out=magnitudes)
        return magnitudes

    def ranks(self, magnitudes: np.ndarray) -> np.ndarray:
        """Return the rank of every channel among those left in its layer, as a fraction of their number."""
        ranks = np.full_like(magnitudes, np.inf)
        for layer in self.layers:
            order = np.argsort(magnitudes[layer], kind="stable")
            ranks[layer][order] = np.arange(order.size) / max(1, np.isfinite(magnitudes[layer]).sum())
        return ranks

    def smallest(self, scores: np.ndarray, left: np.ndarray, count: int) -> np.ndarray:
        """Return which of the entries `left` are pruned: unit after unit, by score, until `count` entries are.

        Among units with equal scores the first is pruned first. The last channel of a layer stays: nothing passes
        without it.
        """
        order = self._ascending(scores, left)
        turn = np.full(scores.size + 1, order.size)  # never; the last entry is that of NONE
        turn[order] = np.arange(order.size)
        goes = np.minimum(turn[self.own[left]], turn[self.read[left]])
        gone = np.cumsum(np.bincount(goes + 1, minlength=order.size + 1))  # entries, after 0, 1, ... units
        return np.flatnonzero(goes < np.searchsorted(gone[: order.size], count))

    def _ascending(self, scores: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Return the units of the entries `left` that may go, in the order of their scores."""
        there = np.zeros(scores.size + 1, np.bool_)
        there[self.own[left]] = True
        found = np.flatnonzero(there[:NONE])
        order = found[np.argsort(scores[found], kind="stable")]
        for layer in self.layers:
            inside = np.flatnonzero((order >= layer.start) & (order < layer.stop))
            order = np.delete(order, inside[-1:])
        return order


def quaternions(network: Network) -> Units:
    """Return every quaternion as a unit, and every weight of the last layer, which is real.

    A UsageError if the network has no quaternions.
    """
    parameters, places = network.parameters, _places(network.parameters)
    layers = [layer for layer in network.layers.leaves() if isinstance(layer, WeightLayer)]
    if not any(layer.quaternion for layer in layers):
        raise UsageError("unit: quaternion given; a real network has no quaternions")
    own = np.where(parameters.prunable, np.arange(parameters.size), NONE)
    for layer in layers:
        if layer.quaternion:
            components = own[places[layer.weight]].reshape(4, -1)
            components[1:] = components[0]
    return Units(own, np.full(parameters.size, NONE))


def channels(network: Network) -> Units:
    """Return as a unit every channel that weights of the layer after it read, and no residual sum."""
    places = _places(network.parameters)
    own, read = (np.full(network.parameters.size, NONE) for _ in range(2))
    layers = []
    for maker, reader, sources in _connections(network.layers.layers, network.input_shape):
        written, reading = maker.weight, reader.weight
        inputs, outputs = reading.shape[-2], written.shape[-1]  # in quaternions, where a layer has them
        units = places[written].start + np.arange(outputs)
        own[places[written]].reshape(written.shape)[...] = units
        read[places[reading]].reshape(reading.shape)[...] = units[sources[:inputs, None] % outputs]
        layers.append(places[written])
    return Units(own, read, tuple(layers))


UNITS: dict[str, Callable[[Network], Units | None]] = {
    "weight": lambda network: None,
    "quaternion": quaternions,
    "channel": channels,
}


def _places(parameters: Parameters) -> dict[object, slice]:
    return {parameter: parameters.slice(name) for name, parameter in parameters.items()}


def _connections(
    layers: Mapping[str, Layer], shape: tuple[int, ...]
) -> Iterator[tuple[WeightLayer, WeightLayer, np.ndarray]]:
    """Yield each two layers with weights of which one reads the other, and the channel that each of its inputs is.

    Channels and inputs are real, those of quaternions [r | i | j | k].
    """
    maker, sources = None, np.empty(0, np.intp)
    for layer in layers.values():
        after = layer.output_shape(shape)
        if isinstance(layer, Residual):
            for path in (layer.body, layer.shortcut):
                if isinstance(path, Sequential):
                    yield from _connections(path.layers, shape)
            maker = None
        elif isinstance(layer, WeightLayer):
            if maker is not None:
                yield maker, layer, sources
            maker, sources = layer, np.arange(after[-1])
        elif isinstance(layer, Flatten | QuaternionFlatten) and maker is not None:
            sources = layer.predict(np.broadcast_to(sources, (1, *shape)))[0]
        shape = after
