"""A network as an ONNX graph, for runtimes that know nothing of quaternions, masks or normalisations.

The graph is made from the steps of the network. Every product is an ordinary Gemm or Conv with the real weight that
its inputs meet. What only arranges the inputs of a product (a gray channel, channels of zeros, the order of flattened
maps) is folded into that weight, too: a node less, and no transposition but the one from NHWC to ONNX's NCHW at the
entry of a network with convolutions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quatnet.deploy.model import Description, Model
from quatnet.deploy.shrink import shrink
from quatnet.deploy.steps import (
    AppendGray,
    Average,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    PureReal,
    Relu,
    Residual,
    Step,
    Subsample,
    products,
    steps_of,
)
from quatnet.errors import UsageError
from quatnet.files import write_bytes
from quatnet.nn.layers.shape import GRAY
from quatnet.version import VERSION

if TYPE_CHECKING:
    import onnx

OPSET = 13
IR_VERSION = 7
"""Of ONNX 1.8 (2020), the first with this opset: what is older does not read it, all that is newer does."""


def write_onnx(path: Path, model: Model, *, preprocessing: bool = False) -> int:
    """Write the graph of `to_onnx` to a file and return its size in bytes. Equal models give equal bytes."""
    content = to_onnx(model, preprocessing=preprocessing).SerializeToString(deterministic=True)
    write_bytes(path, content)
    return len(content)


def to_onnx(model: Model, *, preprocessing: bool = False) -> onnx.ModelProto:
    """Return a graph that gives the logits of a network, for any number n of images.

    Input `images` (n, h, w, c): float32, normalised, (pixel - mean) / std for pixels from 0 to 1; or with
    `preprocessing` uint8, raw pixels from 0 to 255, normalised in the graph in the roundings of quatnet itself. Output
    `logits` (n, classes), float32. The description of the network is in the metadata of the model.

    Weights are dense, and pruned ones are zeros among them: the file is as large as that of the real network without
    pruning, but for channels that nothing depends on. ONNX has sparse initializers, but its operators for products do
    not take them (ONNX Runtime makes them dense when it loads them,
    https://github.com/microsoft/onnxruntime/pull/5540), and few runtimes read them. The ticket and the C code are the
    small formats.

    Raises UsageError where the package onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise UsageError(
            "ONNX needs the package onnx, which is not installed: pip install 'pruned-quaternions[onnx]'"
        ) from None
    description, steps = model.description, shrink(steps_of(model.network))
    graph = _graph(description, steps, preprocessing)
    images = helper.make_tensor_value_info(
        "images",
        TensorProto.UINT8 if preprocessing else TensorProto.FLOAT,
        ["n", *description.input_shape],
        "raw pixels from 0 to 255" if preprocessing else "(pixel - mean) / std for pixels from 0 to 1",
    )
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", *steps[-1].output_shape])
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node(n.op, n.inputs, [n.output], n.name, **n.attributes) for n in graph.nodes],
            description.arch,
            [images],
            [logits],
            [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="quatnet",
        producer_version=VERSION,
    )
    helper.set_model_props(made, {key: _text(value) for key, value in asdict(description).items()})
    return made


@dataclass(frozen=True)
class _Node:
    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass
