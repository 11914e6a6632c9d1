"""Collect the results of runs into one small folder.

python scripts/collect_results.py NAME RUN...

Writes results/NAME/results.csv (the points of all runs, one below the other), and config.json and environment.json
(those of the first run). `quatnet report results/NAME` compares and draws them.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from quatnet.report import points
from quatnet.runs import Run

ROOT = Path(__file__).resolve().parents[1]


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
    for file in ("config.json", "environment.json"):
        shutil.copyfile(runs[0].path / file, folder / file)


if __name__ == "__main__":
    main()
