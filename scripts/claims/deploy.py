"""The measured sections of docs/deploy.md."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from claims import claims, when
from claims.data import load, percent, row
from quatnet.deploy.c.packing import WHOLE_FROM
from quatnet.report.crossing import Polyline

PAGE = "docs/deploy.md"
ARCHS, ALGEBRAS, UNITS = ("lenet-300-100", "lenet-12"), ("real", "quaternion"), ("weight", "quaternion", "channel")
LEVELS = {
    ("lenet-300-100", "real"): (10.9, 3.0, 1.3),
    ("lenet-300-100", "quaternion"): (10.5, 2.9, 1.0),
    ("lenet-12", "real"): (10.9, 3.0, 1.4),
    ("lenet-12", "quaternion"): (10.8, 3.0, 0.96),
}
"""The rounds in the tables, by weights left."""
TICKETS = ("ticket float32", "ticket int8", "seed")
KB = (16 * 1024, 8 * 1024, 5700)


def card(arch: str, algebra: str) -> dict[str, Any]:
    """Return the card of a network."""
    (found,) = (card for card in load(f"results/deploy/{arch}.json")["cards"] if card["algebra"] == algebra)
    return dict(found)


def near(rounds: list[dict[str, Any]], weights_left: float) -> dict[str, Any]:
    """Return the round of some weights left."""
    return min(rounds, key=lambda r: abs(math.log(r["result"]["weights_left"] / weights_left)))


def time(measured: dict[str, Any], engine: str, images: int = 1) -> float:
    """Return the median microseconds of an engine."""
    return float(measured["latency"][engine][str(images)]["p50"])


def left(measured: dict[str, Any]) -> str:
    """Write the weights left."""
    return f"{percent(measured['result']['weights_left'])} %"


def first_cell(arch: str, algebra: str, k: int) -> str:
    """Name the network in the first of its rows."""
    return f"{arch}, {algebra}" if k == 0 else ""


@claims(PAGE, "3. A program in C")
def program() -> Iterator[str]:
    yield f"below a density of {WHOLE_FROM['dense']}, of quaternions {WHOLE_FROM['quaternion dense']}"


@claims(PAGE, "7. What it comes to")
def sizes_and_times() -> Iterator[str]:
    yield "60,000 training images, all 10,000 test images"
    yield when(all(card(*network)["seed"] == 0 for network in LEVELS), "seed 0; all rounds")
    for network, levels in LEVELS.items():
        for k, level in enumerate(levels):
            yield bytes_row(network, k, near(card(*network)["rounds"], level))
    yield f"one thread of an {load('results/deploy/lenet-12.json')['environment']['processor']} processor"
    for network, levels in LEVELS.items():
        for k, level in enumerate(levels if network[0] == "lenet-300-100" else levels[1:2]):
            found = near(card(*network)["rounds"], level)
            engines = ("NumPy", "dense", "sparse", "compiled", "C", "onnxruntime")
            yield row([first_cell(*network, k), left(found), *(f"{time(found, e):.1f}" for e in engines)]).replace(
                "|  |", "| |"
            )
    yield f"In the rows of 10 and 3 % its float32 tickets are {smaller('ticket float32')} % smaller"
    yield f"its int8 tickets {smaller('ticket int8')} %, its seed tickets {smaller('seed')} %"
    one, many = ([card("lenet-300-100", a)["break_even"][n] for a in ALGEBRAS] for n in ("1", "64"))
    yield f"For one image CSR pays below {one[0]:.1f} % of the weights in the real lenet-300-100"
    yield f"and below {one[1]:.1f} % in the quaternion one"
    yield f"for 64 images below {many[0]:.0f} and {many[1]:.1f} %"
    never = not any(card("lenet-12", a)["break_even"]["64"] for a in ALGEBRAS)
    yield when(never, "for 64 images of a lenet-12 it never does")
    faster = all(time(r, "C") < time(r, "onnxruntime") for network in LEVELS for r in card(*network)["rounds"])
    yield when(faster, "The C program is faster than onnxruntime in every round of these four networks")
    real, quaternion = (
        [near(card("lenet-300-100", algebra)["rounds"], at) for at in levels]
        for algebra, levels in zip(ALGEBRAS, ((32.9, 26.3), (13.1, 10.5)), strict=True)
    )
    first, then = (f"{time(r, 'C'):.2f} at {left(r)}" for r in real)
    yield f"takes {first} of the weights, where its first layer is dense, and {then}, where it is sparse"
    first, then = (f"{time(r, 'C'):.2f} at {left(r)}" for r in quaternion)
    yield f"(quaternion: {first}, {then})"
    yield "all 10,000 test images as the run does"


def bytes_row(network: tuple[str, str], k: int, found: dict[str, Any]) -> str:
    """Write a row of the table of bytes."""
    b = found["bytes"]
    over = 100 * (b["ticket float32"] / found["bound"] - 1)
    cells = [
        first_cell(*network, k),
        left(found),
        f"{found['result']['accuracy']:.2f} / {found['accuracy_int8']:.2f} %",
        f"{b['ticket float32']:,} ({over:+.1f} %)",
        f"{b['ticket int8']:,}",
        f"{b['seed']:,}",
        f"{b['C float32']:,} / {b['C int8']:,}",
        f"{found['ram']:,}",
    ]
    return row(cells).replace("|  |", "| |")


def smaller(ticket: str) -> str:
    """Write by how many percent the quaternion tickets are smaller in the rows of 10 and 3 %."""
    found = []
    for arch in ARCHS:
        for real, quaternion in list(zip(*(LEVELS[arch, a] for a in ALGEBRAS), strict=True))[:2]:
            sizes = [
                near(card(arch, a)["rounds"], at)["bytes"][ticket]
                for a, at in zip(ALGEBRAS, (real, quaternion), strict=True)
            ]
            found.append(100 * (1 - sizes[1] / sizes[0]))
    return f"{min(found):.0f} to {max(found):.0f}"


def unit_rounds(unit: str) -> list[list[dict[str, Any]]]:
    """Return the rounds of the runs that pruned a unit, by seed."""
    return [load(f"results/units/{unit}-seed{seed}.json")["cards"][0]["rounds"] for seed in (0, 1)]


def unit_mean(unit: str, key: Any, at: float) -> float:
    """Return the mean accuracy over the seeds, interpolated between the rounds."""
    values = []
    for rounds in unit_rounds(unit):
        x, y = np.array([key(r) for r in rounds], float), np.array([r["result"]["accuracy"] for r in rounds])
        values.append(Polyline.of(x, y).at(np.array([at]))[0, 0])
    return float(np.mean(values))


@claims(PAGE, "8. Weights, quaternions or channels")
def units() -> Iterator[str]:
    rounds = unit_rounds("weight")[0]
    yield f"{rounds[0]['result']['epoch']} epochs, {len(rounds) - 1} rounds, `imp`, means of two seeds"
    yield "| unit | 5 % | 2.9 % | 1.9 % | 1.04 % | 16 KiB | 8 KiB | 5.7 kB |"
    for unit in UNITS:
        by_weights = [unit_mean(unit, lambda r: r["result"]["weights_left"], at) for at in (5, 2.9, 1.9, 1.042)]
        by_bytes = [unit_mean(unit, lambda r: r["bytes"]["ticket int8"], at) for at in KB]
        yield row([unit, *(f"{accuracy:.1f}" for accuracy in (*by_weights, *by_bytes))])
    yield "are as good down to 8 KiB"
    smallest = {
        unit: [
            min(r["bytes"]["seed"] for r in rounds[1:] if r["result"]["accuracy"] >= 94) for rounds in unit_rounds(unit)
        ]
        for unit in UNITS
    }
    said = {unit: " and ".join(f"{n:,}" for n in of) for unit, of in smallest.items()}
    yield "The smallest seed tickets of pruned networks that still reach 94 %"
    yield f"those of channels, {said['channel']} bytes"
    yield f"of quaternions {said['quaternion']}, of weights {said['weight']}"
    took = {unit: np.mean([time(near(r, 2.86), "compiled", 64) for r in unit_rounds(unit)]) for unit in UNITS}
    yield f"at 2.9 % of the weights 64 images take {took['channel']:.0f} microseconds instead of {took['weight']:.0f}"
