"""A measured point, and where points come from: run folders, and the results.csv of collected results."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from quatnet.errors import DataError
from quatnet.runs import CSV_COLUMNS, Run

ALGEBRAS = ("real", "quaternion")


@dataclass(frozen=True)
class Point:
    """One finished round of one run: a line of results.csv, with its columns."""

    arch: str
    dataset: str
    algebra: str
    protocol: str
    init: str
    seed: int
    round: int
    weights_left: float
    kept_weights: int
    accuracy: float


def of_run(run: Run) -> list[Point]:
    """Return the finished rounds of a run, in order."""
    train, prune = run.train_settings, run.prune_settings
    return [
        Point(
            arch=train.arch,
            dataset=train.dataset,
            algebra=train.algebra,
            protocol=prune.protocol if prune else "",
            init=train.init,
            seed=train.seed,
            round=result.round,
            weights_left=result.weights_left,
            kept_weights=result.kept_weights,
            accuracy=result.accuracy,
        )
        for result in run.results()
    ]


def read_csv(path: Path) -> list[Point]:
    """Read a results.csv; a DataError names the line and the column that is wrong, and what is needed there."""
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True)
        if missing := [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]:
            raise DataError(f"{path}: no column {', '.join(missing)}; the columns of results.csv are needed")
        return [_point(row, f"{path}, line {reader.line_num}") for row in reader]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV file ({error})") from None


def to_csv(points: Iterable[Point]) -> str:
    """Return points as the text of a results.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(point) for point in points)
    return text.getvalue()


def _point(row: dict[str, str | None], where: str) -> Point:
    def text(name: str) -> str:
        value = row[name]
        if value is None:
            raise DataError(f"{where}: the line ends before {name}")
        return value

    def whole(name: str) -> int:
        value = text(name).strip()
        if not (value.isascii() and value.isdigit()):
            raise DataError(f"{where}: {name} is {value!r}; an integer, 0 or more, is needed")
        return int(value)

    def percent(name: str) -> float:
        try:
            value = float(text(name))
        except ValueError:
            value = math.nan
        if not 0 <= value <= 100:
            raise DataError(f"{where}: {name} is {text(name)!r}; a number from 0 to 100 is needed")
        return value

    if (algebra := text("algebra")) not in ALGEBRAS:
        raise DataError(f"{where}: algebra is {algebra!r}; real or quaternion is needed")
    if not (weights_left := percent("weights_left")):
        raise DataError(f"{where}: weights_left is 0; more than 0 is needed, because its axis is logarithmic")
    return Point(
        arch=text("arch"),
        dataset=text("dataset"),
        algebra=algebra,
        protocol=text("protocol"),
        init=text("init"),
        seed=whole("seed"),
        round=whole("round"),
        weights_left=weights_left,
        kept_weights=whole("kept_weights"),
        accuracy=percent("accuracy"),
    )
