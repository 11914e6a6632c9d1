"""Layers made of layers: one after the other, and side by side on several threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from quatnet.backend import Array
from quatnet.nn.layers.layer import Backward, Layer
from quatnet.nn.parameters import Parameter
from quatnet.threads import Threads


class Sequential(Layer):
    """Layers one after the other: a loop forwards and a loop backwards.

    `layers` maps each layer's name to the layer; the parameters are called `name.weight` and `name.bias`.
    """

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the last layer's output; backward runs through the layers in reverse."""
        backwards = []
        for layer in self.layers.values():
            x, backward = layer.forward(x)
            backwards.append((layer, backward))

        def backward_all(dy: Array, inputs: bool = True) -> Array:
            first = next((layer for layer in self.layers.values() if layer.parameters), None)
            for layer, backward in reversed(backwards):
                if layer is first and not inputs:
                    return backward(dy, inputs=False)
                dy = backward(dy)
            return dy

        return x, backward_all

    def predict(self, x: Array) -> Array:
        """Return the last layer's output."""
        for layer in self.layers.values():
            x = layer.predict(x)
        return x

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output of the last layer."""
        for layer in self.layers.values():
            shape = layer.output_shape(shape)
        return shape

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All layers' parameters, layer by layer."""
        return {
            f"{name}.{key}": parameter
            for name, layer in self.layers.items()
            for key, parameter in layer.parameters.items()
        }

    @property
    def state(self) -> dict[str, Parameter]:
        """All layers' states, layer by layer."""
        return {f"{name}.{key}": kept for name, layer in self.layers.items() for key, kept in layer.state.items()}

    def leaves(self) -> Iterator[Layer]:
        """Yield all layers' leaves."""
        for layer in self.layers.values():
            yield from layer.leaves()

    def replica(self) -> Sequential:
        """Return the layers for another thread."""
        return Sequential({name: layer.replica() for name, layer in self.layers.items()})


class Parallel(Layer):
    """A layer on the CPU whose batches are shared among threads, each with a replica of it.

    Gradients are summed in the order of the threads, so that results do not vary from run to run.
    """

    def __init__(self, layer: Layer, threads: Threads) -> None:
        self.replicas = [layer, *(layer.replica() for _ in range(threads.count - 1))]
        self._threads = threads

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the layer's output; backward runs on the same threads and adds up the gradients."""
        parts = self._threads.split(len(x))
        shares = list(zip(self.replicas, parts, strict=False))
        outputs = self._threads.map(lambda share: share[0].forward(x[share[1]]), shares)

        def backward(dy: Array, inputs: bool = True) -> Array:
            tasks = [(step, part) for (_, step), part in zip(outputs, parts, strict=True)]
            spared = {"inputs": inputs} if self.parameters else {}
            dxs = self._threads.map(lambda task: task[0](dy[task[1]], **spared), tasks)
            for name, parameter in self.parameters.items():
                for replica in self.replicas[1 : len(parts)]:
                    parameter.gradient += replica.parameters[name].gradient
            return np.concatenate(dxs) if inputs or not self.parameters else None

        return np.concatenate([y for y, _ in outputs]), backward

    def predict(self, x: Array) -> Array:
        """Return the layer's output."""
        shares = zip(self.replicas, self._threads.split(len(x)), strict=False)
        return np.concatenate(self._threads.map(lambda share: share[0].predict(x[share[1]]), shares))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the layer's output shape."""
        return self.replicas[0].output_shape(shape)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The layer's parameters; their gradients are the sums over the threads."""
        return self.replicas[0].parameters

    @property
    def state(self) -> dict[str, Parameter]:
        """The layer's state."""
        return self.replicas[0].state

    def leaves(self) -> Iterator[Layer]:
        """Yield the layer's leaves."""
        yield from self.replicas[0].leaves()
