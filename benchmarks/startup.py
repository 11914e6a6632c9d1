"""Measure what it takes until the command has done what needs no network: processor time, modules, slowest imports.

python benchmarks/startup.py

Every time is that of a whole process, user and system; the commands take turns. Other programs are there for scale.
Writes benchmarks/results/startup.json and prints it as a table; docs/performance.md shows it.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quatnet.environment import describe
from quatnet.files import write_json
from quatnet.runs import SCHEMA, DataDescription, RoundResult
from quatnet.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "startup.json"
PROCESSES = 10
RUNS = 20
SLOWEST = 5

START = "import sys; sys.argv[0] = 'quatnet'; from quatnet.cli import main; main()"
"""What the script that pip installs does."""

COUNT = f"import atexit, sys; atexit.register(lambda: print(len(sys.modules), file=sys.stderr)); {START}"
PYTHON = {
    "python -c pass": "pass",
    "python -c 'import click'": "import click",
    "python -c 'import numpy'": "import numpy",
}
OTHERS = ("git", "ruff", "uv")

Command = tuple[list[str], dict[str, str]]
"""Arguments, and what is added to the environment."""


def commands() -> dict[str, Command]:
    """Return the arguments of quatnet to measure, and its environment."""
    plain = ("--version", "--help", "runs", "data list", "train --help")
    completed = {f"{words} [TAB]": words for words in ("quatnet re", "quatnet train --")}
    return {f"quatnet {words}": (words.split(), {}) for words in plain} | {
        name: (
            [],
            {"_QUATNET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        )
        for name, words in completed.items()
    }


def scale() -> dict[str, Command]:
    """Return other programs, those that are installed."""
    pythons: dict[str, Command] = {name: ([sys.executable, "-c", code], {}) for name, code in PYTHON.items()}
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = {name: shutil.which(name, path=beside) for name in OTHERS}
    return pythons | {f"{name} --version": ([path, "--version"], {}) for name, path in found.items() if path}


def run(command: Command, folder: Path) -> tuple[float, str]:
    """Run a process and return its processor time in seconds, and its standard error."""
    arguments, added = command
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QUATNET_DATA": str(folder), **added}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr


def write_runs(folder: Path) -> None:
    """Write run folders with what `quatnet runs` reads."""
    data = DataDescription("0" * 16, 8000, 2000, (28, 28, 1), tuple("0123456789"), (0.1307,), (0.3081,))
    for seed in range(RUNS):
        path = folder / "runs" / f"run-{seed}"
        settings = asdict(TrainSettings.for_architecture("lenet", True, seed=seed))
        (path / "rounds" / "00").mkdir(parents=True)
        write_json(path / "config.json", {"schema": SCHEMA, "train": settings, "prune": None, "data": asdict(data)})
        result = RoundResult(0, 25.4, 67_000, 95.0, 40, 0.01, 0.2)
        write_json(path / "rounds" / "00" / "result.json", {**asdict(result), "sha256": {}})


def slowest(folder: Path, arguments: list[str]) -> dict[str, float]:
    """Return the modules that take longest by themselves, with the median of their milliseconds."""
    times = defaultdict(list)
    for _ in range(PROCESSES):
        _, text = run(([sys.executable, "-X", "importtime", "-c", START, *arguments], {}), folder)
        for own, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", text, flags=re.MULTILINE):
            times[name].append(int(own) / 1000)
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1])[:SLOWEST])


def measure(folder: Path) -> dict[str, Any]:
    """Return all that is measured, in a folder with runs."""
    ours = commands()
    started = {name: ([sys.executable, "-c", START, *given], added) for name, (given, added) in ours.items()}
    everything = started | scale()
    seconds: dict[str, list[float]] = {name: [] for name in everything}
    for _ in range(PROCESSES):
        for name, command in everything.items():
            seconds[name].append(run(command, folder)[0])
    modules = {
        name: int(run(([sys.executable, "-c", COUNT, *given], added), folder)[1].split()[-1])
        for name, (given, added) in ours.items()
    }
    medians = {name: round(statistics.median(values), 4) for name, values in seconds.items()}
    return {
        "machine": describe(device="cpu", engine="fast", conv="auto", threads=1),
        "processes": PROCESSES,
        "runs": RUNS,
        "quatnet": {name: {"seconds": medians[name], "modules": modules[name]} for name in ours},
        "others": {name: medians[name] for name in everything if name not in ours},
        "slowest_imports_ms": {name: slowest(folder, name.split()[1:]) for name in ("quatnet --help", "quatnet runs")},
    }


def main() -> None:
    """Measure, write the file and print the table."""
    with TemporaryDirectory() as folder:
        write_runs(Path(folder))
        results = measure(Path(folder))
    write_json(RESULTS, results)
    for name, found in results["quatnet"].items():
        print(f"{name:28}{found['seconds']:8.3f} s{found['modules']:6} modules")
    for name, seconds in results["others"].items():
        print(f"{name:28}{seconds:8.3f} s")
    for name, modules in results["slowest_imports_ms"].items():
        print(f"{name}: " + ", ".join(f"{module} {time:.1f} ms" for module, time in modules.items()))


if __name__ == "__main__":
    main()
