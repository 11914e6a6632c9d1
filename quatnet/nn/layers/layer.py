"""What every layer is: a forward pass that returns its output and the function for the backward pass.

    y, backward = layer.forward(x)
    dx = backward(dy)

`backward` closes over what it needs, writes the gradients of the layer's parameters and returns the gradient with
respect to x. There is no graph and no tape. Images and feature maps are (n, height, width, channels).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from quatnet.backend import Array
from quatnet.errors import UsageError
from quatnet.nn.parameters import Parameter
from quatnet.quaternion import Signs, expand, fold


class Backward(Protocol):
    """The backward pass of any layer: `backward(dy)` returns dx.

    With `inputs=False`, where nothing before the layer is trained, dx may be left out; nobody reads it then.
    """

    def __call__(self, dy: Array, /, inputs: bool = True) -> Array:
        """Write the gradients of the parameters and return dx."""


class Layer(ABC):
    """A layer without parameters; subclasses give `forward` and `output_shape`, and `predict` where it is cheaper."""

    @abstractmethod
    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return the output for a batch `x` and the function that maps dy to dx."""

    def predict(self, x: Array) -> Array:
        """Return the output alone, for inference."""
        return self.forward(x)[0]

    @abstractmethod
    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output, given the shape of one input (no batch axis)."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The layer's own parameters by name, weight before bias."""
        return {}

    @property
    def state(self) -> dict[str, Parameter]:
        """What the layer keeps besides its parameters, by name: part of the network in every file, but not trained."""
        return {}

    def leaves(self) -> Iterator[Layer]:
        """Yield the layers inside that have none inside themselves, in order."""
        yield self


class WeightLayer(Layer):
    """A layer with a weight, which can be pruned, and a bias, which never is.

    Attributes
    ----------
    fan_in, fan_out : real inputs that one real output sums over, and the reverse.
    signs : of the quaternion product, whose weight has a leading axis of the four components; None for a real weight.
    has_bias : whether there is a bias; without one, `bias` is no parameter and never read.
    """

    signs: Signs | None = None
    has_bias = True

    def __init__(self, weight: tuple[int, ...], outputs: int, fan_in: int, fan_out: int) -> None:
        self.weight = Parameter(weight, prunable=True)
        self.bias = Parameter((outputs,), prunable=False)
        self.fan_in = fan_in
        self.fan_out = fan_out

    @property
    def quaternion(self) -> bool:
        """Whether the weight is one of quaternions."""
        return self.signs is not None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The weight, then the bias if there is one."""
        return {"weight": self.weight, "bias": self.bias} if self.has_bias else {"weight": self.weight}

    def real_weight(self) -> Array:
        """Return the real weight that the inputs meet: w, or expand(w) for quaternions."""
        return self.weight.value if self.signs is None else expand(self.weight.value, self.signs)

    def set_gradients(self, dw: Array, db: Array) -> None:
        """Store the gradients of the real weight, as dw or fold(dw), and of the bias."""
        self.weight.gradient[...] = dw if self.signs is None else fold(dw, self.signs)
        if self.has_bias:
            self.bias.gradient[...] = db


def check_positive(**arguments: int) -> None:
    """Raise a UsageError that names the first argument that is not a positive integer."""
    for name, value in arguments.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise UsageError(f"{name}: {value!r} given; a positive integer is needed")


def check_divisible(**widths: int) -> None:
    """Raise a UsageError that names the first width that does not split into quaternions, and the nearest two."""
    for name, width in widths.items():
        if width % 4:
            below, above = width - width % 4, width - width % 4 + 4
            nearest = f"{below} or {above}" if below else str(above)
            raise UsageError(f"{name}: {width} given; a quaternion layer needs a multiple of 4, the nearest: {nearest}")


def check_last_axis(x: Array, channels: int, layer: str) -> None:
    """Raise a ValueError unless the last axis of `x` has `channels` entries."""
    if x.shape[-1] != channels:
        raise ValueError(f"x: shape {x.shape} given; {layer} needs {channels} on the last axis")
