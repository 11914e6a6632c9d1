"""Convolution layers (cross-correlation, as usual in networks), by im2col, with real and with quaternion weights.

A convolution is the dense layer of dense.py applied to every receptive field: y = im2col(x) w + b.
"""

from __future__ import annotations

from quatnet.backend import Array
from quatnet.errors import UsageError
from quatnet.nn.layers.im2col import col2im, im2col, output_length
from quatnet.nn.layers.layer import Backward, WeightLayer, check_divisible, check_last_axis, check_positive
from quatnet.quaternion import SIGN, Signs


class Conv2d(WeightLayer):
    """y = x * w + b, for x (n, h, w, in), weight (kh, kw, in, out), bias (out,).

    The kernel is square; `padding` zeros are added on every side; `bias` says whether there is one.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        check_positive(inputs=inputs, outputs=outputs, kernel=kernel, stride=stride)
        if padding < 0:
            raise UsageError(f"padding: {padding} given; 0 or more is needed")
        area = kernel * kernel
        weight = self.weight_shape(inputs, outputs, kernel)
        super().__init__(weight, outputs, fan_in=area * inputs, fan_out=area * outputs)
        self.inputs, self.outputs = inputs, outputs
        self.kernel, self.stride, self.padding, self.has_bias = kernel, stride, padding, bias

    def weight_shape(self, inputs: int, outputs: int, kernel: int) -> tuple[int, ...]:
        """Return the shape of the weight for real widths `inputs` and `outputs`."""
        return (kernel, kernel, inputs, outputs)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, oh, ow, out) = im2col(x) w + b; backward: dw = im2col(x)' dy, db = sum dy, dx = col2im(dy w').

        Of quaternions, w stands for expand(w), and dw is folded.
        """
        check_last_axis(x, self.inputs, type(self).__name__)
        columns = im2col(x, (self.kernel, self.kernel), self.stride, self.padding)
        fields = columns.reshape(-1, self.fan_in)
        weight = self.real_weight()
        w = weight.reshape(self.fan_in, self.outputs)
        y = fields @ w
        if self.has_bias:
            y += self.bias.value

        def backward(dy: Array, inputs: bool = True) -> Array:
            dy = dy.reshape(-1, self.outputs)
            self.set_gradients((fields.T @ dy).reshape(weight.shape), dy.sum(axis=0))
            return col2im((dy @ w.T).reshape(columns.shape), x.shape, self.stride, self.padding) if inputs else None

        return y.reshape(*columns.shape[:3], self.outputs), backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (oh, ow, out) for (h, w, in); a UsageError if the kernel does not fit."""
        h, w, _ = shape
        oh, ow = (output_length(length, self.kernel, self.stride, self.padding) for length in (h, w))
        if min(oh, ow) < 1:
            raise UsageError(f"input_shape: a {self.kernel}x{self.kernel} kernel does not fit a {h}x{w} feature map")
        return (oh, ow, self.outputs)


class QuaternionConv2d(Conv2d):
    """y_o = sum_i w_io (x) x_i + b_o over quaternion channels, for x (n, h, w, in), weight (4, kh, kw, in/4, out/4).

    `inputs` and `outputs` are real widths; channels are component-blocked, [r | i | j | k]. The weight is small next
    to the feature maps: it is expanded once a step, and the gradient of the real weight folded once. `signs` are the
    product's.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        signs: Signs = SIGN,
    ) -> None:
        self.signs: Signs = signs
        super().__init__(inputs, outputs, kernel, stride=stride, padding=padding, bias=bias)

    def weight_shape(self, inputs: int, outputs: int, kernel: int) -> tuple[int, ...]:
        """Return (4, kh, kw, in/4, out/4); a UsageError if a width does not split into quaternions."""
        check_divisible(inputs=inputs, outputs=outputs)
        return (4, kernel, kernel, inputs // 4, outputs // 4)
