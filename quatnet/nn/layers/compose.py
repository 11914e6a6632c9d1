"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Mapping

from quatnet.backend import Array
from quatnet.nn.layers.layer import Backward, Layer
from quatnet.nn.parameters import Parameter


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
            backwards.append(backward)

        def backward_all(dy: Array) -> Array:
            for backward in reversed(backwards):
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
