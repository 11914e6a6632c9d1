"""Fully connected layers: y = x w + b, with a real weight and with a quaternion weight (matrix (4) of the paper)."""

from __future__ import annotations

from quatnet.backend import Array
from quatnet.nn.layers.layer import Backward, WeightLayer, check_divisible, check_last_axis, check_positive
from quatnet.quaternion import expand, fold


class Dense(WeightLayer):
    """y = x w + b, for x (n, in), w (in, out), b (out,)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        check_positive(inputs=inputs, outputs=outputs)
        super().__init__((inputs, outputs), outputs, fan_in=inputs, fan_out=outputs)
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, out); backward: dw = x' dy, db = sum dy, dx = dy w'."""
        y = self.predict(x)

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.weight.gradient[...] = x.T @ dy
            self.bias.gradient[...] = dy.sum(axis=0)
            return dy @ self.weight.value.T if inputs else None

        return y, backward

    def predict(self, x: Array) -> Array:
        """Return y (n, out)."""
        check_last_axis(x, self.inputs, "Dense")
        y = x @ self.weight.value
        y += self.bias.value
        return y

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (out,)."""
        return (*shape[:-1], self.outputs)


class QuaternionDense(WeightLayer):
    """y_o = sum_i w_io (x) x_i + b_o over quaternions, for x (n, in), w (4, in/4, out/4), b (out,).

    `inputs` and `outputs` are real widths; channels are component-blocked, [r | i | j | k].
    """

    quaternion = True

    def __init__(self, inputs: int, outputs: int) -> None:
        check_positive(inputs=inputs, outputs=outputs)
        check_divisible(inputs=inputs, outputs=outputs)
        super().__init__((4, inputs // 4, outputs // 4), outputs, fan_in=inputs, fan_out=outputs)
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, out); backward: dw = fold(x' dy), db = sum dy, dx = dy expand(w)'."""
        check_last_axis(x, self.inputs, "QuaternionDense")
        w = expand(self.weight.value)
        y = x @ w
        y += self.bias.value

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.weight.gradient[...] = fold(x.T @ dy)
            self.bias.gradient[...] = dy.sum(axis=0)
            return dy @ w.T if inputs else None

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (out,)."""
        return (*shape[:-1], self.outputs)
