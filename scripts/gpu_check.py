"""All that only a GPU can show, in one command without a network, as one JSON file.

python scripts/gpu_check.py prepare WHEELS      on a machine with a network: put the packages into a folder
python scripts/gpu_check.py run --wheels WHEELS --output gpu.json     on the machine with the GPU

`run` makes a virtual environment of the wheels, or takes the packages that are installed without --wheels. It runs the
tests marked gpu and cupy, compares every network on the GPU with the CPU, and times training steps of every network,
with the fast and the reference engine, beside PyTorch where that is installed. Each part is left out when the time
(--minutes) is over; the file says which, and holds what there is at every moment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CUPY = "cupy-cuda12x>=13.6,<15"
EXTRAS = "test"
SHAPES = {"lenet-300-100": (28, 28, 1), "lenet-12": (28, 28, 1)}
"""Shapes of the images where they are not those of CIFAR."""
THIN = ("resnet-20", "resnet-18", "vgg-16")
"""Networks that are compared at a quarter of their width: the reference on the CPU is slow."""
BATCH, WARM_UP = 60, 3


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    prepare_options = commands.add_parser("prepare")
    prepare_options.add_argument("wheels", type=Path)
    run_options = commands.add_parser("run")
    run_options.add_argument("--wheels", type=Path)
    run_options.add_argument("--output", type=Path, default=Path("gpu.json"))
    run_options.add_argument("--minutes", type=float, default=7.5)
    run_options.add_argument("--steps", type=int, default=100, help="timed training steps of a network")
    run_options.add_argument("--only", nargs="*", help="architectures")
    run_options.add_argument("--tests", nargs="*", default=["tests"], help="files of tests")
    args = parser.parse_args()
    if args.command == "prepare":
        prepare(args.wheels)
    elif args.wheels is not None:
        run_in_environment(args.wheels)
    else:
        check(args)


def prepare(wheels: Path) -> None:
    """Download this project's requirements, CuPy and the build tools into a folder."""
    download = [sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels)]
    subprocess.run([*download, f"{ROOT}[{EXTRAS}]", CUPY, "hatchling", "editables"], check=True)


def run_in_environment(wheels: Path) -> None:
    """Make a virtual environment of the wheels and run this script in it."""
    folder = Path(tempfile.mkdtemp(prefix="gpu-check-"))
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--no-index", "--find-links", str(wheels)]
    subprocess.run([*install, "hatchling", "editables", CUPY], check=True)
    subprocess.run([*install, "--no-build-isolation", "-e", f"{ROOT}[{EXTRAS}]"], check=True)
    arguments = [a for k, a in enumerate(sys.argv) if a != "--wheels" and sys.argv[k - 1] != "--wheels"]
    os.execv(python, [python, *arguments])


class Report:
    """The file: written anew after every part, so that a run that is cut off leaves what it has."""

    def __init__(self, path: Path, minutes: float) -> None:
        self._path, self._ends = path, time.monotonic() + 60 * minutes
        self._found: dict[str, Any] = {"left_out": []}

    def part(self, name: str, measure: Callable[[], Any], *, seconds: float) -> None:
        """Measure a part that takes about so many seconds, if there is time, and write it; an error is written too."""
        if time.monotonic() + seconds > self._ends:
            self._found["left_out"].append(name)
        else:
            started = time.monotonic()
            try:
                self._found[name] = measure()
            except Exception as error:
                self._found[name] = {"error": f"{type(error).__name__}: {error}"}
            print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)
        self._path.write_text(json.dumps(self._found, indent=2) + "\n")

    def seconds_left(self) -> float:
        """Return the seconds that are left."""
        return max(1.0, self._ends - time.monotonic())


def check(args: argparse.Namespace) -> None:
    """Measure all parts, with the package of this checkout."""
    sys.path.insert(0, str(ROOT))
    from quatnet.nn.architectures import ARCHITECTURES

    report = Report(args.output, args.minutes)
    report.part("machine", machine, seconds=0)
    report.part("tests", lambda: tests(args.tests, report.seconds_left() / 2), seconds=30)
    networks = [(arch, quaternion) for arch in args.only or ARCHITECTURES for quaternion in (False, True)]
    for arch, quaternion in networks:
        name = f"{arch}, {'quaternion' if quaternion else 'real'}"
        report.part(f"parity: {name}", lambda a=arch, q=quaternion: parity(a, q), seconds=10)
    for arch, quaternion in networks:
        name = f"{arch}, {'quaternion' if quaternion else 'real'}"
        report.part(f"speed: {name}", lambda a=arch, q=quaternion: speed(a, q, args.steps), seconds=20)


