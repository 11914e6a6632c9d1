"""Where the numbers come from, and how the documents write them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from quatnet.report import comparison, experiments, paper, statistics
from quatnet.report.comparison import Comparison, Level
from quatnet.report.experiments import Experiment

ROOT = Path(__file__).resolve().parents[2]
ALGEBRAS = REAL, QUATERNION = ("real", "quaternion")
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PARTS = {4: "a quarter", 5: "a fifth", 8: "an eighth", 10: "a tenth"}
NEAR = 1.12
"""Ratio up to which a round is taken for one of given weights left."""


@dataclass(frozen=True)
class Column:
    """A curve as the tables show it; a deviation is NaN where there is one seed, or the error bar cannot be read."""

    algebra: str
    weights_left: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    def round(self, weights_left: float) -> int | None:
        """Return the round of some weights left; None if there is none."""
        ratios = np.abs(np.log(self.weights_left / weights_left))
        k = int(ratios.argmin())
        return k if ratios[k] < math.log(NEAR) else None

    def accuracy(self, weights_left: float, decimals: int = 1) -> str:
        """Write the accuracy at some weights left, with its deviation."""
        k = self.round(weights_left)
        return "-" if k is None else spread(self.mean[k], self.deviation[k], decimals)


@cache
def load(path: str) -> Any:
    """Return what a JSON file below the root has."""
    return json.loads((ROOT / path).read_text())


def settings(name: str) -> dict[str, Any]:
    """Return the settings of a folder of results, and the number of its training images."""
    config = load(f"results/{name}/config.json")
    return {**config["train"], **(config["prune"] or {}), "images": config["data"]["train_images"]}


@cache
def results(name: str) -> Experiment:
    """Return the one experiment of a folder of results."""
    (experiment,) = experiments.gather([experiments.read(ROOT / "results" / name)])
    return experiment


@cache
def compare(name: str) -> Comparison:
    """Compare the two algebras of a folder of results."""
    found = comparison.compare(results(name))
    assert found is not None
    return found


def level(name: str, weights_left: float) -> Level:
    """Return the comparison at the level nearest to some weights left."""
    return min(compare(name).levels, key=lambda level: abs(math.log(level.weights_left / weights_left)))


def column(name: str, algebra: str) -> Column:
    """Return a curve of a folder of results."""
    curve = results(name).curves[algebra]
    deviation = statistics.sample_deviation(curve.accuracy)
    return Column(algebra, curve.weights_left, curve.mean, np.full(99, np.nan) if deviation is None else deviation)


@cache
def paper_column(figure: str, algebra: str) -> Column:
    """Return a curve of the paper."""
    with (ROOT / "quatnet/report/paper_curves.csv").open() as file:
        found = [row for row in csv.DictReader(file) if (row["figure"], row["algebra"]) == (figure, algebra)]
    deviations = ["nan" if "std below" in row["note"] else row["std_pct"] for row in found]
    return Column(
        algebra,
        np.array([float(row["weights_left_pct"] or "nan") for row in found]),
        np.array([float(row["accuracy_pct"]) for row in found]),
        np.array(deviations, np.float64),
    )


def pair(name: str) -> list[Column]:
    """Return the two curves of a folder of results."""
    return [column(name, algebra) for algebra in ALGEBRAS]


def paper_pair(figure: str) -> list[Column]:
    """Return the two curves of a figure of the paper."""
    return [paper_column(figure, algebra) for algebra in ALGEBRAS]


def crossing(name: str) -> float | None:
    """Return where the curve of the quaternion network overtakes the real one's, if it does so once."""
    found = compare(name).crossing
    return found.weights_left or (found.turns[0].place if len(found.turns) == 1 else None)


def paper_crossing(figure: str) -> float | None:
    """Return where the paper's quaternion network overtakes."""
    return paper.load(figure).crossing


def rows(
    levels: Sequence[tuple[float | None, float | None]], columns: Sequence[Column], decimals: int = 1
) -> Iterator[str]:
    """Yield the rows of a table of accuracies; `levels` are weights left of the real and the quaternion network.

    The first column of an algebra says the exact weights left.
    """
    first = {column.algebra: column for column in reversed(columns)}
    for wanted in levels:
        left = dict(zip(ALGEBRAS, wanted, strict=True))
        exact = ["-" if (near := left[a]) is None else _exact(first[a], near) for a in ALGEBRAS]
        cells = ["-" if (near := left[c.algebra]) is None else c.accuracy(near, decimals) for c in columns]
        yield row([f"{' / '.join(exact)} %", *cells])


def _exact(column: Column, near: float) -> str:
    k = column.round(near)
    assert k is not None, f"no round has {near} % of the weights"
    return percent(column.weights_left[k])


def row(cells: Sequence[str]) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cells)} |"


def spread(mean: float, deviation: float, decimals: int = 1) -> str:
    """Write a mean, and its deviation if it has one."""
    return f"{mean:.{decimals}f}" + ("" if math.isnan(deviation) else f" ± {deviation:.{decimals}f}")


def percent(weights_left: float) -> str:
    """Write weights left as the tables do: 100, 26.4, 8.8, 0.72."""
    return f"{weights_left:.0f}" if weights_left >= 99.95 else f"{weights_left:.{1 if weights_left >= 0.995 else 2}f}"


def seeds(n: int) -> str:
    """Write how many seeds: `five seeds`."""
    return f"{WORDS[n]} seed{'s' * (n != 1)}"


def seeds_of(name: str, algebra: str = REAL) -> str:
    """Write how many seeds a folder of results has, of one algebra."""
    return seeds(len(results(name).curves[algebra].seeds))


def part(n: int, of: int) -> str:
    """Write a part in words: `a fifth`."""
    return PARTS[of // n] if of % n == 0 else f"{n / of:.0%}"
