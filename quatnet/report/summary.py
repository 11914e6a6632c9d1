"""The report as data: every experiment with its table, its comparisons, and the sentences that say what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quatnet.report import paper as papers
from quatnet.report import statistics
from quatnet.report.comparison import Comparison, Crossing, Level, compare, obstacle, too_few
from quatnet.report.experiments import Curve, Experiment
from quatnet.report.paper import PaperFigure, Verdict


@dataclass(frozen=True)
class Row:
    """One round of one curve: mean accuracy over the seeds, sample deviation and 95 % band (None with one seed)."""

    algebra: str
    round: int
    weights_left: float
    kept_weights: int
    accuracy: float
    deviation: float | None
    low: float | None
    high: float | None
    paper: Verdict | None


@dataclass(frozen=True)
class Section:
    """All that is said about one experiment; `figure` is the paper's, where it is asked for and fits."""

    experiment: Experiment
    rows: tuple[Row, ...]
    comparison: Comparison | None
    figure: PaperFigure | None

    def of(self, algebra: str) -> list[Row]:
        """Return the rows of an algebra."""
        return [row for row in self.rows if row.algebra == algebra]


def summarize(experiments: Sequence[Experiment], figure: PaperFigure | None) -> list[Section]:
    """Return a section per experiment, with the paper's figure beside those it is of."""
    sections = []
    for experiment in experiments:
        shown = figure if figure is not None and papers.matches(figure, experiment) else None
        rows = [row for curve in experiment.curves.values() for row in _rows(curve, shown)]
        sections.append(Section(experiment, tuple(rows), compare(experiment), shown))
    return sections


def _rows(curve: Curve, figure: PaperFigure | None) -> list[Row]:
    nothing = np.full(len(curve.weights_left), np.nan)
    deviation = statistics.sample_deviation(curve.accuracy)
    band = statistics.confidence_band(curve.accuracy)
    low, high = (nothing, nothing) if band is None else band
    columns = zip(curve.mean, nothing if deviation is None else deviation, low, high, strict=True)
    verdicts: Sequence[Verdict | None] = [None] * len(nothing)
    if figure is not None and curve.algebra in figure.curves:
        verdicts = papers.verdicts(curve, figure.curves[curve.algebra])
    return [
        Row(
            algebra=curve.algebra,
            round=k,
            weights_left=float(curve.weights_left[k]),
            kept_weights=curve.kept_weights[k],
            accuracy=float(mean),
            deviation=_given(deviation),
            low=_given(low),
            high=_given(high),
            paper=verdicts[k],
        )
        for k, (mean, deviation, low, high) in enumerate(columns)
    ]


