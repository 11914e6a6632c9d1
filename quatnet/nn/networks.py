"""Networks: layers and the flat arrays of their parameters; from an architecture to its layers, in either algebra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import DTypeLike

from quatnet import backend
from quatnet.backend import Array
from quatnet.data.preprocess import Normalizer
from quatnet.errors import UsageError
from quatnet.nn.architectures import Architecture, architecture
from quatnet.nn.initializers import INITIALIZERS
from quatnet.nn.layers import (
    AppendGray,
    Backward,
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
    WeightLayer,
    WhiteningBatchNorm,
)
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.parameters import Parameters
from quatnet.quaternion import SIGN, Signs, shuffled_signs
from quatnet.settings import ModelSettings
from quatnet.streams import Stream, generator

NORMALISATIONS = {"split": BatchNorm, "whitening": WhiteningBatchNorm, "scalar": ScalarBatchNorm}
"""The batch normalisations of quaternion networks, by name; a real network always has the ordinary one."""


class Network:
    """Layers and their parameters on one device.

    Attributes
    ----------
    layers : the layers, one after the other.
    parameters : ordered mapping from `layer.weight` and `layer.bias` (of a normalisation `layer.scale` and
        `layer.shift`) to `Parameter`.
    statistics : the running statistics of batch normalisations, likewise; no optimizer sees them.
    input_shape, classes : (h, w, c) of one image, and the number of logits.
    """

    def __init__(
        self, layers: Sequential, input_shape: tuple[int, ...], dtype: str = "float32", xp: ModuleType = np
    ) -> None:
        self.layers = layers
        self.input_shape = tuple(input_shape)
        self.classes = layers.output_shape(self.input_shape)[-1]
        self.parameters = Parameters(layers.parameters, np.dtype(dtype), xp)
        self.statistics = Parameters(layers.state, np.dtype(dtype), xp)

    def forward(self, images: Array) -> tuple[Array, Backward]:
        """Return the logits (n, classes) of images (n, h, w, c), and the backward pass.

        `backward(dlogits)` writes the gradients of all parameters and returns the gradient of the images.
        """
        self._check(images)
        return self.layers.forward(images)

    def predict(self, images: Array) -> Array:
        """Return the logits (n, classes) of images (n, h, w, c), for inference."""
        self._check(images)
        return self.layers.predict(images)

    def loss(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        """Return the mean loss of a batch, and the gradient of the logits."""
        return softmax_cross_entropy(logits, labels)

    def normalizer(
        self, pixel: DTypeLike, shape: tuple[int, ...], mean: Sequence[float], std: Sequence[float]
    ) -> Normalizer:
        """Return what makes inputs of stored images (h, w, c) = `shape` of dtype `pixel`."""
        return Normalizer(pixel, shape, mean, std, self.parameters.dtype, self.parameters.xp)

    def initialize(self, init: str, random: np.random.Generator) -> None:
        """Draw all initial weights with the initialiser called `init`; masked weights stay 0."""
        if init not in INITIALIZERS:
            raise UsageError(f"init: {init!r} given; allowed are {', '.join(INITIALIZERS)}")
        xp, dtype = self.parameters.xp, self.parameters.dtype
        for layer in self.layers.leaves():
            if isinstance(layer, WeightLayer):
                weight, bias = INITIALIZERS[init](layer, random)
                layer.weight.value[...] = backend.to_device(weight.astype(dtype), xp) * layer.weight.mask
                if layer.has_bias:
                    layer.bias.value[...] = backend.to_device(bias.astype(dtype), xp)
            elif isinstance(layer, BatchNorm):
                layer.reset()

    def values(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and running statistics as host arrays, by name."""
        return {**self.parameters.by_name(), **self.statistics.by_name()}

    def load(self, values: Mapping[str, np.ndarray]) -> None:
        """Overwrite all parameters and running statistics with what `values` returned, then zero the pruned weights.

        Raises ValueError, and changes nothing, if a name is missing or unknown or a shape differs.
        """
        statistics = {name: value for name, value in values.items() if name in self.statistics}
        self.statistics.check(statistics)
        self.parameters.load({name: value for name, value in values.items() if name not in statistics})
        if statistics:
            self.statistics.load(statistics)

    def flat(self) -> np.ndarray:
        """Return all parameters, then all running statistics, as one flat host array."""
        return np.concatenate([backend.to_host(self.parameters.value), backend.to_host(self.statistics.value)])

    def set_flat(self, value: np.ndarray) -> None:
        """Overwrite all parameters and running statistics with what `flat` returned, then zero the pruned weights.

        A ValueError, and nothing is changed, if the size differs.
        """
        size = self.parameters.size
        if value.shape != (size + self.statistics.size,):
            raise ValueError(f"value: shape {value.shape} given; ({size + self.statistics.size},) is needed")
        self.parameters.set_value(value[:size])
        self.statistics.set_value(value[size:])

    def _check(self, images: Array) -> None:
        if images.ndim != 4 or tuple(images.shape[1:]) != self.input_shape:
            n_h_w_c = ", ".join(str(length) for length in self.input_shape)
            raise UsageError(f"images: shape {images.shape} given; (n, {n_h_w_c}) is needed")


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


def build(model: ModelSettings, input_shape: tuple[int, int, int], classes: int, device: str = "cpu") -> Network:
    """Build a network with its initial weights.

    Parameters
    ----------
    model : what it is. A quaternion network adds the gray channel to colour images; grayscale ones a lenet flattens in
        four blocks of pixels, and a conv net reads as quaternions without imaginary part. Shuffled signs are drawn with
        the seed.
    input_shape : (height, width, channels) of one image.
    classes : number of logits.
    device : auto, cpu, gpu or gpu:K.

    Raises
    ------
    UsageError
        If an argument is invalid, or a width does not split into quaternions.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise UsageError(f"{input_shape} given; (height, width, channels) is needed", "input_shape")
    if classes < 2:
        raise UsageError(f"{classes} given; 2 or more are needed", "classes")
    table = SIGN if model.signs == "hamilton" else shuffled_signs(generator(model.seed, Stream.SIGNS))
    algebra = Algebra(model.quaternion, table, model.norm)
    layers = layers_of(architecture(model.arch).scaled(model.width), algebra, input_shape, classes)
    network = Network(layers, input_shape, model.dtype, backend.select(device))
    network.initialize(model.init, generator(model.seed, Stream.INIT))
    return network


def count_parameters(
    arch: str,
    quaternion: bool,
    input_shape: tuple[int, int, int],
    classes: int,
    width: float = 1.0,
    norm: str = "split",
) -> tuple[int, int]:
    """Return the numbers of weights and of biases of an architecture."""
    layers = layers_of(architecture(arch).scaled(width), Algebra(quaternion, norm=norm), input_shape, classes)
    parameters = layers.parameters.values()
    weights = sum(p.size for p in parameters if p.prunable)
    return weights, sum(p.size for p in parameters) - weights
