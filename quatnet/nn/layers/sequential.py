"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quatnet.backend import Array
from quatnet.nn.layers.layer import Backward, Layer
from quatnet.nn.parameters import Parameter


class Sequential(Layer):
    """A loop forwards and a loop backwards. Without layers it is the identity.

    `layers` maps each layer's name to the layer; the parameters are called `name.weight` and `name.bias`.
    """

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the last layer's output; backward runs through the layers in reverse, while a gradient is needed."""
        steps = []
        trained = False
        for layer in self.layers.values():
            x, backward = layer.forward(x)
            steps.append((backward, trained))
            trained = trained or bool(layer.parameters)

        def backward_all(dy: Array, inputs: bool = True) -> Array:
            for backward, trained_before in reversed(steps):
                dy = backward(dy, inputs or trained_before)
                if not (inputs or trained_before):
                    return None
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
        return {f"{name}.{key}": p for name, layer in self.layers.items() for key, p in layer.parameters.items()}

    @property
    def state(self) -> dict[str, Parameter]:
        """All layers' states, layer by layer."""
        return {f"{name}.{key}": p for name, layer in self.layers.items() for key, p in layer.state.items()}

    def leaves(self) -> Iterator[Layer]:
        """Yield all layers' leaves."""
        for layer in self.layers.values():
            yield from layer.leaves()
