"""Names, strings and arrays in C99, and the texts in kernels/."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np

TYPES = {"float32": "float", "int8": "int8_t", "uint8": "uint8_t", "uint16": "uint16_t", "uint32": "uint32_t"}
LINE = 120


def text_of(file: str) -> str:
    """Return a file in kernels/."""
    return (resources.files("quatnet.deploy.c") / "kernels" / file).read_text(encoding="utf-8")


def identifier(name: str) -> str:
    """Return the name of a layer as one of C."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def string(text: str) -> str:
    """Return a literal of UTF-8 bytes, in octal all that might mean something to C, to a comment or to `renamed`."""
    return '"' + re.sub(rb"[^A-Za-z0-9 ,:+-]", lambda match: rb"\%03o" % match[0][0], text.encode()).decode() + '"'


def array(name: str, values: np.ndarray, kind: str = "") -> str:
    """Return a static constant array of one or two axes, with elements of `kind` or of the type of the values.

    Floats have the shortest decimal digits that are read as the same float32.
    """
    sizes = "".join(f"[{length}]" for length in values.shape)
    body = _lines(values) if values.ndim == 1 else "\n".join(f"    {{\n{_lines(row)}\n    }}," for row in values)
    return f"static const {kind or TYPES[values.dtype.name]} {name}{sizes} = {{\n{body}\n}};\n"


def _lines(values: np.ndarray) -> str:
    """Return numbers, each with a comma, in lines of at most LINE characters."""
    comma = "f," if values.dtype == np.float32 else ","
    lines, line = [], "   "
    for word in values.astype(str).tolist():
        if len(line) + len(word) + 3 > LINE:
            lines.append(line)
            line = "   "
        line += f" {word}{comma}"
    return "\n".join([*lines, line])
