"""The layers that have kernels; all others run as they are."""

from __future__ import annotations

from quatnet.backend import Array, array_module
from quatnet.fast.gpu import kernels
from quatnet.fast.wrapper import Wrapper
from quatnet.nn.layers import (
    AppendGray,
    Backward,
    Conv2d,
    Dense,
    Layer,
    MaxPool2d,
    QuaternionConv2d,
    QuaternionDense,
    ReLU,
    Residual,
    Sequential,
)
from quatnet.nn.layers.im2col import output_length
from quatnet.nn.layers.layer import WeightLayer, check_last_axis
from quatnet.nn.layers.shape import GRAY

KNOWN = (AppendGray, Conv2d, Dense, MaxPool2d, QuaternionConv2d, QuaternionDense, ReLU)
"""The layers that have kernels. A subclass may have formulas of its own."""


def layers(network: Sequential) -> Sequential:
    """Return layers that are equal to those of a network and share its parameters."""
    return Sequential({name: _layer(inner) for name, inner in network.layers.items()})


def _layer(layer: Layer) -> Layer:
    if isinstance(layer, Sequential):
        return layers(layer)
    if isinstance(layer, Residual):
        return Residual(_layer(layer.body), _layer(layer.shortcut))
    if type(layer) not in KNOWN:
        return layer
    if isinstance(layer, Conv2d):
        return KernelConv2d(layer)
    if isinstance(layer, Dense):
        return KernelDense(layer)
    if isinstance(layer, MaxPool2d):
        return KernelMaxPool2d(layer)
    if isinstance(layer, ReLU):
        return KernelReLU(layer)
    return KernelAppendGray(layer) if isinstance(layer, AppendGray) else layer


class KernelDense(Wrapper[Dense]):
    """y = x w + b; a quaternion weight is expanded, and its gradient folded, in one kernel each."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dw = x' dy, or its fold, db = sum dy, dx = dy w'."""
        layer = self.layer
        check_last_axis(x, layer.inputs, type(layer).__name__)
        w = _real_weight(layer)
        y = x @ w
        y += layer.bias.value

        def backward(dy: Array, inputs: bool = True) -> Array:
            _set_weight_gradient(layer, x.T @ dy)
            dy.sum(axis=0, out=layer.bias.gradient)
            return dy @ w.T if inputs else None

        return y, backward


class KernelConv2d(Wrapper[Conv2d]):
    """y = im2col(x) w + b, over the whole batch."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dw = im2col(x)' dy, or its fold, db = sum dy, dx = col2im(dy w')."""
        layer = self.layer
        check_last_axis(x, layer.inputs, type(layer).__name__)
        k, stride, padding = layer.kernel, layer.stride, layer.padding
        oh, ow = (output_length(length, k, stride, padding) for length in x.shape[1:3])
        columns = kernels.im2col(x, (len(x), oh, ow, k, k, layer.inputs), stride, padding)
        weight = _real_weight(layer)
        fields, w = columns.reshape(-1, layer.fan_in), weight.reshape(layer.fan_in, layer.outputs)
        y = fields @ w
        if layer.has_bias:
            y += layer.bias.value

        def backward(dy: Array, inputs: bool = True) -> Array:
            dy = dy.reshape(-1, layer.outputs)
            _set_weight_gradient(layer, (fields.T @ dy).reshape(weight.shape))
            if layer.has_bias:
                dy.sum(axis=0, out=layer.bias.gradient)
            if not inputs:
                return None
            dx = array_module(x).empty_like(x)
            kernels.col2im((dy @ w.T).reshape(columns.shape), dx, stride, padding)
            return dx

        return y.reshape(len(x), oh, ow, layer.outputs), backward


class KernelReLU(Wrapper[ReLU]):
    """y = max(x, 0)."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dx = dy where y > 0."""
        y = array_module(x).maximum(x, 0)
        return y, lambda dy, inputs=True: kernels.relu_backward(y, dy)


class KernelMaxPool2d(Wrapper[MaxPool2d]):
    """y = the maximum of every window."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dy goes to the first position of the maximum."""
        y = self.predict(x)
        return y, lambda dy, inputs=True: kernels.max_pool_backward(x, y, dy, self.layer.size)

    def predict(self, x: Array) -> Array:
        """Return y."""
        return kernels.max_pool(x, self.layer.size)


class KernelAppendGray(Wrapper[AppendGray]):
    """The gray value as fourth channel. The backward pass is that of the layer: training does not ask for it."""

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return (n, h, w, 4), and the layer's backward pass."""
        return self.predict(x), lambda dy, inputs=True: self.layer.forward(x)[1](dy, inputs)

    def predict(self, x: Array) -> Array:
        """Return (n, h, w, 4)."""
        return kernels.append_gray(x, GRAY)


def _real_weight(layer: WeightLayer) -> Array:
    return layer.weight.value if layer.signs is None else kernels.expand(layer.weight.value, layer.signs)


def _set_weight_gradient(layer: WeightLayer, dw: Array) -> None:
    layer.weight.gradient[...] = dw if layer.signs is None else kernels.fold(dw, layer.signs)
