"""The paper's Table 1 as data, and `build`, which makes a network of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np

from quatnet import backend
from quatnet.backend import Array
from quatnet.errors import UsageError
from quatnet.nn.acceleration import choose_convolutions, share_among_threads, speed_up_dense_layers
from quatnet.nn.initializers import INITIALIZERS
from quatnet.nn.layers import (
    AppendGray,
    Backward,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    MaxPool2d,
    PureReal,
    QuaternionConv2d,
    QuaternionDense,
    QuaternionFlatten,
    ReLU,
    Sequential,
    WeightLayer,
)
from quatnet.nn.parameters import Parameters
from quatnet.streams import Stream, generator
from quatnet.threads import SERIAL, Threads

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Architecture:
    """A column of Table 1: widths of the layers (in real units), and how the paper trains it.

    Attributes
    ----------
    blocks : widths of 3x3 convolutions (stride 1, padding 1); 2x2 max pooling follows each block.
    hidden : widths of the hidden dense layers; the output layer comes on top.
    paper_dataset, default_dataset : the set of the paper and the built-in one that needs no network.
    epochs, rate : of training; the batch size is 60 and the optimizer Adam throughout.
    """

    name: str
    blocks: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]
    paper_dataset: str
    default_dataset: str
    epochs: int
    rate: float

    def scaled(self, width: float) -> Architecture:
        """Return the architecture with all hidden widths times `width`; a UsageError if one would not be whole."""
        return replace(
            self,
            blocks=tuple(tuple(_scaled(w, width) for w in block) for block in self.blocks),
            hidden=tuple(_scaled(w, width) for w in self.hidden),
        )


LENET_300_100 = Architecture("lenet-300-100", (), (300, 100), "mnist", "mnist-mini", 40, 1.2e-3)
LENET_12 = Architecture("lenet-12", (), (12,), "mnist", "mnist-mini", 20, 1.2e-3)
CONV_2 = Architecture("conv-2", ((64, 64),), (256, 256), "cifar10", "shapes", 40, 2e-4)
CONV_4 = Architecture("conv-4", ((64, 64), (128, 128)), (256, 256), "cifar10", "shapes", 40, 3e-4)
CONV_6 = Architecture("conv-6", ((64, 64), (128, 128), (256, 256)), (256, 256), "cifar10", "shapes", 60, 3e-4)

ARCHITECTURES = {a.name: a for a in (LENET_300_100, LENET_12, CONV_2, CONV_4, CONV_6)}
ALIASES = {"lenet": LENET_300_100}


def _scaled(neurons: int, width: float) -> int:
    scaled = neurons * width
    if scaled < 1 or scaled != int(scaled):
        nearest = max(1, round(scaled)) / neurons
        raise UsageError(
            f"--width: {width:g} given; a layer of {neurons} needs a whole number, the nearest: {nearest:g}"
        )
    return int(scaled)


def architecture(name: str) -> Architecture:
    """Return the architecture called `name`; `lenet` means lenet-300-100. Raises UsageError for others."""
    found = ALIASES.get(name) or ARCHITECTURES.get(name)
    if found is None:
        known = [*ALIASES, *ARCHITECTURES]
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"arch: {name!r} given; allowed are {', '.join(known)}{hint}")
    return found


class Network:
    """Layers and their parameters on one device.

    Attributes
    ----------
    layers : the layers by name, in order.
    parameters : ordered mapping from `layer.weight` and `layer.bias` to `Parameter`.
    input_shape, classes : (h, w, c) of one image, and the number of logits.
    threads : the threads that share the work of a conv net on the CPU.
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        input_shape: tuple[int, ...],
        dtype: str = "float32",
        device: str = "cpu",
        conv: str = "auto",
        threads: int = 1,
    ) -> None:
        self.layers = dict(layers)
        self.input_shape = tuple(input_shape)
        plain = Sequential(self.layers)
        xp = backend.select(device)
        self.parameters = Parameters(plain.parameters, np.dtype(dtype), xp)
        self.classes = plain.output_shape(input_shape)[-1]
        self.threads, self._blas_threads = SERIAL, threads
        self._body = plain
        if xp is np:
            choose_convolutions(self.layers, self.input_shape, conv)
            if any(isinstance(layer, Conv2d) for layer in self.layers.values()):
                self.threads, self._blas_threads = Threads(threads), 1
            self._body = share_among_threads(plain, self.threads)
            speed_up_dense_layers(self.layers, self.threads)

    def forward(self, images: Array) -> tuple[Array, Backward]:
        """Return the logits (n, classes) of images (n, h, w, c), and the backward pass.

        `backward(dlogits)` writes the gradients of all parameters and returns the gradient of the images.
        """
        self._check(images)
        return self._body.forward(images)

    def predict(self, images: Array) -> Array:
        """Return the logits (n, classes) of images (n, h, w, c), for inference."""
        self._check(images)
        return self._body.predict(images)

    def limit_blas(self) -> AbstractContextManager[object]:
        """Limit BLAS inside a `with` block to the network's threads, or to one where those share the batch."""
        return backend.blas_threads(self._blas_threads)

    def initialize(self, init: str, random: np.random.Generator) -> None:
        """Draw all initial weights with the initialiser called `init`; masked weights stay 0."""
        if init not in INITIALIZERS:
            raise UsageError(f"init: {init!r} given; allowed are {', '.join(INITIALIZERS)}")
        initial = []
        for layer in self.layers.values():
            if isinstance(layer, WeightLayer):
                initial += [array.ravel() for array in INITIALIZERS[init](layer, random)]
        self.parameters.set_value(np.concatenate(initial))

    def _check(self, images: Array) -> None:
        if images.ndim != 4 or tuple(images.shape[1:]) != self.input_shape:
            n_h_w_c = ", ".join(str(length) for length in self.input_shape)
            raise UsageError(f"images: shape {images.shape} given; (n, {n_h_w_c}) is needed")


