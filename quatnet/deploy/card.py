"""The deployment card of a run: for every round what each format costs in bytes, work and time, and what it gives.

Multiply-adds are those of one image. A quaternion weight takes part in four: a quaternion layer has a quarter of the
real one's weights, and the same products. Latencies are from normalised images in memory to logits, on one thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from quatnet.data import Dataset
from quatnet.data.preprocess import normalize
from quatnet.deploy import native, seed_ticket, ticket
from quatnet.deploy.c import CFiles, write_c
from quatnet.deploy.choices import VALUES
from quatnet.deploy.inference import compile_dense, compile_model
from quatnet.deploy.ir import operations_of, products
from quatnet.deploy.latency import Latency, measure
from quatnet.deploy.model import Model
from quatnet.deploy.onnx import to_onnx
from quatnet.deploy.weightless import Operation
from quatnet.errors import UsageError
from quatnet.fast import blas
from quatnet.images import as_bytes
from quatnet.runs import RoundResult, Run

BATCHES = (1, 64)
NUMPY, DENSE, SPARSE, COMPILED, C, ONNX = "NumPy", "dense", "sparse", "compiled", "C", "onnxruntime"
"""What is timed: the engine, multiplying with all zeros; the network compiled to dense layers, to sparse ones, and to
the fastest; the C program; onnxruntime with dense weights. All are called from Python."""


@dataclass(frozen=True)
class RoundCard:
    """One round of one run.

    Attributes
    ----------
    result : the round: weights left, accuracy.
    bytes : `ticket float32`, `ticket float16`, `ticket int8`, `seed` (where there can be one), `ONNX` (with the
        package onnx), and the constants of the programs `C float32` and `C int8`.
    bound : bytes of the values left as float32, and of the masks' entropy.
    accuracy_int8 : in percent, of the int8 ticket.
    multiply_adds : of the weights left.
    ram : bytes of buffers of the C program.
    latency : microseconds for a batch, by name and batch size; C and onnxruntime only where they can run.
    layouts : what the compiled network chose for its layers, for single images.
    """

    result: RoundResult
    bytes: dict[str, int]
    bound: float
    accuracy_int8: float
    multiply_adds: int
    ram: int
    latency: dict[str, dict[int, Latency]]
    layouts: dict[str, str]


@dataclass(frozen=True)
class Card:
    """All rounds of a run; `parameters` and `multiply_adds` are those of the dense network."""

    run: str
    arch: str
    algebra: str
    dataset: str
    seed: int
    parameters: int
    multiply_adds: int
    rounds: tuple[RoundCard, ...]

    def break_even(self, batch: int = 1) -> float | None:
        """Return the weights left, in percent, below which the sparse network is faster than the dense one.

        Interpolated between the rounds around it, linearly over log2; None if the last round is not, or all are.
        """
        left = np.log2([r.result.weights_left for r in self.rounds])
        ratio = np.log2([r.latency[SPARSE][batch].p50 / r.latency[DENSE][batch].p50 for r in self.rounds])
        turns = np.flatnonzero((ratio[:-1] > 0) & (ratio[1:] <= 0))
        if not turns.size or ratio[-1] > 0:
            return None
        k = turns[-1]
        return float(2 ** (left[k] + ratio[k] / (ratio[k] - ratio[k + 1]) * (left[k + 1] - left[k])))


def multiply_adds(operations: Iterable[Operation], *, dense: bool = False) -> int:
    """Return the products of one image: of the weights left, or of all weights, pruned ones included.

    At the border of a map, products with the zeros of the padding count.
    """
    return sum(
        math.prod(p.output_shape[:-1]) * (p.mask.size if dense else int(p.mask.sum())) * (4 if p.quaternion else 1)
        for p in products(operations)
    )


def card_of(
    run: Run,
    dataset: Dataset,
    *,
    layout: str = "auto",
    seconds: float = 0.2,
    finished: Callable[[RoundCard], None] = lambda round_card: None,
) -> Card:
    """Return the card of all finished rounds of a run, with single images of the test set of `dataset`.

    `layout` is that of the compiled network (quatnet/deploy/inference.py), `seconds` the time for each latency;
    `finished` follows the rounds.
    """
    results = run.results()
    dense = Model.of(run, results[0].round)
    rounds = []
    for result in results:
        rounds.append(_round(run, result, dataset, layout, seconds))
        finished(rounds[-1])
    return Card(
        run=run.path.name,
        arch=run.train_settings.arch,
        algebra=run.train_settings.algebra,
        dataset=run.train_settings.dataset,
        seed=run.train_settings.seed,
        parameters=dense.network.parameters.size,
        multiply_adds=multiply_adds(operations_of(dense.network), dense=True),
        rounds=tuple(rounds),
    )


def _round(run: Run, result: RoundResult, dataset: Dataset, layout: str, seconds: float) -> RoundCard:
    model = Model.of(run, result.round)
    images = as_bytes(np.resize(dataset.x_test, (max(BATCHES), *dataset.x_test.shape[1:])))
    sizes = {f"ticket {values}": ticket.size(model, values) for values in VALUES}
    with suppress(UsageError):  # of a round that began with what others had left
        sizes["seed"] = len(seed_ticket.encode(run, result.round))
    with suppress(UsageError):  # without the package onnx
        sizes["ONNX"] = len(to_onnx(model).SerializeToString())
    with TemporaryDirectory() as folder:
        float32, int8 = (
            write_c(Path(folder) / values, model, values=values, accuracy=result.accuracy, test_images=images[:1])
            for values in ("float32", "int8")
        )
        latency, layouts = _latencies(model, float32, images, layout, seconds)
    return RoundCard(
        result=result,
        bytes={**sizes, "C float32": float32.flash, "C int8": int8.flash},
        bound=ticket.entropy_bound(model),
        accuracy_int8=ticket.quantised(model, "int8").accuracy(dataset.x_test, dataset.y_test),
        multiply_adds=multiply_adds(operations_of(model.network)),
        ram=float32.ram,
        latency=latency,
        layouts=layouts,
    )


def _latencies(
    model: Model, files: CFiles, images: np.ndarray, layout: str, seconds: float
) -> tuple[dict[str, dict[int, Latency]], dict[str, str]]:
    """Return the latencies, and the layouts of the network compiled for single images."""
    description = model.description
    inputs = normalize(images, description.mean, description.std)
    dense = description.build()
    dense.set_flat(model.network.flat())
    functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        NUMPY: dense.predict,
        DENSE: compile_dense(description, model.operations).logits,
        SPARSE: compile_model(model, layout="csr").logits,
    }
    if (onnx := _onnxruntime(model)) is not None:
        functions[ONNX] = onnx
    program = (
        None if native.compiler() is None else native.build(files.source, files.name, len(description.class_names))
    )
    latency: dict[str, dict[int, Latency]] = {}
    compiled = {batch: compile_model(model, layout=layout, batch=batch) for batch in BATCHES}
    for batch in BATCHES:
        part = inputs[:batch]
        calls: dict[str, Callable[[], object]] = {
            name: partial(function, part) for name, function in {**functions, COMPILED: compiled[batch].logits}.items()
        }
        if program is not None:
            calls[C] = program.prepare(part)[1]
        with blas.threads(1):
            for name, one in measure(calls, seconds).items():
                latency.setdefault(name, {})[batch] = one
    return latency, compiled[1].layouts


def _onnxruntime(model: Model) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return the network in onnxruntime, with its dense weights and one thread; None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {"images": inputs})[0]
