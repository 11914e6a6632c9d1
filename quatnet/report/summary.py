"""The report as data: every experiment with its table, its comparisons, and the sentences that say what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quatnet.report import paper as papers
from quatnet.report import rounds, statistics
from quatnet.report.comparison import Comparison, Crossing, Level, compare, given, obstacle, too_few
from quatnet.report.crossing import Piece
from quatnet.report.experiments import Curve, Experiment
from quatnet.report.paper import PaperFigure, Verdict


@dataclass(frozen=True)
class Row:
    """One round of one curve: mean accuracy over the seeds, deviation and 95 % t interval (None with one seed)."""

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
            round=curve.rounds[k],
            weights_left=float(curve.weights_left[k]),
            kept_weights=curve.kept_weights[k],
            accuracy=float(mean),
            deviation=given(deviation),
            low=given(low),
            high=given(high),
            paper=verdicts[k],
        )
        for k, (mean, deviation, low, high) in enumerate(columns)
    ]


def percent(value: float) -> str:
    """Write weights left with three digits: 100 %, 26.1 %, 0.534 %."""
    return f"{value:.0f} %" if value == 0 or value > 99.95 else f"{value:#.3g} %"


def mean_and_deviation(row: Row) -> str:
    """Write an accuracy in percent with its sample deviation: 94.05 ± 0.70."""
    return f"{row.accuracy:.2f}" + ("" if row.deviation is None else f" ± {row.deviation:.2f}")


def seeds_sentence(curve: Curve) -> str:
    """Say which seeds and rounds a curve has, and which rounds are left out because of which seeds."""
    seeds = f"{len(curve.seeds)} seed{'s' if len(curve.seeds) > 1 else ''} ({', '.join(map(str, curve.seeds))})"
    text = f"{curve.algebra}: {seeds}, {'dense' if curve.rounds == (0,) else f'rounds {rounds.text(curve.rounds)}'}"
    every = set().union(*curve.rounds_of)
    if left_out := sorted(every - set(curve.rounds)):
        short = [str(seed) for seed, had in zip(curve.seeds, curve.rounds_of, strict=True) if set(had) != every]
        text += f" (without {rounds.text(left_out)}: not in seed {', '.join(short)})"
    return text


def crossing_sentence(section: Section) -> str:
    """Say where the quaternion network overtakes the real one, and how sure that is; or why that is not claimed."""
    comparison = section.comparison
    if comparison is None:
        return f"No comparison: {obstacle(section.experiment)}."
    crossing = comparison.crossing
    place = _place(crossing)
    seeds = ""
    if any(curve.seeds != comparison.seeds for curve in section.experiment.curves.values()):
        seeds = f", over the seeds that both have, {', '.join(map(str, comparison.seeds))}"
    if place is None:
        return f"No crossing is claimed{seeds}: {crossing.reason}{_of_one_pair(crossing)}."
    return f"Quaternion overtakes real {place}{seeds} ({_interval(crossing.interval or ())})."


def _place(crossing: Crossing) -> str | None:
    if crossing.turn is None:
        return None
    if crossing.weights_left is not None:
        return f"at {percent(crossing.weights_left)} of the weights"
    between = f"between {percent(crossing.turn.high)} and {percent(crossing.turn.low)} of the weights"
    return f"{between}, where rounds are missing"


def _of_one_pair(crossing: Crossing) -> str:
    places = [turn.place for turn in crossing.turns if turn.place is not None]
    return f"; its curves cross at {percent(places[0])}" if places and crossing.interval is None else ""


def _interval(pieces: Sequence[Piece]) -> str:
    if not pieces:
        return "95 % interval: none of the levels that can be compared"
    several = f" in {len(pieces)} pieces," if len(pieces) > 1 else ""
    return f"95 % interval{several} {' and '.join(map(_piece, pieces))}"


def _piece(piece: Piece) -> str:
    high = f"{percent(piece.high)}{' or more' if piece.high_open else ''}"
    return f"{high} to {percent(piece.low)}{' or less' if piece.low_open else ''}"


def p_sentence(comparison: Comparison) -> str:
    """Say what the p-values are, which of them decides the verdict, and what so many seeds can show."""
    pairs, tests = len(comparison.seeds), len(comparison.levels)
    if pairs < statistics.FEWEST_SEEDS:
        return f"{too_few(pairs).capitalize()}: differences have no p, and no interval."
    text = (
        f"p, which decides the verdict: paired t test of the {pairs} differences, Holm-corrected over {tests} "
        f"level{'s' if tests > 1 else ''}. "
        "95 % t interval: of each level by itself, not corrected. Both take the differences as normally distributed. "
    )
    if pairs > statistics.MOST_PAIRS:
        return f"{text}Exact p: not computed for more than {statistics.MOST_PAIRS} pairs."
    text += "Exact p, beside it: sign-flip test, which does not, corrected alike"
    if comparison.smallest_exact_p > statistics.SIGNIFICANCE:
        least, needed = f"{comparison.smallest_exact_p:.2g}", comparison.exact_pairs_needed
        text += f"; with {pairs} pairs it cannot be below {least}, {needed} are needed to be significant"
    return f"{text}."


BAND = "95 % t interval"
LEVEL_COLUMNS = ("weights left", "real", "quaternion", "difference", BAND, "p", "exact p", "verdict")


def level_cells(level: Level) -> list[str]:
    """Write a level under `LEVEL_COLUMNS`; signs are ASCII."""
    interval = "-" if level.low is None or level.high is None else f"{level.low:+.2f} to {level.high:+.2f}"
    return [
        percent(level.weights_left),
        f"{level.real:.2f}",
        f"{level.quaternion:.2f}",
        f"{level.difference:+.2f}",
        interval,
        *("-" if p is None else f"{p:.2g}" for p in (level.p, level.exact_p)),
        level.verdict,
    ]


def band_cell(row: Row) -> str:
    """Write the t interval of a row under `BAND`."""
    return "-" if row.low is None or row.high is None else f"{row.low:.2f} to {row.high:.2f}"


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
