"""A pruned network, compiled for fast inference on the CPU: each layer in the layout that is fastest.

Channels that can go have gone before (`shrink`). For a single image there is a list of functions on arrays of one
image, without checks: with few weights left, the calls of a small network take as long as its products. Everything runs
in the caller's thread.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from statistics import median
from threading import Lock
from types import TracebackType

import numpy as np
import threadpoolctl

from quatnet.deploy.choices import LAYOUTS
from quatnet.deploy.layouts import Function, Product, products_of
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
from quatnet.nn import layers as nn
from quatnet.runs import Run
from quatnet.training import EVALUATION_BATCH

THREADED_WORK = 1 << 18
"""Multiply-adds of a product up to which OpenBLAS does not wake its threads."""

SAMPLE = 5e-5
"""Seconds of a sample, in which fast functions are called several times."""

FEWEST_SAMPLES, MOST_SAMPLES = 3, 25

MEASURED_SECONDS = 0.02
"""For a layer: after them only the fewest samples are taken."""

ZERO = np.zeros((), np.float32)


class Compiled:
    """A network for inference; `compile` makes it.

    It may be used in several threads at once. BLAS has one thread while a call lasts that could use more.

    Attributes
    ----------
    layouts : the layout of each dense layer and convolution, by the layer's name.
    nbytes : bytes of the weights, indices and biases.
    """

    def __init__(self, description: Description, steps: Iterable[Step], chosen: dict[str, Product]) -> None:
        self.layouts = {name: product.layout for name, product in chosen.items()}
        self.nbytes = sum(constant.nbytes for product in chosen.values() for constant in product.constants)
        self._input_shape, self._classes = description.input_shape, len(description.class_names)
        self._bytes = _normalization(description, 255.0)
        self._fractions = _normalization(description, 1.0)
        self._ones = np.ones((1, self._classes), np.float32)
        first, *others = steps
        functions = [_functions(step, chosen) for step in others]
        one, many = _functions(first, chosen)
        self._one = [one for one, _ in functions]
        if not (isinstance(first, Flatten) and first.blocks == 1):  # pixels come in one piece: a lenet needs no more
            self._one = [lambda x: x.reshape(first.input_shape), one, *self._one]
        self._many = [lambda x: x.reshape(-1, *first.input_shape), many, *(many for _, many in functions)]
        self._work = max(product.work for product in chosen.values())

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, classes) of raw images (n, h, w, c): uint8, or floats from 0 to 1.

        Raises
        ------
        UsageError
            If the images have another shape.
        """
        self._check(images)
        n = len(images)
        offset, factor = self._bytes if images.dtype == np.uint8 else self._fractions
        if n == 1:
            x = images.reshape(-1).astype(np.float32)
            x -= offset
            x *= factor
            z = self._single(x)
            np.subtract(z, z[z.argmax()], out=z)  # `argmax`, and a product for the sum, are quicker than reductions
            np.exp(z, out=z)
            z /= self._ones.dot(z)
            return z[None]
        probabilities = np.empty((n, self._classes), np.float32)
        for start in range(0, n, EVALUATION_BATCH):
            pixels = images[start : start + EVALUATION_BATCH].reshape(-1, offset.size).astype(np.float32)
            pixels -= offset
            pixels *= factor
            z = self._batch(pixels)
            z = np.exp(z - z.max(axis=1, keepdims=True))
            np.divide(z, z.sum(axis=1, keepdims=True), out=probabilities[start : start + len(z)])
        return probabilities

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits (n, classes) of normalised images (n, h, w, c); a UsageError if they have another shape."""
        self._check(inputs)
        n = len(inputs)
        x = np.ascontiguousarray(inputs, np.float32)
        if n == 1:
            return self._single(x.reshape(-1))[None]
        logits = np.empty((n, self._classes), np.float32)
        for start in range(0, n, EVALUATION_BATCH):
            part = x[start : start + EVALUATION_BATCH]
            logits[start : start + len(part)] = self._batch(part)
        return logits

    def _single(self, x: np.ndarray) -> np.ndarray:
        """Return the logits (classes,) of the normalised pixels (h w c,) of one image."""
        if self._work > THREADED_WORK:
            with _blas():
                return _run(self._one, x)
        return _run(self._one, x)

    def _batch(self, x: np.ndarray) -> np.ndarray:
        with _blas():
            return _run(self._many, x)

    def _check(self, images: np.ndarray) -> None:
        if images.shape[1:] != self._input_shape:
            n_h_w_c = ", ".join(str(length) for length in self._input_shape)
            raise UsageError(f"images: shape {images.shape} given; (n, {n_h_w_c}) is needed")


def compile(model: Model, *, layout: str = "auto", batch: int = 1) -> Compiled:
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
        If an argument is none of these.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise UsageError(f"layout: {layout!r} given; allowed are auto, {', '.join(LAYOUTS)}")
    if batch < 1:
        raise UsageError(f"batch: {batch} given; 1 or more is needed")
    steps = shrink(steps_of(model.network))
    chosen = {}
    for step in products(steps):
        candidates = products_of(step)
        if layout == "auto":
            chosen[step.name] = _fastest(candidates, step.input_shape, batch)
        else:
            chosen[step.name] = next((p for p in candidates if p.layout == layout), candidates[0])
    return Compiled(model.description, steps, chosen)


def _run(functions: Iterable[Function], x: np.ndarray) -> np.ndarray:
    """Return the output of functions applied one after the other."""
    for function in functions:
        x = function(x)
    return x


def _functions(step: Step, chosen: dict[str, Product]) -> tuple[Function, Function]:
    """Return what a step does to one image, and to a batch."""
    match step:
        case Conv() | Dense():
            return chosen[step.name].one, chosen[step.name].many
        case Relu():
            return _relu, _relu
        case Flatten(blocks=1):
            return lambda x: x.reshape(-1), nn.Flatten().predict
        case Residual():
            body = [_functions(inner, chosen)[1] for inner in step.body]
            shortcut = [_functions(inner, chosen)[1] for inner in step.shortcut]
            return _of_one(lambda x: _run(body, x) + _run(shortcut, x))
    return _of_one(_arrange(step).predict)


def _relu(x: np.ndarray) -> np.ndarray:
    """Overwrite the output of the step before: no step returns its input."""
    y: np.ndarray = np.maximum(x, ZERO, out=x)
    return y


def _of_one(many: Function) -> tuple[Function, Function]:
    return lambda x: many(x[None])[0], many


def _arrange(step: Step) -> nn.Layer:
    match step:
        case MaxPool():
            return nn.MaxPool2d(step.size)
        case Average():
            return nn.GlobalAveragePool()
        case Flatten():
            return nn.QuaternionFlatten()
        case AppendGray():
            return nn.AppendGray()
        case PureReal():
            return nn.PureReal()
        case Subsample():
            layer = nn.Subsample if step.blocks == 1 else nn.QuaternionSubsample
            return layer(step.output_shape[-1], step.stride)
    raise TypeError(f"{type(step).__name__} has no function")


def _normalization(description: Description, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return offset and factor (h w c,), so that inputs are (pixel - offset) factor for pixels from 0 to `scale`."""
    h, w, _ = description.input_shape
    mean, std = (np.tile(np.multiply(values, scale), h * w) for values in (description.mean, description.std))
    return mean.astype(np.float32), (1 / std).astype(np.float32)