class _Graph:
    """Nodes in order, and constants by name. `folded` are the steps that the next product's weight will undo."""

    channels_first: bool
    nodes: list[_Node] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    folded: list[Flatten | AppendGray | PureReal] = field(default_factory=list)

    def node(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Append a node, called after its operator and place unless given a name, and return its output."""
        name = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(_Node(op, name, inputs, name, attributes))
        return name

    def constant(self, name: str, values: np.ndarray | Sequence[int]) -> str:
        """Add a constant, of int64 if it is a list, and return its name."""
        self.constants[name] = values if isinstance(values, np.ndarray) else np.array(values, np.int64)
        return name

    def steps(self, steps: Iterable[Step], x: str) -> str:
        """Append the nodes of steps, and return the output of the last."""
        for step in steps:
            x = self.step(step, x)
        return x

    def step(self, step: Step, x: str) -> str:
        """Append the nodes of a step, and return its output."""
        match step:
            case Dense():
                return self.product(step, x)
            case Relu():
                return self.node("Relu", x)
            case MaxPool(size=size):
                return self.node("MaxPool", x, kernel_shape=[size, size], strides=[size, size])
            case Average():
                return self.node("Flatten", self.node("GlobalAveragePool", x))
            case Flatten():
                self.folded.append(step)
                return self.node("Flatten", x)
            case AppendGray() | PureReal():
                self.folded.append(step)
                return x
            case Subsample():
                return self.subsample(step, x)
            case Residual(body=body, shortcut=shortcut):
                return self.node("Add", self.steps(body, x), self.steps(shortcut, x))

    def product(self, step: Dense, x: str) -> str:
        """y = x w + b."""
        w = _weight(step, self.folded)
        if isinstance(step, Conv):
            w = w.transpose(3, 2, 0, 1)
        elif w.ndim == 4:  # of flattened maps, (h, w, in, out)
            w = (w.transpose(2, 0, 1, 3) if self.channels_first else w).reshape(-1, w.shape[-1])
        self.folded.clear()
        inputs = (
            x,
            self.constant(f"{step.name}.weight", np.ascontiguousarray(w, np.float32)),
            self.constant(f"{step.name}.bias", step.bias),
        )
        if not isinstance(step, Conv):
            return self.node("Gemm", *inputs, name=step.name)
        kernel, strides, pads = [step.kernel] * 2, [step.stride] * 2, [step.padding] * 4
        return self.node("Conv", *inputs, name=step.name, kernel_shape=kernel, strides=strides, pads=pads)

    def subsample(self, step: Subsample, x: str) -> str:
        """Every `stride`-th pixel; zeros after each block of channels, which is an axis of its own meanwhile."""
        h, w, after = step.output_shape
        before, blocks = step.input_shape[-1] // step.blocks, step.blocks
        name = f"subsample_{len(self.nodes)}"
        slices = {"starts": [0, 0], "ends": step.input_shape[:2], "axes": [2, 3], "steps": [step.stride] * 2}
        x = self.node("Slice", x, *(self.constant(f"{name}.{key}", values) for key, values in slices.items()))
        zeros = after // blocks - before
        if blocks == 1:
            return self.node("Pad", x, self.constant(f"{name}.pads", [0] * 5 + [zeros, 0, 0]))
        x = self.node("Reshape", x, self.constant(f"{name}.apart", [0, blocks, before, h, w]))
        x = self.node("Pad", x, self.constant(f"{name}.pads", [0] * 7 + [zeros, 0, 0]))
        return self.node("Reshape", x, self.constant(f"{name}.together", [0, after, h, w]))


def _graph(description: Description, steps: tuple[Step, ...], preprocessing: bool) -> _Graph:
    graph = _Graph(channels_first=any(isinstance(step, Conv) for step in products(steps)))
    x = "images"
    if preprocessing:  # as data.preprocess.Normalizer computes it
        mean, std = np.array(description.mean) * 255, np.array(description.std) * 255
        x = graph.node("Cast", x, to=1)  # float32
        x = graph.node("Sub", x, graph.constant("mean", mean.astype(np.float32)))
        x = graph.node("Mul", x, graph.constant("factor", (1 / std).astype(np.float32)))
    if graph.channels_first:
        x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    graph.steps(steps, x)
    last = graph.nodes[-1]
    graph.nodes[-1] = _Node(last.op, last.name, last.inputs, "logits", last.attributes)
    return graph


def _weight(product: Dense, folded: Iterable[Flatten | AppendGray | PureReal]) -> np.ndarray:
    """Return the weight (..., in, out) for inputs as they are before the `folded` steps; (h, w, in, out) of maps.

    Zeros around an image stay zeros when channels are appended, so that this holds for convolutions with padding.
    """
    w = product.real_weight.astype(np.float64)
    if product.scale is not None:
        w = w * product.scale
    for step in reversed(list(folded)):
        match step:
            case Flatten(input_shape=(height, width, channels), blocks=blocks):
                w = np.moveaxis(w.reshape(blocks, height, width, channels // blocks, -1), 0, 2)
                w = w.reshape(height, width, channels, -1)
            case AppendGray():
                w = w[..., :3, :] + np.array(GRAY)[:, None] * w[..., 3:, :]
            case PureReal():
                w = w[..., :1, :]
    return w


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
