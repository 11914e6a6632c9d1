"""The measured sections of docs/performance.md; most of it is written by benchmarks/report.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np

from claims import claims
from claims.data import ROOT, load, results, row, settings

sys.path.append(str(ROOT / "benchmarks"))
import report

PAGE = "docs/performance.md"
MEASURED = (
    "Against PyTorch",
    "Training step, batch 60",
    "Inference",
    "Memory of training, batch 60",
    "Training step by round of pruning",
)


@claims(PAGE, "Accuracy")
def accuracy() -> Iterator[str]:
    names = ("conv-2-cifar10-im2col", "conv-2-cifar10-winograd")
    s = settings(names[0])
    yield f"{s['images']:,} CIFAR-10 images (class-balanced), {s['epochs']} epochs, test accuracy on all 10,000"
    found = {name: results(name).curves["real"].accuracy[:, 0] for name in names}
    for values in found.values():
        cells = [f"{value:.2f}" for value in (*values, values.mean())]
        yield row(cells)[2:]
    difference = found[names[0]] - found[names[1]]
    yield f"The mean difference is {difference.mean():.2f} points"
    yield f"with a standard deviation of {difference.std(ddof=1):.2f}"
    yield f"the seeds differ by up to {max(np.ptp(values) for values in found.values()):.2f}"


@claims(PAGE, "Starting the command")
def startup() -> Iterator[str]:
    found = load("benchmarks/results/startup.json")
    machine = found["machine"]
    yield f"{machine['processor']} with {machine['cores']} cores"
    yield f"the median of {found['processes']}"
    yield f"`quatnet runs` lists {found['runs']} runs"
    for name, measured in found["quatnet"].items():
        yield row((f"`{name}`", f"{1000 * measured['seconds']:.0f}", str(measured["modules"])))
    for name, seconds in found["others"].items():
        yield row((f"`{name}`", f"{1000 * seconds:.0f}", "-"))


def _register(heading: str) -> Callable[[], Iterator[str]]:
    def written() -> Iterator[str]:
        text = report.measured(load("benchmarks/results/cpu.json"))
        parts = {part.partition("\n")[0]: part.partition("\n")[2] for part in f"{MEASURED[0]}\n{text}".split("### ")}
        yield from (line for line in parts[heading].splitlines() if line.strip())

    return written


for _heading in MEASURED:
    claims(PAGE, _heading)(_register(_heading))
