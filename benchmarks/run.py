"""Measure training steps, inference and memory against PyTorch in the same run, and write docs/performance.md.

python benchmarks/run.py            all of it, about 10 minutes on two cores
python benchmarks/run.py --only conv-2

Variants take turns (one block of steps each, then again), so that whatever else the machine does meets all of them; the
ratios are taken round by round. Memory is that of a process of its own: peak minus what it has after its imports.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

from quatnet import build
from quatnet.environment import describe
from quatnet.fast import accelerate_optimizer
from quatnet.nn.architectures import ARCHITECTURES, Architecture
from quatnet.nn.layers.layer import WeightLayer
from quatnet.nn.networks import Algebra, layers_of
from quatnet.nn.optimizers import Adam

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "cpu.json"
ARCHS = ("lenet-300-100", "conv-2", "conv-4", "conv-6")
PRUNED = ("lenet-300-100", "conv-2")
"""Networks whose steps are also timed round by round."""
BATCH = 60
PAIRS = (
    ("real", "torch real"),
    ("real", "torch real, channels_last, fused Adam"),
    ("quaternion", "torch quaternion, expanded"),
)


def images_for(arch: Architecture, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random images (n, h, w, c) and labels."""
    random = np.random.default_rng(0)
    shape = (32, 32, 3) if arch.blocks else (28, 28, 1)
    return random.normal(size=(n, *shape)).astype(np.float32), random.integers(0, 10, n)


def our_step(arch: Architecture, quaternion: bool, threads: int) -> Callable[[], object]:
    """Return a whole training step of quatnet."""
    x, labels = images_for(arch, BATCH)
    network = build(arch.name, quaternion=quaternion, input_shape=x.shape[1:], classes=10, threads=threads)
    optimizer = accelerate_optimizer(Adam(network.parameters), network)

    def step() -> None:
        logits, backward = network.forward(x)
        _, dlogits = network.loss(logits, labels)
        backward(dlogits, inputs=False)
        optimizer.step(arch.rate)

    return step


def steps_of(arch: Architecture, threads: int) -> dict[str, Callable[[], object]]:
    """Return the training step of every variant."""
    import peers

    x, labels = images_for(arch, BATCH)
    return {
        "real": our_step(arch, False, threads),
        "quaternion": our_step(arch, True, threads),
        "torch real": peers.training_step(arch, False, x, labels, tuned=False),
        "torch real, channels_last, fused Adam": peers.training_step(arch, False, x, labels, tuned=True),
        "torch quaternion, expanded": peers.training_step(arch, True, x, labels, tuned=False),
    }


def predictions_of(arch: Architecture, batch: int, threads: int) -> dict[str, Callable[[], object]]:
    """Return the inference of every variant."""
    import peers

    x, _ = images_for(arch, batch)
    ours = {
        quaternion: build(arch.name, quaternion=quaternion, input_shape=x.shape[1:], classes=10, threads=threads)
        for quaternion in (False, True)
    }
    return {
        "real": lambda: ours[False].predict(x),
        "quaternion": lambda: ours[True].predict(x),
        "torch real": peers.inference(arch, False, x),
        "torch quaternion, expanded": peers.inference(arch, True, x),
    }


