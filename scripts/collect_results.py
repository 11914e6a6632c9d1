"""Collect the results of runs into one small folder, and draw them.

python scripts/collect_results.py NAME RUN...

Writes results/NAME/results.csv (the results.csv of all runs, one below the other), config.json and environment.json
(those of the first run) and docs/results/NAME.png (mean and standard deviation over the seeds).
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections import defaultdict
from pathlib import Path

from quatnet.report.figures import save_curves
from quatnet.runs import CSV_COLUMNS, RoundResult, Run

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Collect and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    args = parser.parse_args()
    runs = sorted((Run(path) for path in args.runs), key=lambda run: (run.train_settings.seed, run.path.name))
    folder = ROOT / "results" / args.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for run in runs:
            writer.writerows(csv.DictReader((run.path / "results.csv").open()))
    for name in ("config.json", "environment.json"):
        shutil.copy(runs[0].path / name, folder / name)

    trials: dict[str, list[list[RoundResult]]] = defaultdict(list)
    for run in runs:
        trials[run.train_settings.algebra].append(run.results())
    if all(len(results) > 1 for group in trials.values() for results in group):
        settings = runs[0].train_settings
        picture = ROOT / "docs" / "results" / f"{args.name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        save_curves(picture, {algebra: trials[algebra] for algebra in sorted(trials, reverse=True)},
                    f"{settings.arch} on {settings.dataset}, {runs[0].prune_settings.protocol}")  # fmt: skip


if __name__ == "__main__":
    main()