def machine() -> dict[str, Any]:
    """Return the device, and the versions of all that matters."""
    import cupy

    from quatnet.environment import describe

    properties = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "gpu": properties["name"].decode(),
        "memory_bytes": int(properties["totalGlobalMem"]),
        "cupy": cupy.__version__,
        "cuda_runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "cuda_driver": cupy.cuda.runtime.driverGetVersion(),
        **describe(device="gpu", engine="fast", conv="auto", threads=1),
    }


def tests(files: list[str], seconds: float) -> dict[str, Any]:
    """Run the tests that need CuPy or a GPU, and return the last lines that they print."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "cupy or gpu", *files]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as expired:
        return {"error": f"stopped after {expired.timeout:.0f} s"}
    return {"exit_code": done.returncode, "last_lines": done.stdout.splitlines()[-12:]}


def parity(arch: str, quaternion: bool) -> dict[str, float]:
    """Return the largest relative differences to the reference on the CPU, in float64, of both engines on the GPU."""
    import numpy as np

    from quatnet.backend import to_device, to_host

    found, width = {}, 0.25 if arch in THIN else 1.0
    for engine in ("reference", "fast"):
        results = []
        for device, its_engine in (("cpu", "reference"), ("gpu", engine)):
            network, _ = make(arch, quaternion, device, its_engine, dtype="float64", width=width)
            images, labels = batch(arch, 4, np.float64)
            xp = network.parameters.xp
            logits, backward = network.forward(to_device(images, xp))
            loss, dlogits = network.loss(logits, to_device(labels, xp))
            backward(dlogits, inputs=False)
            results.append([to_host(array) for array in (logits, loss[None], network.parameters.gradient)])
        for name, expected, array in zip(("logits", "loss", "gradients"), *results, strict=True):
            found[f"{engine}, {name}"] = float(np.abs(array - expected).max() / np.abs(expected).max())
    return found


def speed(arch: str, quaternion: bool, steps: int) -> dict[str, Any]:
    """Return training steps per second, and the peak of the memory that they hold on the device, in bytes."""
    import cupy
    import numpy as np

    from quatnet.backend import to_device

    images, labels = batch(arch, BATCH, np.float32)
    found: dict[str, Any] = {}
    for engine in ("fast", "reference"):
        pool = cupy.get_default_memory_pool()
        pool.free_all_blocks()
        network, optimizer = make(arch, quaternion, "gpu", engine)
        x, y = (to_device(array, cupy) for array in (images, labels))

        def step(network: Any = network, optimizer: Any = optimizer, x: Any = x, y: Any = y) -> None:
            logits, backward = network.forward(x)
            backward(network.loss(logits, y)[1], inputs=False)
            optimizer.step(1e-3)

        found[engine] = per_second(step, steps, lambda: cupy.cuda.runtime.deviceSynchronize())
        found[f"{engine}, bytes"] = int(pool.total_bytes())
        del network, optimizer, step
    found |= torch_speed(arch, quaternion, images, labels, steps)
    return found


def torch_speed(arch: str, quaternion: bool, images: Any, labels: Any, steps: int) -> dict[str, Any]:
    """Return the same of PyTorch, where it is installed with CUDA and the benchmarks have this network."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import peers

    from quatnet.nn.architectures import ARCHITECTURES

    if ARCHITECTURES[arch].batch_norm:
        return {}
    torch.cuda.reset_peak_memory_stats()
    step = peers.training_step(ARCHITECTURES[arch], quaternion, images, labels, tuned=False, device="cuda")
    rate = per_second(step, steps, torch.cuda.synchronize)
    return {"torch": rate, "torch, bytes": int(torch.cuda.max_memory_allocated())}


def per_second(step: Callable[[], object], steps: int, synchronize: Callable[[], object]) -> float:
    """Return how many steps are done in a second."""
    for _ in range(WARM_UP):
        step()
    synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize()
    return steps / (time.perf_counter() - started)


def make(arch: str, quaternion: bool, device: str, engine: str, **model: Any) -> tuple[Any, Any]:
    """Return a network and its optimizer."""
    from quatnet import build
    from quatnet.fast import accelerate_optimizer
    from quatnet.nn.optimizers import Adam

    shape = SHAPES.get(arch, (32, 32, 3))
    network = build(arch, quaternion=quaternion, input_shape=shape, classes=10, device=device, engine=engine, **model)
    return network, accelerate_optimizer(Adam(network.parameters), network)


def batch(arch: str, n: int, dtype: Any) -> tuple[Any, Any]:
    """Return random images and labels, on the host."""
    import numpy as np

    random = np.random.default_rng(0)
    return random.normal(size=(n, *SHAPES.get(arch, (32, 32, 3)))).astype(dtype), random.integers(0, 10, n)


if __name__ == "__main__":
    main()