def compile_dense(description: Description, steps: Iterable[Step]) -> Compiled:
    """Compile steps as they are, with all weights of all layers, pruned ones included."""
    steps = tuple(steps)
    return Compiled(description, steps, {step.name: products_of(step)[0] for step in products(steps)})


def compile_run(run: Run, round: int | None = None, *, layout: str = "auto", batch: int = 1) -> Compiled:
    """Compile the network of a finished round, by default the last, as `compile`; in Python it is `quatnet.compile`."""
    return compile(Model.of(run, round), layout=layout, batch=batch)


def _fastest(candidates: list[Product], shape: tuple[int, ...], batch: int) -> Product:
    """Return the candidate of the least median time for a batch of random inputs, measured in turns.

    The time is that of this thread on the processor, so that other programs disturb it less.
    """
    x = np.random.default_rng(0).standard_normal((batch, *shape), np.float32)
    functions = [product.one if batch == 1 else product.many for product in candidates]
    x = x[0] if batch == 1 else x
    times: list[list[float]] = [[] for _ in functions]
    with _blas():
        calls = [max(1, int(SAMPLE / max(1e-7, _seconds(function, x, 2)))) for function in functions]
        started = time.perf_counter()
        while len(times[0]) < FEWEST_SAMPLES or (
            len(times[0]) < MOST_SAMPLES and time.perf_counter() - started < MEASURED_SECONDS
        ):
            for function, count, seconds in zip(functions, calls, times, strict=True):
                seconds.append(_seconds(function, x, count))
    medians = [median(seconds) for seconds in times]
    return candidates[medians.index(min(medians))]


def _seconds(function: Function, x: np.ndarray, calls: int) -> float:
    started = time.thread_time()
    for _ in range(calls):
        function(x)
    return (time.thread_time() - started) / calls


class OneThread:
    """A `with` block in which BLAS has one thread.

    The number of threads is the process's: blocks of several threads may overlap, and the last one gives it back.
    """

    def __init__(self) -> None:
        self._libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
        self._lock, self._inside, self._before = Lock(), 0, [0]

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = [library.get_num_threads() for library in self._libraries]
                for library in self._libraries:
                    library.set_num_threads(1)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for library, count in zip(self._libraries, self._before, strict=True):
                    library.set_num_threads(count)


@functools.cache
def _blas() -> OneThread:
    """Return the one guard of this process; looking for the libraries takes milliseconds."""
    return OneThread()