def build(
    arch: str,
    *,
    quaternion: bool,
    input_shape: tuple[int, int, int],
    classes: int,
    seed: int = 0,
    dtype: str = "float32",
    init: str = "paper",
    width: float = 1.0,
    device: str = "cpu",
    conv: str = "auto",
    threads: int = 1,
) -> Network:
    """Build a network of the paper with its initial weights.

    Parameters
    ----------
    arch : lenet (= lenet-300-100), lenet-12, conv-2, conv-4 or conv-6.
    quaternion : whether all layers but the last have quaternion weights.
    input_shape : (height, width, channels) of one image. A quaternion network adds the gray channel to colour images;
        grayscale ones a lenet flattens in four blocks of pixels, and a conv net reads as quaternions without imaginary
        part.
    classes : number of logits.
    seed : of the initial weights.
    dtype : float32 or float64.
    init : paper, matched, he or glorot.
    width : factor of the widths of all hidden layers.
    device : auto, cpu, gpu or gpu:K.
    conv : the convolution of the CPU: auto, im2col or winograd.
    threads : of the CPU. Those of a conv net share a batch; a lenet gives them to BLAS (`Network.limit_blas`).

    Raises
    ------
    UsageError
        If an argument is none of these, or a width does not split into quaternions.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype: {dtype!r} given; allowed are {', '.join(DTYPES)}")
    if seed < 0:
        raise UsageError(f"seed: {seed} given; 0 or more is needed")
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise UsageError(f"input_shape: {input_shape} given; (height, width, channels) is needed")
    if classes < 2:
        raise UsageError(f"classes: {classes} given; 2 or more are needed")
    layers = layers_of(architecture(arch).scaled(width), quaternion, input_shape, classes)
    network = Network(layers, input_shape, dtype, device, conv, threads)
    network.initialize(init, generator(seed, Stream.INIT))
    return network


def count_parameters(
    arch: str, quaternion: bool, input_shape: tuple[int, int, int], classes: int, width: float = 1.0
) -> tuple[int, int]:
    """Return the numbers of weights and of biases of an architecture."""
    parameters = Sequential(layers_of(architecture(arch).scaled(width), quaternion, input_shape, classes)).parameters
    weights = sum(p.size for p in parameters.values() if p.prunable)
    return weights, sum(p.size for p in parameters.values()) - weights


def layers_of(
    arch: Architecture, quaternion: bool, input_shape: tuple[int, int, int], classes: int
) -> dict[str, Layer]:
    """Return the layers of an architecture by name: convN, poolN, fcN and their ReLUs; the last layer is real.

    A ReLU next to a pooling comes after it: they commute, and it then has a quarter of the work.
    """
    layers: dict[str, Layer] = {}
    shape: tuple[int, ...] = input_shape

    def add(name: str, layer: Layer) -> None:
        nonlocal shape
        shape = layer.output_shape(shape)
        layers[name] = layer

    if quaternion and input_shape[-1] == 3:
        add("gray", AppendGray())
    elif quaternion and input_shape[-1] == 1 and arch.blocks:
        add("quaternion", PureReal())
    convs = 0
    for index, block in enumerate(arch.blocks, start=1):
        for width_index, width in enumerate(block, start=1):
            convs += 1
            conv = QuaternionConv2d if quaternion else Conv2d
            add(f"conv{convs}", conv(shape[-1], width, 3, padding=1))
            if width_index < len(block):
                add(f"relu_conv{convs}", ReLU())
        add(f"pool{index}", MaxPool2d(2))
        add(f"relu_conv{convs}", ReLU())
    blocked = quaternion and shape[-1] % 4 == 0
    add("flatten", QuaternionFlatten() if blocked else Flatten())
    for index, width in enumerate(arch.hidden, start=1):
        add(f"fc{index}", (QuaternionDense if quaternion else Dense)(shape[-1], width))
        add(f"relu_fc{index}", ReLU())
    add(f"fc{len(arch.hidden) + 1}", Dense(shape[-1], classes))
    return layers
