"""A pruned network, compiled for fast inference on the CPU: each product in the layout that is fastest.

Channels without effect have been left out before (`shrink`). For a single image there is a list of functions on arrays
of one image, without checks: with few weights left, the calls of a small network take as long as its products.
Everything runs in the caller's thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from threading import Lock

import numpy as np

from quatnet.data.preprocess import Normalizer
from quatnet.deploy.choices import LAYOUTS
from quatnet.deploy.ir import Add, Affine, products
from quatnet.deploy.latency import measure
from quatnet.deploy.layouts import Function, Layout, layouts_of, of_one
from quatnet.deploy.model import Description, Model
from quatnet.deploy.weightless import Gather, Operation, Weightless
from quatnet.errors import UsageError
from quatnet.fast import blas
from quatnet.runs import Run
from quatnet.training import EVALUATION_BATCH

THREADED_WORK = 1 << 18
"""Multiply-adds of a product up to which OpenBLAS does not wake its threads."""

MEASURED_SECONDS = 0.004
"""For each layout of a layer."""


class Compiled:
    """A network for inference; `compile_model` makes it.

    It may be used in several threads at once. BLAS has one thread while a call lasts that could use more.

    Attributes
    ----------
    layouts : the layout of each dense layer and convolution, by the layer's name.
    nbytes : bytes of the weights, indices and biases.
    """

    def __init__(self, description: Description, operations: Iterable[Operation], chosen: dict[str, Layout]) -> None:
        self.layouts = {name: layout.name for name, layout in chosen.items()}
        self.nbytes = sum(constant.nbytes for layout in chosen.values() for constant in layout.constants)
        self._shape, self._classes = shape, classes = description.input_shape, len(description.class_names)
        self._bytes, self._fractions = (
            Normalizer(pixel, shape, description.mean, description.std, np.float32, np)
            for pixel in (np.uint8, np.float32)
        )
        self._ones = np.ones((1, classes), np.float32)
        first, *others = operations
        one, many = _functions(first, chosen)
        functions = [_functions(operation, chosen) for operation in others]
        self._one = [one for one, _ in functions]
        if not (isinstance(first, Gather) and first.same_order):  # pixels come in one piece: a lenet needs no more
            self._one = [lambda x: x.reshape(shape), one, *self._one]
        self._many = [many, *(many for _, many in functions)]
        self._work = max(layout.work for layout in chosen.values())

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, classes) of raw images (n, h, w, c): uint8, or floats from 0 to 1.

        Raises
        ------
        UsageError
            If the images have another shape.
        """
        self._check(images)
        normalizer = self._bytes if images.dtype == np.uint8 else self._fractions
        if len(images) == 1:
            x = images.reshape(-1).astype(np.float32)
            x -= normalizer.offset
            x *= normalizer.factor
            z = self._single(x)
            np.subtract(z, z[z.argmax()], out=z)  # `argmax`, and a product for the sum, are quicker than reductions
            np.exp(z, out=z)
            z /= self._ones.dot(z)
            return z[None]
        z = self._batches(images, normalizer)
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return z / z.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits (n, classes) of normalised images (n, h, w, c); a UsageError if they have another shape."""
        self._check(inputs)
        x = np.ascontiguousarray(inputs, np.float32)
        return self._single(x.reshape(-1))[None] if len(x) == 1 else self._batches(x, lambda part: part)

    def _single(self, x: np.ndarray) -> np.ndarray:
        """Return the logits (classes,) of the normalised pixels (h w c,) of one image."""
        if self._work > THREADED_WORK:
            with ONE_THREAD:
                return _run(self._one, x)
        return _run(self._one, x)

    def _batches(self, images: np.ndarray, normalizer: Function) -> np.ndarray:
        """Return the logits (n, classes) of images, some at a time."""
        logits: np.ndarray = np.empty((self._classes, len(images)), np.float32).T  # as the last product leaves them
        with ONE_THREAD:
            for start in range(0, len(images), EVALUATION_BATCH):
                part = images[start : start + EVALUATION_BATCH]
                logits[start : start + len(part)] = _run(self._many, normalizer(part))
        return logits

    def _check(self, images: np.ndarray) -> None:
        if images.shape[1:] != self._shape:
            n_h_w_c = ", ".join(str(length) for length in self._shape)
            raise UsageError(f"images: shape {images.shape} given; (n, {n_h_w_c}) is needed")


def compile_run(run: Run, round_number: int | None = None, *, layout: str = "auto", batch: int = 1) -> Compiled:
    """Compile the network of a finished round, by default the last, as `compile_model`; `quatnet.compile` is this."""
    return compile_model(Model.of(run, round_number), layout=layout, batch=batch)


def compile_model(model: Model, *, layout: str = "auto", batch: int = 1) -> Compiled:
    """Compile a network for inference on the CPU; its outputs are the network's, but for rounding.

    Parameters
    ----------
    model : the network.
    layout : of all layers that can have it, the others are dense: dense, packed, csr, stacked, or winograd
        (quatnet/deploy/layouts.py). `auto` measures, layer by layer, which is fastest.
    batch : number of images for which `auto` measures; other numbers can be given to the result.

    Raises
    ------
    UsageError
        If an argument is invalid.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise UsageError(f"layout: {layout!r} given; allowed are auto, {', '.join(LAYOUTS)}")
    if batch < 1:
        raise UsageError(f"batch: {batch} given; 1 or more is needed")
    operations = model.operations
    chosen = {}
    for product in products(operations):
        candidates = layouts_of(product)
        if layout == "auto":
            chosen[product.name] = _fastest(candidates, product.input_shape, batch)
        else:
            chosen[product.name] = next((c for c in candidates if c.name == layout), candidates[0])
    return Compiled(model.description, operations, chosen)