def _given(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def percent(value: float) -> str:
    """Write weights left with three digits: 100 %, 26.1 %, 0.534 %."""
    return f"{value:.0f} %" if value == 0 or value > 99.95 else f"{value:#.3g} %"


def mean_and_deviation(row: Row) -> str:
    """Write an accuracy in percent with its sample deviation: 94.05 ± 0.70."""
    return f"{row.accuracy:.2f}" + ("" if row.deviation is None else f" ± {row.deviation:.2f}")


def seeds_sentence(curve: Curve) -> str:
    """Say which seeds and how many rounds a curve has, and which seed is the reason that it has no more."""
    seeds = f"{len(curve.seeds)} seed{'s' if len(curve.seeds) > 1 else ''} ({', '.join(map(str, curve.seeds))})"
    shortest = min(curve.rounds)
    text = f"{curve.algebra}: {seeds}, {'dense' if shortest == 1 else f'rounds 0 to {shortest - 1}'}"
    if max(curve.rounds) > shortest:
        short = [str(seed) for seed, rounds in zip(curve.seeds, curve.rounds, strict=True) if rounds == shortest]
        text += f", for seed {', '.join(short)} has no more (others reach round {max(curve.rounds) - 1})"
    return text


def crossing_sentence(section: Section) -> str:
    """Say where the quaternion network overtakes the real one, and how sure that is."""
    comparison = section.comparison
    if comparison is None:
        return f"No comparison: {obstacle(section.experiment)}."
    crossing, levels = comparison.crossing, comparison.levels
    if crossing.weights_left is None:
        place = "ahead" if levels[-1].difference >= 0 else "behind"
        span = f"{percent(levels[0].weights_left)} to {percent(levels[-1].weights_left)}"
        text = f"Quaternion does not overtake real from {span} of the weights; at the end it is {place}"
    else:
        text = f"Quaternion overtakes real at {percent(crossing.weights_left)} of the weights"
    if any(curve.seeds != comparison.seeds for curve in section.experiment.curves.values()):
        text += f", over the seeds that both have, {', '.join(map(str, comparison.seeds))}"
    return f"{text} ({_certainty(crossing)})."


def _certainty(crossing: Crossing) -> str:
    if crossing.none is None:
        return "one seed: no interval"
    none = f"no crossing in {crossing.none:.1f} % of the resamples"
    if crossing.low is None or crossing.high is None:
        return none
    return f"95 % bootstrap interval {percent(crossing.high)} to {percent(crossing.low)}; {none}"


def p_sentence(comparison: Comparison) -> str:
    """Say what the p-values are, and how many seeds would be enough if these are not."""
    pairs, tests = len(comparison.seeds), len(comparison.levels)
    differences = f"{pairs} paired difference{'s' if pairs > 1 else ''}"
    text = f"p: exact sign-flip test of the {differences}, Holm-corrected over {tests} levels."
    if pairs >= statistics.FEWEST_PAIRS:
        text += " t interval: 95 %, of each level by itself; p (t): paired t test, for normally distributed"
        text += " differences, Holm-corrected alike."
    if comparison.smallest_p > statistics.SIGNIFICANCE:
        p = f"{comparison.smallest_p:.2g}"
        text += f" {too_few(pairs).capitalize()} by the exact test: the smallest possible p is {p};"
        text += f" {comparison.pairs_needed} are needed."
    return text


LEVEL_COLUMNS = ("weights left", "real", "quaternion", "difference", "95 % t interval", "p", "p (t)", "verdict")


def level_cells(level: Level) -> list[str]:
    """Write a level under `LEVEL_COLUMNS`; signs are ASCII."""
    interval = "-" if level.low is None or level.high is None else f"{level.low:+.2f} to {level.high:+.2f}"
    return [
        percent(level.weights_left),
        f"{level.real:.2f}",
        f"{level.quaternion:.2f}",
        f"{level.difference:+.2f}",
        interval,
        f"{level.p:.2g}",
        "-" if level.t_p is None else f"{level.t_p:.2g}",
        level.verdict,
    ]


def band_name(curves: Iterable[Curve]) -> str:
    """Say what the bootstrap bands of some curves are: of two or three seeds, all from the lowest to the highest."""
    seeds = [len(curve.seeds) for curve in curves if len(curve.seeds) > 1]
    return "range of the seeds" if seeds and max(seeds) <= 3 else "95 % band"


def paper_sentences(section: Section) -> list[str]:
    """Say, per algebra, how many points lie within the paper's error bars, and how many differ significantly."""
    if section.figure is None:
        return []
    sentences = []
    for algebra in section.experiment.curves:
        verdicts = [row.paper for row in section.of(algebra) if row.paper is not None]
        if not verdicts:
            sentences.append(f"{algebra}: no point in the range of the paper's curve.")
            continue
        inside = sum(verdict.inside for verdict in verdicts)
        text = f"{algebra}: {inside} of {len(verdicts)} points lie within one standard deviation of the paper's"
        if verdicts[0].p is None:
            text += f"; {verdicts[0].verdict} if the others differ significantly."
        else:
            different = sum(verdict.verdict == papers.DIFFERENT for verdict in verdicts)
            text += f"; {different} differ significantly (Welch's t test against its five trials, Holm-corrected)"
            text += ", which does not show that the others agree."
        sentences.append(text)
    crossing = section.figure.crossing
    if crossing is not None:
        sentences.append(f"In Figure {section.figure.name} quaternion overtakes real at {percent(crossing)}.")
    return sentences


def as_json(section: Section) -> dict[str, Any]:
    """Return a section as a JSON object."""
    experiment = section.experiment
    return {
        "arch": experiment.arch,
        "dataset": experiment.dataset,
        "protocol": experiment.protocol or None,
        "init": experiment.init,
        "seeds": {algebra: list(curve.seeds) for algebra, curve in experiment.curves.items()},
        "rows": [asdict(row) for row in section.rows],
        "comparison": None if section.comparison is None else asdict(section.comparison),
        "no_comparison": obstacle(experiment),
        "paper": None if section.figure is None else section.figure.citation,
        "points": [asdict(point) for point in experiment.points],
    }
