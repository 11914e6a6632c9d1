"""The networks of the paper (its Table 1, Lenet-12, and section 5.2) as data, and from data to layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

from quatnet.errors import UsageError
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


@dataclass(frozen=True)
class Architecture:
    """Widths of the layers, in real units, and how the network is trained.

    Attributes
    ----------
    blocks : widths of 3x3 convolutions (stride 1, padding 1); 2x2 max pooling follows each block.
    hidden : widths of the hidden dense layers; the output layer comes on top.
    paper_dataset, default_dataset : the set of the paper and the built-in one that needs no network.
    epochs, rate, batch_size, optimizer, weight_decay : of training.
    batch_norm : whether every convolution is followed by batch normalisation.
    stages : of a residual network: widths of the stages, each of `depth` residual blocks. The first convolution has the
        width of the first stage.
    depth : residual blocks per stage.
    projection : whether shortcuts that change the shape are 1x1 convolutions, or have no weights.
    """

    name: str
    blocks: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]
    paper_dataset: str
    default_dataset: str
    epochs: int
    rate: float
    batch_size: int = 60
    optimizer: str = "adam"
    weight_decay: float = 0.0
    batch_norm: bool = False
    stages: tuple[int, ...] = ()
    depth: int = 0
    projection: bool = False

    @property
    def convolutional(self) -> bool:
        """Whether there are convolutions."""
        return bool(self.blocks or self.stages)

    def scaled(self, width: float) -> Architecture:
        """Return the architecture with all hidden widths times `width`; a UsageError if one would not be whole."""
        return replace(
            self,
            blocks=tuple(tuple(_scaled(w, width) for w in block) for block in self.blocks),
            hidden=tuple(_scaled(w, width) for w in self.hidden),
            stages=tuple(_scaled(w, width) for w in self.stages),
        )


LENET_300_100 = Architecture("lenet-300-100", (), (300, 100), "mnist", "mnist-mini", 40, 1.2e-3)
LENET_12 = Architecture("lenet-12", (), (12,), "mnist", "mnist-mini", 20, 1.2e-3)
CONV_2 = Architecture("conv-2", ((64, 64),), (256, 256), "cifar10", "shapes", 40, 2e-4)
CONV_4 = Architecture("conv-4", ((64, 64), (128, 128)), (256, 256), "cifar10", "shapes", 40, 3e-4)
CONV_6 = Architecture("conv-6", ((64, 64), (128, 128), (256, 256)), (256, 256), "cifar10", "shapes", 60, 3e-4)

# The paper gives no settings for section 5.2; these are the ones of its code for the residual network.
_NORMALISED = Architecture(
    "", (), (), "cifar10", "shapes", 80, 1e-2, batch_size=128, optimizer="sgd", weight_decay=1e-4, batch_norm=True
)
RESNET_20 = replace(_NORMALISED, name="resnet-20", stages=(16, 32, 64), depth=3)
RESNET_18 = replace(_NORMALISED, name="resnet-18", stages=(64, 128, 256, 512), depth=2, projection=True)
VGG_16 = replace(
    _NORMALISED, name="vgg-16", blocks=((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
)

ARCHITECTURES = {a.name: a for a in (LENET_300_100, LENET_12, CONV_2, CONV_4, CONV_6, RESNET_20, RESNET_18, VGG_16)}
ALIASES = {"lenet": LENET_300_100}


def architecture(name: str) -> Architecture:
    """Return the architecture called `name`; `lenet` means lenet-300-100. Raises UsageError for others."""
    found = ALIASES.get(name) or ARCHITECTURES.get(name)
    if found is None:
        known = [*ALIASES, *ARCHITECTURES]
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"{name!r} given; allowed are {', '.join(known)}{hint}", "arch")
    return found


def _scaled(neurons: int, width: float) -> int:
    whole = max(1, round(neurons * width))
    if abs(neurons * width - whole) > 1e-9 * neurons:
        nearest = whole / neurons
        raise UsageError(
            f"{width:g} given; a layer of {neurons} needs a whole number, the nearest: {nearest:g}", "width"
        )
    return whole


NORMALISATIONS = {"split": BatchNorm, "whitening": WhiteningBatchNorm, "scalar": ScalarBatchNorm}
"""Of quaternion maps; a real network has the ordinary one, whatever is chosen."""


@dataclass(frozen=True)
class Algebra:
    """What the layers of a network are made of: real or quaternion weights, the signs of the product, a batch norm."""

    quaternion: bool
    signs: Signs = SIGN
    norm: str = "split"

    def conv(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, bias: bool = False) -> Layer:
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
                add(f"stage{index}-{k}", _residual(algebra, shape[-1], width, halve, arch.projection))
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


def _residual(algebra: Algebra, inputs: int, outputs: int, halve: bool, projection: bool) -> Residual:
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
    if not projection:
        return Residual(body, algebra.subsample(outputs))
    conv = algebra.conv(inputs, outputs, 1, stride=2)
    return Residual(body, Sequential({"conv": conv, "norm": algebra.batch_norm(outputs)}))
