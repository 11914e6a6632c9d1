"""The paper's curves (Figures 4, 5b and 6, digitised), and a verdict on each of our points.

paper_curves.csv has all curves of Figures 2, 4, 5 and 6; those over weights left are read at their true abscissa (the
paper draws some quaternion curves with a rounded ratio; docs/errata.md). Error bars are the sample standard deviation
of five trials.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from quatnet.errors import UsageError
from quatnet.report import crossing, statistics
from quatnet.report.comparison import too_few
from quatnet.report.crossing import Polyline
from quatnet.report.experiments import Curve, Experiment

FIGURES = ("4a", "4b", "4c", "4d", "4e", "4f", "5b", "6")
TRIALS = 5
DIFFERENT, UNKNOWN = "different", "no difference shown"


@dataclass(frozen=True)
class PaperCurve:
    """A curve of the paper; `deviation` is its error bar, or the error of reading where that is larger."""

    algebra: str
    weights_left: np.ndarray
    accuracy: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper: what it is of, and its curves by algebra."""

    name: str
    arch: str
    dataset: str
    curves: dict[str, PaperCurve]

    @property
    def citation(self) -> str:
        """Where the numbers come from."""
        return f"Figure {self.name} of Iqbal & Mishra 2023, digitised"

    @property
    def crossing(self) -> float | None:
        """Where the quaternion curve overtakes the real one, in percent of the weights."""
        quaternion, real = (
            Polyline.of(curve.weights_left, curve.accuracy)
            for curve in (self.curves["quaternion"], self.curves["real"])
        )
        turns = crossing.turns(quaternion.minus(real))
        return turns[0].place if turns else None


@dataclass(frozen=True)
class Verdict:
    """One of our points beside the paper's curve at the same number of weights left.

    `inside`: our mean lies within the paper's error bar. `p` is that of Welch's t test against the paper's five trials,
    Holm-corrected over the points of the curve; None with one seed.
    """

    weights_left: float
    paper: float
    deviation: float
    difference: float
    inside: bool
    p: float | None
    verdict: str


def load(name: str) -> PaperFigure:
    """Return a figure of the paper; a UsageError if it is not one over weights left."""
    if name not in FIGURES:
        raise UsageError(f"--paper: {name!r} given; the figures over weights left are {', '.join(FIGURES)}")
    rows = [row for row in _rows() if row["figure"] == name]
    algebras = dict.fromkeys(row["algebra"] for row in rows)
    curves = {algebra: _curve([row for row in rows if row["algebra"] == algebra]) for algebra in algebras}
    return PaperFigure(name, rows[0]["arch"], rows[0]["dataset"], curves)


def epochs(name: str) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return epochs, accuracies and error bars by algebra of a training curve (2a to 2f, 5a); empty for other names."""
    curves = {}
    for algebra in ("real", "quaternion"):
        rows = [row for row in _rows("epoch") if (row["figure"], row["algebra"]) == (name, algebra)]
        if rows:
            columns = ("x_value", "accuracy_pct", "std_pct")
            at, accuracy, deviation = (np.array([float(row[c] or "nan") for row in rows]) for c in columns)
            curves[algebra] = at, accuracy, deviation
    return curves


def figures_of(arch: str, dataset: str) -> list[str]:
    """Return the figures that show a network on a data set."""
    of = {row["figure"] for row in _rows() if (row["arch"], row["dataset"]) == (arch, dataset)}
    return [name for name in FIGURES if name in of]


def check(figure: PaperFigure, experiments: list[Experiment]) -> None:
    """Raise a UsageError unless one of the experiments is of the figure's network and data set."""
    if not any(matches(figure, experiment) for experiment in experiments):
        given = ", ".join(dict.fromkeys(f"{e.arch} on {e.data_name}" for e in experiments))
        raise UsageError(f"--paper: Figure {figure.name} is of {figure.arch} on {figure.dataset}; the runs are {given}")


def matches(figure: PaperFigure, experiment: Experiment) -> bool:
    """Say whether an experiment is of the figure's network and data set."""
    return (figure.arch, figure.dataset) == (experiment.arch, experiment.dataset)


def verdicts(curve: Curve, paper: PaperCurve) -> list[Verdict | None]:
    """Return a verdict per round; None outside the paper's range of weights left."""
    of_paper = Polyline.of(paper.weights_left, np.array([paper.accuracy, paper.deviation]))
    shared = of_paper.reaches(curve.weights_left)
    at, accuracy = curve.weights_left[shared], curve.accuracy[:, shared]
    theirs, deviation = of_paper.at(at)
    differences = accuracy.mean(axis=0) - theirs
    p_values = _p_values(differences, statistics.sample_deviation(accuracy), deviation, len(curve.seeds))
    found = iter(zip(at, theirs, deviation, differences, p_values, strict=True))
    return [_verdict(*next(found), len(curve.seeds)) if is_shared else None for is_shared in shared]


def _p_values(
    differences: np.ndarray, own: np.ndarray | None, theirs: np.ndarray, seeds: int
) -> Sequence[float | None]:
    if own is None:
        return [None] * len(differences)
    deviations = zip(own, theirs, strict=True)
    p = [statistics.welch_p(d, pair, (seeds, TRIALS)) for d, pair in zip(differences, deviations, strict=True)]
    return [float(corrected) for corrected in statistics.holm(p)]


def _verdict(at: float, paper: float, deviation: float, difference: float, p: float | None, seeds: int) -> Verdict:
    inside = bool(abs(difference) <= deviation)
    words = too_few(seeds)
    if p is not None:
        words = DIFFERENT if p <= statistics.SIGNIFICANCE else UNKNOWN
    return Verdict(float(at), float(paper), float(deviation), float(difference), inside, p, words)


def _curve(rows: list[dict[str, str]]) -> PaperCurve:
    def column(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows])

    deviation = np.maximum(column("std_pct"), column("digitisation_error_pct"))
    return PaperCurve(rows[0]["algebra"], column("weights_left_pct"), column("accuracy_pct"), deviation)


def _rows(x: str = "round") -> list[dict[str, str]]:
    """Return the rows of the curves over rounds, or over epochs."""
    packaged = resources.files("quatnet.report") / "paper_curves.csv"
    with packaged.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["x"] == x]
