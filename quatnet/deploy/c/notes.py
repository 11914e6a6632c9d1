"""The comment at the head of an exported network: what it is, what it takes, and how to use it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

from quatnet.deploy.c.plan import Plan
from quatnet.deploy.c.text import string
from quatnet.deploy.model import Description, Model
from quatnet.nn.networks import count_parameters
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
    return f"""\
/*
An image classifier, pruned and written in C99 by quatnet {VERSION}.

{_columns(facts.items())}

{_table(plan, flash)}

Channels that the logits do not depend on are left out. Flash: the weights, their places, scales and biases. RAM: the
output of a layer, and what it needs while it runs; those that are not needed at the same time share their memory. The
logits are the caller's.

Classes:
{chr(10).join(classes)}

The buffers are static, so the functions are not reentrant: one image at a time. To compile, and to test:

    cc -std=c99 -O3 -c network.c
    echo 'int network_self_test(void); int main(void) {{ return network_self_test(); }}' > test.c
    cc -std=c99 -O3 -DNETWORK_SELF_TEST network.c test.c -o test && ./test && echo passed

The self-test compares the logits of images with those of quatnet. They may differ by 1e-4 of the largest, or of 1.
*/
#include "network.h"

"""


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
    real = sum(count_parameters(d.settings.arch, False, d.input_shape, len(d.class_names)))
    percent = 100 * (kept + parameters.size - weights) / real
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
