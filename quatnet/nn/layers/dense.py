"""Fully connected layers: y = x w + b, with a real weight and with a quaternion weight (matrix (4) of the paper)."""

from __future__ import annotations

from quatnet.backend import Array
from quatnet.nn.layers.layer import Backward, WeightLayer, check_divisible, check_last_axis, check_positive
from quatnet.quaternion import SIGN, Signs, expand, fold


class Dense(WeightLayer):
    """y = x w + b, for x (n, in), w (in, out), b (out,)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        check_positive(inputs=inputs, outputs=outputs)
        super().__init__(self.weight_shape(inputs, outputs), outputs, fan_in=inputs, fan_out=outputs)
        self.inputs, self.outputs = inputs, outputs

    def weight_shape(self, inputs: int, outputs: int) -> tuple[int, ...]:
        """Return the shape of the weight for real widths `inputs` and `outputs`."""
        return (inputs, outputs)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, out); backward: dw = x' dy, db = sum dy, dx = dy w'."""
        check_last_axis(x, self.inputs, type(self).__name__)
        w, b = self.weight.value, self.bias.value
        y = x @ w + b

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.weight.gradient[...] = x.T @ dy
            self.bias.gradient[...] = dy.sum(axis=0)
            return dy @ w.T if inputs else None

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (out,)."""
        return (*shape[:-1], self.outputs)


class QuaternionDense(Dense):
    """y_o = sum_i w_io (x) x_i + b_o over quaternions, for x (n, in), w (4, in/4, out/4), b (out,).

    `inputs` and `outputs` are real widths; channels are component-blocked, [r | i | j | k]. `signs` are the product's.
    """

    def __init__(self, inputs: int, outputs: int, *, signs: Signs = SIGN) -> None:
        self.signs: Signs = signs
        super().__init__(inputs, outputs)

    def weight_shape(self, inputs: int, outputs: int) -> tuple[int, ...]:
        """Return (4, in/4, out/4); a UsageError if a width does not split into quaternions."""
        check_divisible(inputs=inputs, outputs=outputs)
        return (4, inputs // 4, outputs // 4)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y = x expand(w) + b; backward: dw = fold(x' dy), db = sum dy, dx = dy expand(w)'.

        expand(w) is the transpose of matrix (4), for x stands on the left here.
        """
        check_last_axis(x, self.inputs, type(self).__name__)
        w, b = expand(self.weight.value, self.signs), self.bias.value
        y = x @ w + b

        def backward(dy: Array, inputs: bool = True) -> Array:
            self.weight.gradient[...] = fold(x.T @ dy, self.signs)
            self.bias.gradient[...] = dy.sum(axis=0)
            return dy @ w.T if inputs else None

        return y, backward