def take_turns(variants: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Return the times of every variant in milliseconds, one per round; a block of calls lasts about 30 ms."""
    calls = {}
    for name, call in variants.items():
        call()
        started = time.perf_counter()
        call()
        calls[name] = max(1, round(0.03 / (time.perf_counter() - started)))
    times: dict[str, list[float]] = {name: [] for name in variants}
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(next(iter(times.values()))) < 5:
        for name, call in variants.items():
            time.sleep(0.005)  # idle threads of the one before stop spinning
            call()
            started = time.perf_counter()
            for _ in range(calls[name]):
                call()
            times[name].append(1000 * (time.perf_counter() - started) / calls[name])
    return times


def summary(times: dict[str, list[float]], pairs: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """Return median times, and medians and quartiles of the ratios."""
    ratios = {}
    for ours, theirs in pairs:
        if theirs in times:
            quartiles = np.percentile(np.array(times[ours]) / np.array(times[theirs]), [25, 50, 75])
            ratios[f"{ours} / {theirs}"] = [round(float(q), 3) for q in quartiles]
    return {"median_ms": {n: round(float(np.median(t)), 3) for n, t in times.items()}, "ratio_quartiles": ratios}


def memory(arch: str, variant: str, threads: int) -> float:
    """Return the megabytes that three training steps of a variant take in a new process."""
    command = [sys.executable, __file__, "--memory-of", arch, variant, "--threads", str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_memory(arch: Architecture, variant: str, threads: int) -> float:
    """Return the peak resident memory above that after the imports, in megabytes."""
    if variant.startswith("torch"):
        import peers

        x, labels = images_for(arch, BATCH)
        before = resident()
        step = peers.training_step(arch, "quaternion" in variant, x, labels, tuned=False)
    else:
        before = resident()
        step = our_step(arch, variant == "quaternion", threads)
    for _ in range(3):
        step()
    return resident("VmHWM") - before


def resident(field: str = "VmRSS") -> float:
    """Return the resident memory of this process, or its peak (VmHWM), in megabytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def step_gflop(arch: Architecture) -> float:
    """Return the billions of operations of a real training step's products, with convolutions done directly.

    Every layer has three products (y, dw, dx), the first has two. A quaternion network has as many.
    """
    shape: tuple[int, ...] = images_for(arch, 1)[0].shape[1:]
    products = []
    for layer in layers_of(arch, Algebra(False), shape, 10).layers.values():
        shape = layer.output_shape(shape)
        if isinstance(layer, WeightLayer):
            products.append(layer.fan_in * math.prod(shape))
    return 2 * BATCH * (3 * sum(products) - products[0]) / 1e9


def gemm_peak() -> float:
    """Return the best rate of a large float32 matrix product, in GFLOP/s, on all threads of BLAS."""
    a = np.ones((2048, 2048), np.float32)
    best = min(_timed(lambda: a @ a) for _ in range(5))
    return 2 * 2048**3 / best / 1e9


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def limit_openblas(threads: int) -> AbstractContextManager[object]:
    """Limit NumPy's BLAS, and not PyTorch's, inside a `with` block."""
    return threadpoolctl.ThreadpoolController().select(internal_api="openblas").limit(limits=threads)


def measure(arch: Architecture, threads: int, seconds: float) -> dict[str, Any]:
    """Return all that is measured of an architecture."""
    import rounds

    result: dict[str, Any] = {}
    with limit_openblas(1 if arch.blocks else threads):
        print(f"{arch.name}: training", flush=True)
        training = summary(take_turns(steps_of(arch, threads), seconds), PAIRS)
        result["training"] = {**training, "gflop": round(step_gflop(arch), 3)}
        result["inference"] = {}
        for batch in (1, 64, 1000):
            print(f"{arch.name}: inference, batch {batch}", flush=True)
            times = take_turns(predictions_of(arch, batch, threads), seconds / 5)
            result["inference"][str(batch)] = summary(times, PAIRS)
    print(f"{arch.name}: memory", flush=True)
    variants = ("real", "quaternion", "torch real", "torch quaternion, expanded")
    result["memory_mb"] = {variant: round(memory(arch.name, variant, threads), 1) for variant in variants}
    if arch.name in PRUNED:
        print(f"{arch.name}: pruning", flush=True)
        with limit_openblas(1):
            result["rounds"] = {
                algebra: rounds.measure(arch, algebra == "quaternion", threads if arch.blocks else 1, take_turns)
                for algebra in ("real", "quaternion")
            }
    return result


def main() -> None:
    """Measure, write the results, and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ARCHS, action="append")
    parser.add_argument("--seconds", type=float, default=25, help="per architecture and measurement")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        name, variant = args.memory_of
        with limit_openblas(args.threads if name.startswith("lenet") else 1):
            print(measure_memory(ARCHITECTURES[name], variant, args.threads))
        return

    import report
    import torch

    torch.set_num_threads(args.threads)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results["machine"] = {
        **describe(device="cpu", engine="fast", conv="auto", threads=args.threads),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "gemm_gflops": round(gemm_peak(), 1),
    }
    for name in args.only or ARCHS:
        results[name] = measure(ARCHITECTURES[name], args.threads, args.seconds)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    report.write(results)


if __name__ == "__main__":
    main()
