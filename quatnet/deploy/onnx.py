"""A network as an ONNX graph, for runtimes that know nothing of quaternions, masks or normalisations.

Every product is an ordinary Gemm or Conv with the real weight that its inputs meet. What only arranges the inputs of a
product (a gray channel, channels of zeros, the order of flattened maps) is folded into that weight, too: a node less,
and no transposition but the one from NHWC to ONNX's NCHW at the entry of a network with convolutions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quatnet.data.preprocess import Normalizer
from quatnet.deploy.ir import Add, Affine
from quatnet.deploy.model import Description, Model
from quatnet.deploy.weightless import Gather, Mix, Operation, Weightless
from quatnet.errors import UsageError
from quatnet.files import write_bytes
from quatnet.version import VERSION

if TYPE_CHECKING:
    import onnx

OPSET = 13
IR_VERSION = 7
"""The format version of ONNX 1.8 (2020), the first release with this opset; later releases read it, too."""


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
        from onnx import TensorProto, helper
    except ImportError:
        raise UsageError(
            "ONNX needs the package onnx, which is not installed: pip install 'pruned-quaternions[onnx]'"
        ) from None
    description, operations = model.description, model.operations
    graph = graph_of(description, operations, preprocessing)
    of_images = "raw pixels from 0 to 255" if preprocessing else "(pixel - mean) / std for pixels from 0 to 1"
    pixel = TensorProto.UINT8 if preprocessing else TensorProto.FLOAT
    images = helper.make_tensor_value_info("images", pixel, ["n", *description.input_shape], of_images)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", *operations[-1].output_shape])
    made = helper.make_model(
        helper.make_graph(graph.nodes, description.settings.arch, [images], [logits], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="quatnet",
        producer_version=VERSION,
    )
    helper.set_model_props(made, _metadata(description))
    return made


class Graph:
    """Nodes and constants in order; maps are (n, c, h, w) with `channels_first`, otherwise there are none."""

    def __init__(self, channels_first: bool) -> None:
        self.channels_first = channels_first
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Append a node, called after its operator and place unless given a name, and return its output."""
        from onnx import helper

        name = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, values: np.ndarray | Sequence[int]) -> str:
        """Append a constant, of int64 if it is a list, and return its name."""
        from onnx import numpy_helper

        array = values if isinstance(values, np.ndarray) else np.array(values, np.int64)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def chain(self, operations: Iterable[Operation], x: str) -> str:
        """Append the nodes of operations, and return the output of the last.

        What only arranges the inputs of a product is folded into its weight.
        """
        arranging: list[Gather | Mix] = []
        for operation in operations:
            if isinstance(operation, Affine):
                x, arranging = self.product(operation, arranging, x), []
            elif isinstance(operation, Mix) or (isinstance(operation, Gather) and operation.stride == 1):
                arranging.append(operation)
            else:
                x, arranging = self.other([*arranging, operation], x), []
        return self.other(arranging, x)

    def product(self, product: Affine, arranging: Sequence[Gather | Mix], x: str) -> str:
        """Append y = x w + b as Conv or Gemm, where x is not arranged yet, and return y."""
        w = product.scaled_weight(np.float64)
        for operation in reversed(arranging):
            w = operation.fold(w)
        if product.window is not None:
            w = w.transpose(3, 2, 0, 1)
        elif w.ndim == 4:  # (h, w, in, out)
            x = self.node("Flatten", x)
            w = (w.transpose(2, 0, 1, 3) if self.channels_first else w).reshape(-1, w.shape[-1])
        weight = self.constant(f"{product.name}.weight", np.ascontiguousarray(w, np.float32))
        inputs = (x, weight, self.constant(f"{product.name}.bias", product.bias))
        if product.window is None:
            return self.node("Gemm", *inputs, name=product.name)
        kernel, stride, padding = product.window
        shape = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
        return self.node("Conv", *inputs, name=product.name, **shape)

    def other(self, operations: Iterable[Operation], x: str) -> str:
        """Append the nodes of operations that are no products, and return the output of the last."""
        for operation in operations:
            if isinstance(operation, Add):
                x = self.node("Add", self.chain(operation.body, x), self.chain(operation.shortcut, x))
            else:
                assert isinstance(operation, Weightless)
                x = operation.onnx(self, x)
        return x


def graph_of(description: Description, operations: Sequence[Operation], preprocessing: bool) -> Graph:
    """Return the graph of some operations; arguments as of `to_onnx`."""
    first = next(operation for operation in operations if not isinstance(operation, Gather | Mix))
    graph = Graph(channels_first=not (isinstance(first, Affine) and first.window is None))
    x = "images"
    if preprocessing:
        pixel = Normalizer(np.uint8, (1, 1, 1), description.mean, description.std, np.float32, np)
        x = graph.node("Cast", x, to=1)  # float32
        x = graph.node("Sub", x, graph.constant("mean", pixel.offset))
        x = graph.node("Mul", x, graph.constant("factor", pixel.factor))
    if graph.channels_first:
        x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    graph.chain(operations, x)
    graph.nodes[-1].output[0] = "logits"
    return graph


def _metadata(description: Description) -> dict[str, str]:
    facts = {**asdict(description.settings), **asdict(description)}
    names = ("arch", "quaternion", "width", "signs", "norm", "seed", "input_shape", "class_names", "mean", "std")
    return {name: facts[name] if isinstance(facts[name], str) else json.dumps(facts[name]) for name in names}
