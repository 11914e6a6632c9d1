"""A pruned network as one header and one source file in C99, which need nothing but <stdint.h>."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quatnet.data.preprocess import normalize
from quatnet.deploy.c import source
from quatnet.deploy.c.notes import notes
from quatnet.deploy.c.packing import quantised
from quatnet.deploy.c.plan import Plan
from quatnet.deploy.c.text import text_of
from quatnet.deploy.inference import compile_dense
from quatnet.deploy.model import Model
from quatnet.deploy.values import check
from quatnet.errors import UsageError
from quatnet.files import write_bytes

VALUES = ("float32", "int8")

MOST_TEST_IMAGES = 4


@dataclass(frozen=True)
class CFiles:
    """The two files of a network called `name`, the bytes of RAM for its buffers, and those of its constants."""

    name: str
    header: Path
    source: Path
    ram: int
    flash: int


def write_c(
    folder: Path,
    model: Model,
    *,
    name: str = "network",
    values: str = "float32",
    accuracy: float | None = None,
    test_images: np.ndarray,
) -> CFiles:
    """Write `name`.h and `name`.c, a network for raw images one by one; equal arguments give equal bytes.

    The code has no malloc, no libm, and no names but `name`_... outside itself. The comment at its head says what it
    is and how to use it.

    Parameters
    ----------
    folder : where they go; it is made if it is missing.
    model : the network.
    name : of the files, and what all names in C begin with, those of macros in capital letters.
    values : how weights are stored: float32, or int8 times a float32 for each output. The arithmetic is of floats.
    accuracy : in percent, for the comment.
    test_images : raw images (n, h, w, c), uint8; with the first of them, 4 at most, the network in C tests itself.

    Raises
    ------
    UsageError
        If an argument is invalid, or a number of the network is not finite.
    """
    _check(model, name, values, test_images)
    description = model.description
    operations = model.operations
    black = normalize(np.zeros((1, 1, 1, description.input_shape[2]), np.uint8), description.mean, description.std)
    test_images = test_images[:MOST_TEST_IMAGES]
    inputs = normalize(test_images, description.mean, description.std)
    if values == "int8":
        operations = quantised(operations)
        logits = compile_dense(description, operations).logits(inputs)
    else:
        logits = model.network.predict(inputs)
    plan = Plan(operations, black.ravel(), int8=values == "int8")
    body, flash = source.body(plan, description)
    sizes = {"ram": 4 * plan.memory, "flash": sum(flash.values())}
    header = source.header(description, **sizes)
    text = notes(model, plan, flash, values, accuracy) + body + source.self_test(test_images, logits)
    folder = Path(folder)
    files = CFiles(name, folder / f"{name}.h", folder / f"{name}.c", **sizes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(files.header, renamed(header, name).encode())
        write_bytes(files.source, renamed(text, name).encode())
    except OSError as error:
        raise UsageError(f"folder: {folder} given, which cannot be written to ({error.strerror})") from None
    return files


def accuracy(model: Model, values: str, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the percentage of raw images (n, h, w, c) that a network with these values of weights classifies as (n,).

    It is measured in NumPy. A UsageError for other `values` than those of `write_c`.
    """
    check(values, VALUES)
    if values == "float32":
        return model.accuracy(images, labels)
    classes = compile_dense(model.description, quantised(model.operations)).predict(images).argmax(axis=1)
    return 100 * float((classes == labels).mean())


def main_source(name: str) -> str:
    """Return a program around `name`.c, which classifies the raw images on its standard input."""
    return renamed(text_of("main.c"), name)


def renamed(text: str, name: str) -> str:
    """Return the text with all names of the network in C, and those of its files, beginning with `name`."""
    text = re.sub(r"\bnetwork(?=_|\.[ch]\b)", name, text)
    return re.sub(r"(\b|(?<=-D))NETWORK(?=_)", name.upper(), text)


def _check(model: Model, name: str, values: str, images: np.ndarray) -> None:
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]*", name):
        raise UsageError(f"name: {name!r} given; a letter, then letters, digits or _ are allowed")
    check(values, VALUES)
    shape = model.description.input_shape
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        n_h_w_c = ", ".join(map(str, shape))
        raise UsageError(
            f"test_images: {images.dtype} of shape {images.shape} given; uint8 of (1 or more, {n_h_w_c}) is needed"
        )
    for key, value in model.network.values().items():
        if not np.isfinite(value).all():
            raise UsageError(f"model: {key} has numbers that are not finite; C has no constants for them")