def compile_dense(description: Description, operations: Iterable[Operation]) -> Compiled:
    """Compile operations as they are, with all weights of all layers, pruned ones included."""
    operations = tuple(operations)
    dense = {product.name: layouts_of(product)[0] for product in products(operations)}
    return Compiled(description, operations, dense)


def _run(functions: Iterable[Function], x: np.ndarray) -> np.ndarray:
    """Return the output of functions applied one after the other."""
    for function in functions:
        x = function(x)
    return x


def _functions(operation: Operation, chosen: dict[str, Layout]) -> tuple[Function, Function]:
    """Return what an operation does to one image, and to a batch."""
    if isinstance(operation, Affine):
        return chosen[operation.name].one, chosen[operation.name].many
    if isinstance(operation, Add):
        body, shortcut = (
            [_functions(inner, chosen)[1] for inner in path] for path in (operation.body, operation.shortcut)
        )
        return of_one(many := lambda x: _run(body, x) + _run(shortcut, x)), many
    assert isinstance(operation, Weightless)
    return operation.predict, operation.predict


def _fastest(candidates: list[Layout], shape: tuple[int, ...], batch: int) -> Layout:
    """Return the candidate of the least median time for a batch of random inputs, measured in turns.

    The time is that of this thread on the processor, so that other programs disturb it less.
    """
    x = np.random.default_rng(0).standard_normal((batch, *shape), np.float32)
    calls = {c.name: partial(c.one, x[0]) if batch == 1 else partial(c.many, x) for c in candidates}
    with ONE_THREAD:
        latencies = measure(calls, MEASURED_SECONDS, time.thread_time)
    return min(candidates, key=lambda candidate: latencies[candidate.name].p50)


class OneThread:
    """A `with` block in which BLAS has one thread.

    The number of threads is the process's: blocks of several threads may overlap, and the last one gives it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._single = blas.threads(1)
                self._single.__enter__()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._single.__exit__(None, None, None)


ONE_THREAD = OneThread()
"""The one of this process."""
