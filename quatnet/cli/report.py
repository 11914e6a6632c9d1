"""`quatnet report`: runs compared in a table, a page, a picture, a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quatnet.cli import options
from quatnet.cli.console import Output, share
from quatnet.errors import UsageError
from quatnet.files import write_bytes
from quatnet.runs import list_runs

if TYPE_CHECKING:
    from quatnet.report.comparison import Comparison
    from quatnet.report.summary import Row, Section


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--paper", "figure", help="Compare with a figure of the paper: 4a to 4f, 5b or 6.  [default: none]")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a self-contained HTML page.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="Write all points as CSV.")
@click.option(
    "--figure", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw the curves: .svg or .png."
)
@options.json_option
@options.quiet_option
def report(
    runs: tuple[Path, ...],
    figure: str | None,
    html: Path | None,
    table: Path | None,
    picture: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare runs: real, quaternion and the paper's.

    RUN is a run folder, a folder of runs, or collected results: a results.csv, or a folder that has one. Pictures and
    pages among the runs are skipped. Runs of one network, data set and protocol belong together.

    \b
    Examples: quatnet report runs/lenet-12-*
              quatnet report runs/lenet-12-* --paper 5b --html report.html
    """
    from quatnet.report import experiments, paper, points, summary
    from quatnet.report.figures import save_sections
    from quatnet.report.page import page

    output = Output(as_json=as_json, quiet=quiet)
    if picture is not None and picture.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"--figure: {picture} given; a name that ends in .svg or .png is needed")
    of_paper = None if figure is None else paper.load(figure)
    sources = [experiments.read(path) for given in runs for path in _expanded(given)]
    found = experiments.gather(sources)
    if of_paper is not None:
        paper.check(of_paper, found)
    sections = summary.summarize(found, of_paper)
    if picture is not None and not save_sections(picture, sections):
        raise UsageError("--figure needs matplotlib, which is not installed: pip install matplotlib (extra `plot`)")
    if table is not None:
        write_bytes(table, points.to_csv(p for experiment in found for p in experiment.points).encode())
    if html is not None:
        write_bytes(html, page(sections).encode())
    for source in sources:
        if not source.points:
            output.say(f"{source.path}: no finished round yet\n")
    for section in sections:
        _show(output, section)
    written = {"picture": picture, "points": table, "page": html}
    for name, path in written.items():
        if path is not None:
            output.say(f"{name}: {path}")
    output.finish(
        {
            "experiments": [summary.as_json(section) for section in sections],
            **{name: str(path) if path else None for name, path in written.items()},
        }
    )


def _expanded(path: Path) -> list[Path]:
    """Return the run folders of a folder of runs, nothing for what a report or a figure has written, else the path."""
    if path.is_file() and path.suffix in (".png", ".svg", ".html"):
        return []
    if path.is_dir() and not (path / "config.json").is_file() and not (path / "results.csv").is_file():
        return sorted(list_runs(path)) or [path]
    return [path]


def _show(output: Output, section: Section) -> None:
    from quatnet.report import paper, summary

    experiment = section.experiment
    output.say(experiment.title)
    for curve in experiment.curves.values():
        output.say(summary.seeds_sentence(curve))
    output.say()
    _show_rows(output, section)
    if section.figure is not None:
        output.say()
        output.say(f"paper: {section.figure.citation}")
        for sentence in summary.paper_sentences(section):
            output.say(sentence)
    elif names := paper.figures_of(experiment.arch, experiment.dataset):
        output.say(f"\nthe paper's curves beside these: --paper {' or '.join(names)}")
    output.say()
    output.say(summary.crossing_sentence(section))
    if section.comparison is not None:
        output.say()
        _show_levels(output, section.comparison)
        output.say(summary.p_sentence(section.comparison))
    output.say()


def _show_rows(output: Output, section: Section) -> None:
    from quatnet.report import summary

    columns = ["algebra", "round", "weights left", "weights", "accuracy, %", summary.BAND]
    if section.figure is not None:
        columns += ["paper", "difference", "within 1 sigma", "p", "verdict"]
    rows = []
    for row in section.rows:
        cells = [row.algebra, str(row.round), share(row.weights_left), f"{row.kept_weights:,}"]
        cells += [summary.mean_and_deviation(row), summary.band_cell(row)]
        if section.figure is not None:
            cells += _verdict(row)
        rows.append(cells)
    output.table(columns, rows)


def _verdict(row: Row) -> list[str]:
    verdict = row.paper
    if verdict is None:
        return ["-"] * 5
    paper_value = f"{verdict.paper:.2f} ± {verdict.deviation:.2f}"
    p = "-" if verdict.p is None else f"{verdict.p:.2g}"
    return [paper_value, f"{verdict.difference:+6.2f}", "yes" if verdict.inside else "no", p, verdict.verdict]


def _show_levels(output: Output, comparison: Comparison) -> None:
    from quatnet.report import summary

    output.table(list(summary.LEVEL_COLUMNS), [summary.level_cells(level) for level in comparison.levels])
