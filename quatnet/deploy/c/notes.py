"""The comment at the head of an exported network: what it is, what it takes, and how to use it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from string import Template

import numpy as np

from quatnet.deploy.c.plan import Plan
from quatnet.deploy.c.text import string, text_of
from quatnet.deploy.model import Description, Model
from quatnet.nn.networks import count_parameters
from quatnet.pruning.masks import weights_left
from quatnet.version import VERSION

WIDTH = 115

VALUES = {
    "float32": "32-bit floats",
    "int8": "8 bits, times a float for each output; all arithmetic is of floats",
}


def notes(model: Model, plan: Plan, flash: dict[str, int], values: str, accuracy: float | None) -> str:
    """Return the comment; of the names of classes it has the string literals, which cannot end it."""
    d = model.description
    classes = textwrap.wrap(", ".join(map(string, d.class_names)), WIDTH, break_on_hyphens=False)
    facts = {
        "Architecture": _architecture(d),
        "Images": f"{' x '.join(map(str, d.input_shape))} (height x width x channels), a byte each",
        "Mean": _numbers(d.mean),
        "Deviation": _numbers(d.std),
        "Weights left": _weights_left(model),
        "Accuracy": "not measured" if accuracy is None else f"{accuracy:.2f} %",
        "Stored as": VALUES[values],
        "Flash": f"{sum(flash.values())} bytes of constants; code, pointers and the names of the classes come on top",
        "RAM": f"{4 * plan.memory} bytes of buffers",
    }
    texts = {"version": VERSION, "facts": _columns(facts.items()), "table": _table(plan, flash)}
    return Template(text_of("head.c")).substitute(texts, classes="\n".join(classes))


def _architecture(d: Description) -> str:
    s = d.settings
    words = [s.arch, "quaternion weights" if s.quaternion else "real weights"]
    if s.width != 1:
        words.append(f"{s.width:g} of the width")
    if s.quaternion and s.signs != "hamilton":
        words.append(f"{s.signs} signs")
    return ", ".join(words)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _weights_left(model: Model) -> str:
    """Return how many there are, and the paper's percentage: with all biases, of the real network's parameters."""
    d, parameters = model.description, model.network.parameters
    kept, weights = model.masks.count(), int(parameters.prunable.sum())
    real = count_parameters(d.settings.arch, False, d.input_shape, len(d.class_names))
    percent = weights_left(kept, parameters.size - weights, real)
    return f"{kept} of {weights}; with all biases {percent:.2f} % of the parameters of the real network"


def _table(plan: Plan, flash: dict[str, int]) -> str:
    image = plan.calls[0].arrays[0]
    rows = [
        ("layer", "kind", "weights", "stored", "flash", "RAM"),
        ("image", "", "", "", f"{flash['']}", f"{4 * image.size}"),
    ]
    for call in plan.calls:
        if (layer := call.layer) is not None:
            weights = f"{np.count_nonzero(layer.weight)} of {layer.product.weight.size}"
            stored, ram = "sparse" if layer.sparse else "dense", 4 * sum(array.size for array in call.arrays[1:])
            rows.append((layer.product.name, layer.kind, weights, stored, str(flash[layer.name]), str(ram)))
    return _columns(rows)


def _columns(rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
