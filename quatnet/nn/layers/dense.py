"""Fully connected layers: y = x w + b, with a real weight and with a quaternion weight (matrix (4) of the paper)."""

from __future__ import annotations

from typing import Protocol

from quatnet.backend import Array
from quatnet.nn.layers.layer import Backward, WeightLayer, check_divisible, check_last_axis, check_positive
from quatnet.quaternion import expand, fold
from quatnet.threads import SERIAL, Threads


class Dense(WeightLayer):
    """y = x w + b, for x (n, in), w (in, out), b (out,). `threads` share its products."""

    def __init__(self, inputs: int, outputs: int) -> None:
        check_positive(inputs=inputs, outputs=outputs)
        super().__init__((inputs, outputs), outputs, fan_in=inputs, fan_out=outputs)
        self.inputs, self.outputs = inputs, outputs
        self.threads: Threads = SERIAL

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, out); backward: dw = x' dy, db = sum dy, dx = dy w'."""

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.threads.matmul(x.T, dy, out=self.weight.gradient)
            self.bias.gradient[...] = dy.sum(axis=0)
            return self.threads.matmul(dy, self.weight.value.T) if inputs else None

        return self.predict(x), backward

    def predict(self, x: Array) -> Array:
        """Return y (n, out)."""
        check_last_axis(x, self.inputs, "Dense")
        y = self.threads.matmul(x, self.weight.value)
        y += self.bias.value
        return y

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (out,)."""
        return (*shape[:-1], self.outputs)


class QuaternionProduct(Protocol):
    """A way to compute y_o = sum_i w_io (x) x_i and its gradients, for x (n, in) and w (4, in/4, out/4)."""

    def forward(self, x: Array, w: Array) -> tuple[Array, Backward]:
        """Return y (n, out), and the function from dy and an array for dw to dx."""


class Expanded:
    """The reference: one product with the real weight expand(w), the transpose of matrix (4)."""

    def forward(self, x: Array, w: Array) -> tuple[Array, Backward]:
        """Return y = x expand(w); backward: dw = fold(x' dy), dx = dy expand(w)'."""
        real = expand(w)

        def backward(dy: Array, dw: Array, inputs: bool = True) -> Array:
            dw[...] = fold(x.T @ dy)
            return dy @ real.T if inputs else None

        return x @ real, backward


class QuaternionDense(WeightLayer):
    """y_o = sum_i w_io (x) x_i + b_o over quaternions, for x (n, in), w (4, in/4, out/4), b (out,).

    `inputs` and `outputs` are real widths; channels are component-blocked, [r | i | j | k]. `algorithm` is how the
    product is computed.
    """

    quaternion = True

    def __init__(self, inputs: int, outputs: int) -> None:
        check_positive(inputs=inputs, outputs=outputs)
        check_divisible(inputs=inputs, outputs=outputs)
        super().__init__((4, inputs // 4, outputs // 4), outputs, fan_in=inputs, fan_out=outputs)
        self.inputs, self.outputs = inputs, outputs
        self.algorithm: QuaternionProduct = Expanded()

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, out) and the backward pass."""
        check_last_axis(x, self.inputs, "QuaternionDense")
        y, product_backward = self.algorithm.forward(x, self.weight.value)
        y += self.bias.value

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.bias.gradient[...] = dy.sum(axis=0)
            return product_backward(dy, self.weight.gradient, inputs)

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (out,)."""
        return (*shape[:-1], self.outputs)
