"""The text of the two files: the constants of a network, and the functions in kernels/ that it needs."""

from __future__ import annotations

from string import Template

import numpy as np

from quatnet.data.preprocess import Normalizer
from quatnet.deploy.c.packing import Packed
from quatnet.deploy.c.plan import Call, Plan
from quatnet.deploy.c.text import array, string, text_of
from quatnet.deploy.model import Description
from quatnet.nn.layers.shape import GRAY
from quatnet.quaternion import Signs

ORDER = (
    *("load", "load_gray", "load_real", "product", "dense", "quaternion_sparse", "quaternion_dense", "window", "conv"),
    *("quaternion_conv", "relu", "add", "max_pool", "average", "subsample"),
)
"""The files in kernels/, which have the functions that a network calls and what these need; others come last."""


def header(description: Description, *, ram: int, flash: int) -> str:
    """Return the header."""
    height, width, channels = description.input_shape
    sizes = {"height": height, "width": width, "channels": channels, "pixels": height * width * channels}
    text = Template(text_of("network.h"))
    return text.substitute(sizes, classes=len(description.class_names), ram=ram, flash=flash)


class Constants:
    """Arrays in C, and the bytes that they take."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.nbytes = 0

    def add(self, name: str, values: np.ndarray | None, kind: str = "") -> str:
        """Add an array, with elements of `kind` or of the type of the values; return its name, or 0 if it is None."""
        if values is None:
            return "0"
        self.texts.append(array(name, values, kind))
        self.nbytes += values.nbytes
        return name


def body(plan: Plan, description: Description) -> tuple[str, dict[str, int]]:
    """Return the source without its head and the self-test, and the bytes of the constants by layer; '' is the rest."""
    layers = [call.layer for call in plan.calls if call.layer is not None]
    weight = "int8_t" if layers[0].weight.dtype == np.int8 else "float"
    largest = max((int(layer.count.max()) for layer in layers if layer.count is not None), default=0)
    count = np.min_scalar_type(largest)
    called = [call.kernel for call in plan.calls]
    needed = {*called, "product", *("window" for layer in layers if layer.product.window)}

    shared = Constants()
    if signs := next((layer.product.signs for layer in layers if layer.product.signs), None):
        shared.add("sign", _by_component(signs))
    if "load_gray" in called:
        shared.add("gray", np.array(GRAY, np.float32))
    normalisation = _input(shared, plan, description)
    flash = {"": shared.nbytes}
    parts = [
        f"typedef {weight} Weight;",
        f"typedef uint{8 * count.itemsize}_t Count;",
        "",
        *shared.texts,
        normalisation,
    ]
    parts += [text_of(f"{file}.c") for file in dict.fromkeys([*ORDER, *called]) if file in needed]
    for layer in layers:
        constants = Constants()
        definition = _layer(constants, layer, count)
        parts += [f"/* {layer.product.name} */", *constants.texts, definition]
        flash[layer.name] = constants.nbytes
    names = ",\n".join(f"    {string(name)}" for name in description.class_names)
    parts += [
        f"const char *const network_classes[NETWORK_CLASSES] = {{\n{names},\n}};\n",
        _run(plan),
        text_of("network.c"),
    ]
    return "\n".join(parts), flash


def self_test(images: np.ndarray, logits: np.ndarray) -> str:
    """Return the self-test for raw images (n, h, w, c) and the logits (n, classes) that they shall give."""
    arrays = [array("test_images", images.reshape(len(images), -1)), array("test_logits", logits.astype(np.float32))]
    return "\n".join(["", "#ifdef NETWORK_SELF_TEST", *arrays, text_of("self_test.c") + "#endif", ""])


def _by_component(signs: Signs) -> np.ndarray:
    """Return the sign (4, 4) with which a product of component m of the weights goes into component c of y.

    It is that with component c ^ m of x (quaternion.COMPONENT).
    """
    return np.array([[signs[c][c ^ m] for c in range(4)] for m in range(4)], np.float32)


def _input(constants: Constants, plan: Plan, description: Description) -> str:
    """Return the function that normalises number k of an image as quatnet does, in the same roundings."""
    pixel = Normalizer(np.uint8, (1, 1, 1), description.mean, description.std, np.float32, np)
    constants.add("factor", pixel.factor)
    if plan.from_black:
        constants.add("black", plan.black)
        raw, normalised = "(float)image[k] * factor[c]", "normalised[k] - black[c]"
    else:
        constants.add("offset", pixel.offset)
        raw, normalised = "((float)image[k] - offset[c]) * factor[c]", "normalised[k]"
    what = ", as its difference from a black pixel" if plan.from_black else ""
    return f"""\
/* Number k of an image that is given in one of two ways, normalised{what}. */
static float input(const uint8_t *image, const float *normalised, int k)
{{
    const int c = k % NETWORK_CHANNELS;
    return image ? {raw} : {normalised};
}}
"""


def _layer(constants: Constants, layer: Packed, count: np.dtype) -> str:
    """Add the arrays of a layer, and return what holds them together."""
    name, product = layer.name, layer.product
    members = (
        str(layer.inputs),
        str(layer.outputs),
        constants.add(f"{name}_count", None if layer.count is None else layer.count.astype(count), "Count"),
        constants.add(f"{name}_skip", layer.skip),
        constants.add(f"{name}_weight", layer.weight, "Weight"),
        constants.add(f"{name}_scale", layer.scale),
        constants.add(f"{name}_bias", layer.bias),
    )
    text = f"static const Product {name} = {{\n    {', '.join(members)},\n}};\n"
    if product.window is not None:
        window = (*product.input_shape[:2], *product.output_shape[:2], *product.window)
        text += f"static const Window {name}_window = {{{', '.join(map(str, window))}}};\n"
    return text


def _run(plan: Plan) -> str:
    """Return the function that calls the kernels."""
    calls = "\n".join(f"    {_call(call, plan)}" for call in plan.calls)
    return f"""\
static float memory[{plan.memory}];

static void run(const uint8_t *image, const float *normalised, float *logits)
{{
{calls}
}}
"""


def _call(call: Call, plan: Plan) -> str:
    arrays = ("logits" if array is plan.logits else f"memory + {array.place}" for array in call.arrays)
    return f"{call.kernel}({', '.join([*map(str, call.arguments), *arrays])});"
