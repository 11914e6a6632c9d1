"""A layer that computes what another one does: the same parameters, the same names, another way."""

from __future__ import annotations

from typing import Generic, TypeVar

from quatnet.nn.layers import Layer
from quatnet.nn.parameters import Parameter

L = TypeVar("L", bound=Layer)


class Wrapper(Layer, Generic[L]):
    """Stands for `layer`, with its parameters and shapes; subclasses give `forward`, and `predict` if it is cheaper."""

    def __init__(self, layer: L) -> None:
        self.layer = layer

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the layer's output shape."""
        return self.layer.output_shape(shape)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The layer's parameters."""
        return self.layer.parameters
