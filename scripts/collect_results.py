"""Collect the results of runs into one small folder, and draw them.

python scripts/collect_results.py NAME RUN...

Writes results/NAME/results.csv (the points of all runs, one below the other), config.json and environment.json (those
of the first run) and docs/results/NAME.png (mean and standard deviation over the seeds). `quatnet report results/NAME`
compares them.
"""

from __future__ import annotations

import argparse
import shutil
from collections import defaultdict
from pathlib import Path

from quatnet.report import points
from quatnet.report.figures import save_curves
from quatnet.runs import RoundResult, Run

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Collect and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    args = parser.parse_args()
    collect(args.name, [Run(path) for path in args.runs])


def collect(name: str, runs: list[Run], root: Path = ROOT) -> None:
    """Write the folder and, of pruned runs, the picture."""
    runs = sorted(runs, key=lambda run: (run.train_settings.seed, run.path.name))
    folder = root / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.csv").write_text(points.to_csv(point for run in runs for point in points.of_run(run)))
    for file in ("config.json", "environment.json"):
        shutil.copyfile(runs[0].path / file, folder / file)

    trials: dict[str, list[list[RoundResult]]] = defaultdict(list)
    for run in runs:
        trials[run.train_settings.algebra].append(run.results())
    if all(len(results) > 1 for group in trials.values() for results in group):
        train, prune = runs[0].train_settings, runs[0].prune_settings
        picture = root / "docs" / "results" / f"{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        title = f"{train.arch} on {train.dataset}" + (f", {prune.protocol}" if prune else "")
        save_curves(picture, {algebra: trials[algebra] for algebra in sorted(trials, reverse=True)}, title)


if __name__ == "__main__":
    main()
