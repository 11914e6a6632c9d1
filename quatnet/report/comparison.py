"""Real against quaternion at equal numbers of weights left, over the seeds that both have.

Runs of one seed see the same batches whatever their algebra, so they are compared in pairs. A quaternion network starts
at about a quarter of the weights: every real run is interpolated, linearly over log2, at the quaternion's levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quatnet.errors import UsageError
from quatnet.report import crossing, experiments, statistics
from quatnet.report.crossing import Piece, Polyline, Turn
from quatnet.report.experiments import Curve, Experiment, Source
from quatnet.report.points import ALGEBRAS, Point

AHEAD, BEHIND, UNKNOWN = "quaternion is ahead", "real is ahead", "no difference shown"


@dataclass(frozen=True)
class Level:
    """Mean accuracies of the pairs at one number of weights left, in percent, and their difference, in points.

    `low` and `high` are the 95 % t interval of the difference, of this level by itself, and `half` is half its width.
    `p` is that of the paired t test, Holm-corrected over the levels; it decides the verdict. `exact_p` is that of the
    sign-flip test, corrected alike. Pairs that differ alike have no interval; one pair has neither interval nor tests;
    more than 40 have no `exact_p`.
    """

    weights_left: float
    real: float
    quaternion: float
    difference: float
    half: float | None
    low: float | None
    high: float | None
    p: float | None
    exact_p: float | None
    verdict: str


@dataclass(frozen=True)
class Crossing:
    """Where the quaternion mean overtakes the real one as weights left fall, in percent.

    It is claimed only if the quaternion network is shown to be ahead at some level: `turn` is then the last one before
    the first such level, and `weights_left` its place (None where rounds are missing there). Otherwise `reason` says
    why none is claimed. `interval` has the pieces of the 95 % interval: the weights left at which the paired t test
    does not reject equality, claimed or not; None with one pair. `turns` are all those of the means, shown or not.
    """

    weights_left: float | None
    turn: Turn | None
    reason: str | None
    interval: tuple[Piece, ...] | None
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Comparison:
    """What the pairs say, level by level, and where the curves cross.

    `smallest_exact_p` is the least that the sign-flip test of so many pairs can give; with `exact_pairs_needed` it
    could be significant.
    """

    seeds: tuple[int, ...]
    levels: tuple[Level, ...]
    crossing: Crossing
    smallest_exact_p: float
    exact_pairs_needed: int


def compare_results(source: Path | str | Iterable[Point]) -> Comparison:
    """Return the comparison of a run's or a results folder, of a results.csv, or of points: the numbers of a report.

    A UsageError says so where they are of more than one experiment, or cannot be compared.
    """
    if isinstance(source, Path | str):
        read = experiments.read(Path(source))
    else:
        read = Source(Path("the points"), tuple(source), {}, {})
    found = experiments.gather([read])
    if len(found) > 1:
        raise UsageError(f"{read.path}: one experiment is needed; there are {', '.join(e.title for e in found)}")
    comparison = compare(found[0])
    if comparison is None:
        raise UsageError(f"{read.path}: {obstacle(found[0])}")
    return comparison


def obstacle(experiment: Experiment) -> str | None:
    """Say why the two algebras of an experiment cannot be compared, if so."""
    if missing := [algebra for algebra in ALGEBRAS if algebra not in experiment.curves]:
        return f"there is no {missing[0]} run"
    real, quaternion = experiment.curves["real"], experiment.curves["quaternion"]
    seeds = _pairs(real, quaternion)
    if not seeds:
        return "real and quaternion have no seed in common"
    shared = _polyline(real, seeds).reaches(quaternion.weights_left)
    return None if shared.any() else "real and quaternion have no number of weights left in common"


def compare(experiment: Experiment) -> Comparison | None:
    """Compare the two algebras; None where there is an obstacle."""
    if obstacle(experiment):
        return None
    seeds = _pairs(experiment.curves["real"], experiment.curves["quaternion"])
    real, quaternion = (_polyline(experiment.curves[algebra], seeds) for algebra in ALGEBRAS)
    at = quaternion.weights_left[real.reaches(quaternion.weights_left)]
    levels = _levels(at, real.at(at), quaternion.at(at))
    return Comparison(
        seeds=seeds,
        levels=levels,
        crossing=_crossing(levels, quaternion.minus(real)),
        smallest_exact_p=statistics.smallest_p(len(seeds), len(at)),
        exact_pairs_needed=statistics.pairs_needed(len(at)),
    )


def too_few(seeds: int) -> str:
    """Say that so many seeds cannot be tested, or that their test cannot be significant."""
    return f"{seeds} {'seed is' if seeds == 1 else 'seeds are'} too few to tell"


def _pairs(real: Curve, quaternion: Curve) -> tuple[int, ...]:
    return tuple(seed for seed in quaternion.seeds if seed in real.seeds)


def _polyline(curve: Curve, seeds: tuple[int, ...]) -> Polyline:
    of_seeds = curve.accuracy[[curve.seeds.index(seed) for seed in seeds]]
    return Polyline.of(curve.weights_left, of_seeds, curve.rounds)


def _levels(at: np.ndarray, real: np.ndarray, quaternion: np.ndarray) -> tuple[Level, ...]:
    differences = quaternion - real
    pairs, nothing = len(differences), np.full(len(at), np.nan)
    t, exact = statistics.paired_t(differences), nothing
    half, p = (nothing, nothing) if t is None else (t.half, statistics.holm(t.p))
    if statistics.FEWEST_SEEDS <= pairs <= statistics.MOST_PAIRS:
        exact = statistics.holm([statistics.sign_flip_p(column) for column in differences.T])
    columns = zip(at, real.mean(axis=0), quaternion.mean(axis=0), differences.mean(axis=0), half, p, exact, strict=True)
    return tuple(_level(pairs, *map(float, column)) for column in columns)


def _level(
    pairs: int, at: float, real: float, quaternion: float, difference: float, half: float, p: float, exact: float
) -> Level:
    verdict = too_few(pairs) if np.isnan(p) else UNKNOWN
    if p <= statistics.SIGNIFICANCE:
        verdict = AHEAD if difference > 0 else BEHIND
    return Level(
        weights_left=at,
        real=real,
        quaternion=quaternion,
        difference=difference,
        half=given(half),
        low=given(difference - half),
        high=given(difference + half),
        p=given(p),
        exact_p=given(exact),
        verdict=verdict,
    )


def given(value: float) -> float | None:
    """Return a number; None for NaN."""
    return None if np.isnan(value) else float(value)


def _crossing(levels: tuple[Level, ...], difference: Polyline) -> Crossing:
    pairs, turns = len(difference.values), crossing.turns(difference)
    if pairs < statistics.FEWEST_SEEDS:
        return Crossing(None, None, too_few(pairs), None, turns)
    interval = crossing.equality(difference)
    verdicts = [level.verdict for level in levels]
    if AHEAD not in verdicts:
        shown = "quaternion is at no level shown to be ahead" if BEHIND in verdicts else "no level shows a difference"
        return Crossing(None, None, shown, interval, turns)
    ahead = levels[verdicts.index(AHEAD)].weights_left
    before = [turn for turn in turns if turn.low >= ahead]
    if not before:
        never = "the quaternion mean is at no level below the real one before quaternion is shown to be ahead"
        return Crossing(None, None, never, interval, turns)
    return Crossing(before[-1].place, before[-1], None, interval, turns)
