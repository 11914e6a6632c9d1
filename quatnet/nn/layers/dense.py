"""Fully connected layers: y = x w + b, with a real weight and with a quaternion weight (matrix (4) of the paper)."""

from __future__ import annotations

from typing import Protocol

from quatnet.backend import Array
from quatnet.nn import kernels
from quatnet.nn.layers.layer import Backward, WeightLayer, check_divisible, check_last_axis, check_positive
from quatnet.nn.parameters import Parameter
from quatnet.quaternion import SIGN, Signs
from quatnet.threads import SERIAL, Threads


class Product(Protocol):
    """A way to multiply a batch by the weight of a dense layer, and to go back."""

    def forward(self, x: Array, weight: Parameter) -> tuple[Array, Backward]:
        """Return y (n, out) for x (n, in); backward writes the weight's gradient and returns dx."""


class Direct:
    """The product with a real weight; `threads` share it."""

    def __init__(self, threads: Threads = SERIAL) -> None:
        self._threads = threads

    def forward(self, x: Array, weight: Parameter) -> tuple[Array, Backward]:
        """Return y = x w; backward: dw = x' dy, dx = dy w'."""

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.set_gradient(x, dy, weight)
            return self._threads.matmul(dy, weight.value.T) if inputs else None

        return self._threads.matmul(x, weight.value), backward

    def set_gradient(self, x: Array, dy: Array, weight: Parameter) -> None:
        """Write dw = x' dy."""
        self._threads.matmul(x.T, dy, out=weight.gradient)


class Dense(WeightLayer):
    """y = x w + b, for x (n, in), w (in, out), b (out,). `algorithm` is how the product is computed."""

    def __init__(self, inputs: int, outputs: int) -> None:
        check_positive(inputs=inputs, outputs=outputs)
        super().__init__(self.weight_shape(inputs, outputs), outputs, fan_in=inputs, fan_out=outputs)
        self.inputs, self.outputs = inputs, outputs
        self.algorithm: Product = self.reference()

    def weight_shape(self, inputs: int, outputs: int) -> tuple[int, ...]:
        """Return the shape of the weight for real widths `inputs` and `outputs`."""
        return (inputs, outputs)

    def reference(self) -> Product:
        """Return the algorithm that all others must equal."""
        return Direct()

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, out); backward adds db = sum dy to what the product does."""
        check_last_axis(x, self.inputs, type(self).__name__)
        y, product_backward = self.algorithm.forward(x, self.weight)
        y += self.bias.value

        def backward(dy: Array, inputs: bool = True) -> Array:
            dy.sum(axis=0, out=self.bias.gradient)
            return product_backward(dy, inputs)

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (out,)."""
        return (*shape[:-1], self.outputs)


class Expanded:
    """The product with a quaternion weight: that with the real weight expand(w), the transpose of matrix (4)."""

    def __init__(self, signs: Signs = SIGN) -> None:
        self._signs = signs

    def forward(self, x: Array, weight: Parameter) -> tuple[Array, Backward]:
        """Return y = x expand(w); backward: dw = fold(x' dy), dx = dy expand(w)'."""
        real = kernels.expand(weight.value, self._signs)

        def backward(dy: Array, inputs: bool = True) -> Array:
            weight.gradient[...] = kernels.fold(x.T @ dy, self._signs)
            return dy @ real.T if inputs else None

        return x @ real, backward


class QuaternionDense(Dense):
    """y_o = sum_i w_io (x) x_i + b_o over quaternions, for x (n, in), w (4, in/4, out/4), b (out,).

    `inputs` and `outputs` are real widths; channels are component-blocked, [r | i | j | k]. `signs` are the product's.
    """

    quaternion = True

    def __init__(self, inputs: int, outputs: int, *, signs: Signs = SIGN) -> None:
        self.signs = signs
        super().__init__(inputs, outputs)

    def weight_shape(self, inputs: int, outputs: int) -> tuple[int, ...]:
        """Return (4, in/4, out/4); a UsageError if a width does not split into quaternions."""
        check_divisible(inputs=inputs, outputs=outputs)
        return (4, inputs // 4, outputs // 4)

    def reference(self) -> Product:
        """Return the algorithm that all others must equal."""
        return Expanded(self.signs)
