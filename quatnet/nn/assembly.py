"""From an architecture to its layers, real or quaternion."""

from __future__ import annotations

from dataclasses import dataclass

from quatnet.nn.architectures import Architecture
from quatnet.nn.layers import (
    AppendGray,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool2d,
    PureReal,
    QuaternionConv2d,
    QuaternionDense,
    QuaternionFlatten,
    QuaternionSubsample,
    ReLU,
    Residual,
    ScalarBatchNorm,
    Sequential,
    Subsample,
    WhiteningBatchNorm,
)
from quatnet.quaternion import SIGN, Signs

NORMALISATIONS = {"split": BatchNorm, "whitening": WhiteningBatchNorm, "scalar": ScalarBatchNorm}
"""Of quaternion maps; a real network has the ordinary one, whatever is chosen."""


@dataclass(frozen=True)
class Algebra:
    """What the layers of a network are made of: real or quaternion weights, the signs of the product, a batch norm."""

    quaternion: bool
    signs: Signs = SIGN
    norm: str = "split"

    def conv(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, bias: bool = False) -> Conv2d:
        """Return a convolution that keeps the size of the maps, or divides it by the stride."""
        if self.quaternion:
            return QuaternionConv2d(
                inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias, signs=self.signs
            )
        return Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)

    def dense(self, inputs: int, outputs: int) -> Layer:
        """Return a dense layer."""
        return QuaternionDense(inputs, outputs, signs=self.signs) if self.quaternion else Dense(inputs, outputs)

    def batch_norm(self, channels: int) -> Layer:
        """Return a batch normalisation."""
        return NORMALISATIONS[self.norm](channels) if self.quaternion else BatchNorm(channels)

    def subsample(self, outputs: int) -> Layer:
        """Return a shortcut without weights that halves the maps."""
        return QuaternionSubsample(outputs) if self.quaternion else Subsample(outputs)


def layers_of(arch: Architecture, algebra: Algebra, input_shape: tuple[int, int, int], classes: int) -> Sequential:
    """Return the layers of an architecture by name: convN, normN, poolN, fcN and their ReLUs; the last layer is real.

    A ReLU next to a pooling comes after it: they commute, and it then has a quarter of the work. A convolution before a
    normalisation, which would take it away again, has no bias. A residual network has
    blocks stageN-M instead, each with its layers inside.
    """
    layers: dict[str, Layer] = {}
    shape: tuple[int, ...] = input_shape

    def add(name: str, layer: Layer) -> None:
        nonlocal shape
        shape = layer.output_shape(shape)
        layers[name] = layer

    if algebra.quaternion and input_shape[-1] == 3:
        add("gray", AppendGray())
    elif algebra.quaternion and input_shape[-1] == 1 and arch.convolutional:
        add("quaternion", PureReal())
    convs = 0
    for index, block in enumerate(arch.blocks, start=1):
        for width_index, width in enumerate(block, start=1):
            convs += 1
            add(f"conv{convs}", algebra.conv(shape[-1], width, bias=not arch.batch_norm))
            if arch.batch_norm:
                add(f"norm{convs}", algebra.batch_norm(width))
            if width_index < len(block):
                add(f"relu_conv{convs}", ReLU())
        add(f"pool{index}", MaxPool2d(2))
        add(f"relu_conv{convs}", ReLU())
    if arch.stages:
        add("conv1", algebra.conv(shape[-1], arch.stages[0]))
        add("norm1", algebra.batch_norm(arch.stages[0]))
        add("relu_conv1", ReLU())
        for index, width in enumerate(arch.stages, start=1):
            for k in range(1, arch.depth + 1):
                halve = k == 1 and index > 1
                add(f"stage{index}-{k}", _residual(algebra, shape[-1], width, halve, arch))
                add(f"relu_stage{index}-{k}", ReLU())
        add("average", GlobalAveragePool())
    else:
        blocked = algebra.quaternion and shape[-1] % 4 == 0
        add("flatten", QuaternionFlatten() if blocked else Flatten())
    for index, width in enumerate(arch.hidden, start=1):
        add(f"fc{index}", algebra.dense(shape[-1], width))
        add(f"relu_fc{index}", ReLU())
    add(f"fc{len(arch.hidden) + 1}", Dense(shape[-1], classes))
    return Sequential(layers)


def _residual(algebra: Algebra, inputs: int, outputs: int, halve: bool, arch: Architecture) -> Residual:
    """Return two convolutions and their shortcut (He et al. 2016); the ReLU of the sum comes after it."""
    stride = 2 if halve else 1
    body = Sequential(
        {
            "conv1": algebra.conv(inputs, outputs, stride=stride),
            "norm1": algebra.batch_norm(outputs),
            "relu1": ReLU(),
            "conv2": algebra.conv(outputs, outputs),
            "norm2": algebra.batch_norm(outputs),
        }
    )
    if not halve:
        return Residual(body)
    if not arch.projection:
        return Residual(body, algebra.subsample(outputs))
    conv = algebra.conv(inputs, outputs, 1, stride=2)
    conv.weight.prunable = algebra.quaternion or not arch.exempt_shortcuts
    return Residual(body, Sequential({"conv": conv, "norm": algebra.batch_norm(outputs)}))
