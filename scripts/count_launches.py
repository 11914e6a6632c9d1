"""Count the kernels that one training step launches on a device, by part of the step: needs an emulated CuPy.

    python scripts/count_launches.py [--names] [--augment] [ARCH ...]

The emulation writes a line to standard error for every launch while CUPY_ON_CPU_TRACE is set. `step` is a whole step of
`train_epoch`, input and sum of the losses included; the other columns are its parts. Matrix products (cuBLAS) come on
top: three per layer with weights, less one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from quatnet import build
from quatnet.backend import select, to_device
from quatnet.data import Dataset
from quatnet.fast import accelerate_optimizer
from quatnet.nn.architectures import architecture
from quatnet.settings import TrainSettings
from quatnet.streams import Phase, Position
from quatnet.training import make_optimizer, train_epoch

SIZE = 4


@contextmanager
def launches() -> Iterator[list[str]]:
    """Collect the names of the kernels launched inside a `with` block."""
    names: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as trace:
        os.dup2(trace.fileno(), 2)
        os.environ["CUPY_ON_CPU_TRACE"] = "1"
        try:
            yield names
        finally:
            del os.environ["CUPY_ON_CPU_TRACE"]
            os.dup2(kept, 2)
            os.close(kept)
            trace.seek(0)
            lines = trace.read().decode().splitlines()
            names += [line.split()[1] for line in lines if line.startswith("launch ")]


def small_data(arch: str, augment: bool) -> Dataset:
    """Return three batches of small random images that fit an architecture."""
    shape = (8, 8, 3) if architecture(arch).convolutional else (8, 8, 1)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3 * SIZE, *shape), dtype=np.uint8)
    labels = random.integers(0, 4, 3 * SIZE)
    mean, std = (0.5,) * shape[-1], (0.25,) * shape[-1]
    return Dataset("random", images, labels, images, labels, tuple("abcd"), mean, std, augment, "random")


def count(arch: str, quaternion: bool, augment: bool = False) -> dict[str, list[str]]:
    """Return the names of the kernels launched by the parts of one step, and by a whole one."""
    data = small_data(arch, augment)
    network = build(arch, quaternion=quaternion, input_shape=data.input_shape, classes=4, device="gpu")
    settings = TrainSettings.for_architecture(arch, quaternion, dataset="random", batch_size=SIZE)
    optimizer = accelerate_optimizer(make_optimizer(network, settings), network)
    found: dict[str, list[str]] = {}

    def step() -> None:
        images = to_device(data.x_train[:SIZE].astype(np.float32), network.parameters.xp)
        labels = to_device(data.y_train[:SIZE], network.parameters.xp)
        with launches() as found["forward"]:
            logits, backward = network.forward(images)
        with launches() as found["loss"]:
            _, dlogits = network.loss(logits, labels)
        with launches() as found["backward"]:
            backward(dlogits, inputs=False)
        with launches() as found["optimizer"]:
            optimizer.step(1e-3)

    step()  # the first time compiles
    step()
    with ExitStack() as second_step:

        def after_step(batch: int, batches: int) -> None:
            if batch == 1:
                found["step"] = second_step.enter_context(launches())
            else:
                second_step.close()

        train_epoch(network, optimizer, data, settings, Position(Phase.ROUNDS, 0), 0, after_step)
    return found


def main() -> None:
    """Print a row per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arch", nargs="*", default=["lenet", "conv-4"])
    parser.add_argument("--augment", action="store_true", help="crop and mirror the images")
    parser.add_argument("--names", action="store_true", help="print how often each kernel is launched in a whole step")
    options = parser.parse_args()
    select("gpu")
    print("| network | forward | loss | backward | optimizer | step |")
    print("|---|---|---|---|---|---|")
    for arch in options.arch:
        for quaternion in (False, True):
            found = count(arch, quaternion, options.augment)
            numbers = " | ".join(str(len(found[part])) for part in ("forward", "loss", "backward", "optimizer", "step"))
            print(f"| {arch}, {'quaternion' if quaternion else 'real'} | {numbers} |", flush=True)
            if options.names:
                print(*(f"    {number:3} {name}" for name, number in Counter(found["step"]).most_common()), sep="\n")


if __name__ == "__main__":
    main()
