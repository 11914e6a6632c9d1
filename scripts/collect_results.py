"""Collect the results of runs into one small folder.

python scripts/collect_results.py NAME RUN...

Writes results/NAME/results.csv (the points of all runs, one below the other), epochs.csv (every epoch of every training
of theirs), and config.json and environment.json (those of the first run). `quatnet report results/NAME` compares and
draws them.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

from quatnet.report import points
from quatnet.runs import Run

ROOT = Path(__file__).resolve().parents[1]
EPOCH_COLUMNS = ("algebra", "seed", "phase", "round", "epoch", "loss", "test_loss", "accuracy")


def main() -> None:
    """Collect what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    args = parser.parse_args()
    collect(args.name, [Run(path) for path in args.runs])


def collect(name: str, runs: list[Run], root: Path = ROOT) -> None:
    """Write the folder `name` of `root`/results."""
    runs = sorted(runs, key=lambda run: (run.train_settings.seed, run.path.name))
    folder = root / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.csv").write_text(points.to_csv(point for run in runs for point in points.of_run(run)))
    (folder / "epochs.csv").write_text(epochs_csv(runs))
    for file in ("config.json", "environment.json"):
        shutil.copyfile(runs[0].path / file, folder / file)


def epochs_csv(runs: list[Run]) -> str:
    """Return the epochs of runs as CSV; losses with five digits, accuracy in percent, empty after an epoch untested."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EPOCH_COLUMNS)
    for run in runs:
        writer.writerows(_epochs(run))
    return text.getvalue()


def _epochs(run: Run) -> Iterator[list[object]]:
    """Yield the rows of a run. Of an epoch that was trained twice, after an interruption, the second time counts."""
    latest = {(line["phase"], line["round"], line["epoch"]): line for line in run.metrics()}
    for (phase, round_, epoch), line in latest.items():
        losses = ["" if line[key] is None else f"{line[key]:.5g}" for key in ("loss", "test_loss")]
        accuracy = "" if line["accuracy"] is None else f"{line['accuracy']:g}"
        yield [run.train_settings.algebra, run.train_settings.seed, phase, round_, epoch, *losses, accuracy]


if __name__ == "__main__":
    main()
