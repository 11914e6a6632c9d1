"""The report as one HTML file: charts, tables and all points in it, nothing loaded from elsewhere, no scripts."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from typing import Any

from quatnet.report import charts, details, points, summary
from quatnet.report.details import COMPONENTS, Survival
from quatnet.report.experiments import Experiment
from quatnet.report.summary import Row, Section, percent
from quatnet.version import VERSION

PAPER = "S. M. Iqbal and S. Mishra, Neural Networks at a Fraction with Pruned Quaternions, CODS-COMAD 2023"
PAPER_LINK = "https://arxiv.org/abs/2308.06780"


def page(sections: Sequence[Section]) -> str:
    """Return the page. Equal results give an equal page."""
    css = (resources.files("quatnet.report") / "page.css").read_text(encoding="utf-8")
    title = ", ".join(dict.fromkeys(f"{s.experiment.arch} on {s.experiment.data_name}" for s in sections))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}: real and quaternion, pruned</title>",
            f"<style>\n{css}</style>",
            "</head>",
            "<body>",
            f"<h1>{escape(title)}: real and quaternion, pruned</h1>",
            '<p class="soft">Weights left are in percent of all parameters of the real network of the same '
            "architecture. Accuracy is that on the test set, in percent.</p>",
            *_contents(sections),
            *(part for number, section in enumerate(sections, start=1) for part in _section(section, number)),
            *_methods(),
            f'<p class="soft">Made by quatnet {VERSION}. The paper: <a href="{PAPER_LINK}">{PAPER}</a>.</p>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _contents(sections: Sequence[Section]) -> list[str]:
    if len(sections) < 2:
        return []
    links = (f'<li><a href="#e{n}">{escape(s.experiment.title)}</a></li>' for n, s in enumerate(sections, start=1))
    return [f"<ul>{''.join(links)}</ul>"]


def _section(section: Section, number: int) -> list[str]:
    experiment = section.experiment
    return [
        f'<section id="e{number}">',
        f"<h2>{escape(experiment.title)}</h2>",
        f'<p class="finding">{_text(summary.crossing_sentence(section))}</p>',
        *(f"<p>{_text(sentence)}</p>" for sentence in summary.paper_sentences(section)),
        f"<figure>{charts.accuracy(section)}<figcaption>{_text(_caption(section))}</figcaption></figure>",
        *_levels(section),
        *_rounds(section),
        *_trainings(experiment),
        *_survival(experiment),
        *_settings(experiment),
        *_points(experiment, number),
        "</section>",
    ]


def _caption(section: Section) -> str:
    curves = section.experiment.curves.values()
    parts = ["; ".join(summary.seeds_sentence(curve) for curve in curves) + "."]
    if any(len(curve.seeds) > 1 for curve in curves):
        parts.append(f"Means over the seeds; bands: the {summary.BAND} of every round by itself.")
    if section.figure is not None:
        parts.append(f"Behind them: {section.figure.citation}; error bars are one standard deviation of five trials.")
        if section.experiment.protocol != "paper":
            parts.append("The paper's own protocol is another one: paper.")
    return " ".join(parts)


def _levels(section: Section) -> list[str]:
    comparison = section.comparison
    if comparison is None:
        return []
    rows = [[_minus(cell) for cell in summary.level_cells(level)] for level in comparison.levels]
    note = "Each real run is interpolated, linearly over log2, at the quaternion's numbers of weights left. "
    return [
        "<h3>At equal numbers of weights left</h3>",
        _table(summary.LEVEL_COLUMNS, rows, text={7}),
        f'<p class="soft">{note}{_text(summary.p_sentence(comparison))}</p>',
    ]


def _rounds(section: Section) -> list[str]:
    head = ["round", "weights left", "accuracy", summary.BAND, "weights"]
    if section.figure is not None:
        head += [f"Figure {section.figure.name}", "difference", "within 1 σ", "p", "verdict"]
    parts = ["<h3>All rounds</h3>"]
    for algebra in section.experiment.curves:
        rows = [_round(row, with_paper=section.figure is not None) for row in section.of(algebra)]
        parts += [f"<h4>{algebra}</h4>", _table(head, rows, text={9})]
    return parts


def _round(row: Row, *, with_paper: bool) -> list[str]:
    cells = [str(row.round), percent(row.weights_left), summary.mean_and_deviation(row), summary.band_cell(row)]
    cells.append(f"{row.kept_weights:,}")
    verdict = row.paper
    if not with_paper:
        return cells
    if verdict is None:
        return [*cells, *["-"] * 5]
    p = "-" if verdict.p is None else f"{verdict.p:.2g}"
    inside = "yes" if verdict.inside else "no"
    paper_value = f"{verdict.paper:.2f} ± {verdict.deviation:.2f}"
    return [*cells, paper_value, _minus(f"{verdict.difference:+.2f}"), inside, p, verdict.verdict]


def _trainings(experiment: Experiment) -> list[str]:
    found = {algebra: details.trainings(runs) for algebra in experiment.curves if (runs := experiment.runs(algebra))}
    if not any(found.values()):
        return []
    note = "Means over the seeds, in the trainings of the dense network, a middle round and the last one."
    return ["<h3>Training</h3>", _charts(charts.trainings(found), "charts two"), f'<p class="soft">{note}</p>']


def _survival(experiment: Experiment) -> list[str]:
    if all(curve.rounds == (0,) for curve in experiment.curves.values()):
        return []
    found = {algebra: details.survival(runs) for algebra in experiment.curves if (runs := experiment.runs(algebra))}
    if not found:
        return ['<p class="soft">Losses and masks are in run folders only, which were not given.</p>']
    shown = [charts.layers(algebra, survival) for algebra, survival in found.items()]
    tables = []
    for survival in found.values():
        if survival.components:
            shown.append(charts.components(survival))
            tables += _component_table(survival)
    return ["<h3>Which weights are left</h3>", _charts(shown), *tables]


def _component_table(survival: Survival) -> list[str]:
    rows = [[name.removesuffix(".weight"), *map(percent, values[-1])] for name, values in survival.components.items()]
    if len(rows) > 1:
        rows.append(["together", *map(percent, survival.together[-1])])
    note = "Left after the last round, in percent of the same component of the dense quaternion network:"
    return [f'<p class="soft">{note}</p>', _table(["layer", *COMPONENTS], rows)]


def _settings(experiment: Experiment) -> list[str]:
    settings = _agreed(source.settings for source in experiment.sources)
    environment = _agreed(_flat(source.environment) for source in experiment.sources)
    shown = {name: value for name, value in settings.items() if name not in ("quaternion", "seed")}
    parts = ["<h3>Settings and environment</h3>"]
    for name, values in (("Settings of the runs", shown), ("What they ran on", environment)):
        if values:
            entries = "".join(f"<dt>{escape(k)}</dt><dd>{escape(_value(v))}</dd>" for k, v in values.items())
            parts.append(f"<details><summary>{name}</summary><dl>{entries}</dl></details>")
    return parts if len(parts) > 1 else []


def _points(experiment: Experiment, number: int) -> list[str]:
    text = points.to_csv(experiment.points)
    address = "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
    return [
        f"<details><summary>All {len(experiment.points)} points as CSV</summary>",
        f'<p><a download="points-{number}.csv" href="{address}">Save as a file</a></p>',
        f"<pre>{escape(text)}</pre></details>",
    ]


def _methods() -> list[str]:
    items = [
        "± is the sample standard deviation over the seeds. One seed has none.",
        "Bands and intervals are 95 % t intervals, for normally distributed values, each of one round or level by "
        "itself: of many of them, one in twenty may miss its mean. Those of accuracies are cut to 0 to 100 %.",
        "Differences are paired by seed: runs of one seed see the same batches. Whether they differ from 0 is told by "
        "the paired t test, Holm-corrected over the levels. The exact sign-flip test, which flips the signs of the "
        "differences in all possible ways, stands beside it.",
        "The crossing is where the mean quaternion accuracy last rises from below the real one to it or above, as "
        "weights left fall, before the quaternion network is first shown to be ahead. If it is never shown to be "
        "ahead, no crossing is claimed. The 95 % interval of a crossing has all weights left at which the paired t "
        "test, by itself, does not reject that both are equal; it may have several pieces. “Or more” and “or less” "
        "mark an open end: beyond it nothing can be compared.",
        "Accuracies are interpolated between rounds that follow each other only. Where rounds are missing, curves are "
        "interrupted.",
        "The paper's numbers are read from its figures. Where an error bar is too short to be read, the error of "
        "reading takes its place.",
    ]
    return ["<h2>How this is computed</h2>", "<ul>", *(f"<li>{_text(item)}</li>" for item in items), "</ul>"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text: Iterable[int] = ()) -> str:
    """Return a table; the columns in `text` stand on the left."""
    on_the_left = set(text)

    def line(tag: str, row: Sequence[str]) -> str:
        kinds = (' class="text"' if column in on_the_left else "" for column in range(len(row)))
        return "".join(f"<{tag}{kind}>{escape(value)}</{tag}>" for kind, value in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{line('td', row)}</tr>\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{line("th", head)}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _charts(found: Sequence[tuple[str, str]], style: str = "charts") -> str:
    figures = (f"<figure><h4>{escape(title)}</h4>{chart}</figure>" for title, chart in found)
    return f'<div class="{style}">{"".join(figures)}</div>'


def _text(text: str) -> str:
    """Return a text as HTML, in which no line ends between a number and its percent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def _minus(text: str) -> str:
    """Return a text with minus signs, not hyphens, before its numbers."""
    return re.sub(r"(^| )-(?=\d)", r"\1−", text)


def _agreed(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return all values by name; of a name whose value differs, the different ones."""
    values: dict[str, list[Any]] = {}
    for one in found:
        for name, value in one.items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    return {name: several[0] if len(several) == 1 else several for name, several in values.items()}


def _flat(environment: dict[str, Any]) -> dict[str, Any]:
    """Return an environment with its packages as entries of their own."""
    packages = environment.get("packages")
    rest = {name: value for name, value in environment.items() if name != "packages"}
    return rest | (packages if isinstance(packages, dict) else {})


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    if isinstance(value, list):
        return "; ".join(_value(one) for one in value)
    return "none" if value is None else str(value)
