"""From folders and files to experiments: the runs of one network, data set and protocol, over their seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from quatnet.errors import UsageError
from quatnet.files import read_json
from quatnet.report import points, rounds
from quatnet.report.points import ALGEBRAS, Point
from quatnet.runs import Run
from quatnet.settings import PruneSettings

VARIES = {"quaternion", "seed", "rounds", "stop_below", "test_every", "arch", "dataset", "protocol", "init"}
"""Settings that are not compared within an experiment: what changes no round, and what the points themselves say."""

ALIKE = 1.1
"""Ratio up to which seeds may differ in the weights left after a round: units are pruned as wholes."""


@dataclass(frozen=True)
class Source:
    """One argument of a report: its points, and what else is there.

    `settings` has the run's settings by name (of collected results, those of the first run); `run` is None unless the
    folder is a run, with masks and losses.
    """

    path: Path
    points: tuple[Point, ...]
    settings: dict[str, Any]
    environment: dict[str, Any]
    run: Run | None = None


@dataclass(frozen=True)
class Curve:
    """Accuracy against weights left of one algebra: `accuracy` has a row per seed and a column per round.

    `rounds` are the numbers of the rounds that all seeds have, 0 first; what only some of them have is left out, as in
    the paper. `rounds_of` are those that each seed had.
    """

    algebra: str
    seeds: tuple[int, ...]
    rounds: tuple[int, ...]
    rounds_of: tuple[tuple[int, ...], ...]
    weights_left: np.ndarray
    kept_weights: tuple[int, ...]
    accuracy: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean accuracy of every round."""
        return np.asarray(self.accuracy.mean(axis=0))


@dataclass(frozen=True)
class Experiment:
    """All runs of one network on one data set with one protocol and one initialisation; `curves` by algebra."""

    arch: str
    dataset: str
    protocol: str
    init: str
    curves: dict[str, Curve]
    points: tuple[Point, ...]
    sources: tuple[Source, ...]

    @property
    def title(self) -> str:
        """The experiment in words, such as `lenet-12 on mnist, protocol imp`."""
        protocol = f"protocol {self.protocol}" if self.protocol else "not pruned"
        init = "" if self.init == "paper" else f", initial weights {self.init}"
        return ", ".join([f"{self.arch} on {self.data_name}, {protocol}{init}", *self.reductions])

    @property
    def reductions(self) -> list[str]:
        """What makes a protocol smaller than it is, in words; the runs of an experiment have it alike."""
        settings = next((source.settings for source in self.sources if source.settings), {})
        names = {field.name for field in fields(PruneSettings)}
        pruning = {name: value for name, value in settings.items() if name in names}
        return PruneSettings(**pruning).reductions()

    @property
    def data_name(self) -> str:
        """The name of the data set: of a path, the file's without its ending."""
        return Path(self.dataset).stem

    def runs(self, algebra: str) -> list[Run]:
        """Return the run folders of an algebra, in the order of their seeds."""
        runs = [s.run for s in self.sources if s.run is not None and s.run.train_settings.algebra == algebra]
        return sorted(runs, key=lambda run: run.train_settings.seed)


def read(path: Path) -> Source:
    """Read a run folder, or a results.csv, or a folder of collected results that has one."""
    if path.is_file():
        return Source(path, tuple(points.read_csv(path)), {}, {})
    table, config = path / "results.csv", path / "config.json"
    collected = table.is_file() and not (path / "initial.npz").is_file()
    if collected and not config.is_file():
        return Source(path, tuple(points.read_csv(table)), {}, {})
    if not config.is_file():
        raise UsageError(f"{path} is not a run folder, a results.csv, or a folder with a results.csv")
    run = Run(path)
    settings = asdict(run.train_settings) | (asdict(run.prune_settings) if run.prune_settings else {})
    environment = read_json(path / "environment.json") if (path / "environment.json").is_file() else {}
    if collected:
        return Source(path, tuple(points.read_csv(table)), settings, environment)
    return Source(path, tuple(points.of_run(run)), settings, environment, run)


def gather(sources: Sequence[Source]) -> list[Experiment]:
    """Put together what belongs together; a UsageError where it cannot be compared."""
    found = [(point, source) for source in sources for point in source.points]
    if not found:
        raise UsageError(f"no finished round in {', '.join(str(source.path) for source in sources)}")
    _check_no_point_twice(found)
    groups: dict[tuple[str, str, str, str], list[tuple[Point, Source]]] = {}
    for point, source in found:
        groups.setdefault((point.arch, point.dataset, point.protocol, point.init), []).append((point, source))
    return [_experiment(key, groups[key]) for key in sorted(groups)]


def _experiment(key: tuple[str, str, str, str], found: list[tuple[Point, Source]]) -> Experiment:
    sources = tuple({id(source): source for _, source in found}.values())
    _check_same_settings([source for source in sources if source.settings])
    ordered = sorted((point for point, _ in found), key=lambda p: (ALGEBRAS.index(p.algebra), p.seed, p.round))
    by_algebra = {algebra: [point for point in ordered if point.algebra == algebra] for algebra in ALGEBRAS}
    curves = {algebra: _curve(mine) for algebra, mine in by_algebra.items() if mine}
    return Experiment(*key, curves, tuple(ordered), sources)


def _curve(found: Sequence[Point]) -> Curve:
    name = f"{found[0].arch} on {found[0].dataset}, {found[0].algebra}"
    seeds = sorted({point.seed for point in found})
    trials = [{point.round: point for point in found if point.seed == seed} for seed in seeds]
    for seed, trial in zip(seeds, trials, strict=True):
        if 0 not in trial:
            raise UsageError(f"{name}, seed {seed}: round 0, the dense network, is missing")
    shared = rounds.common(trials)
    kept = [tuple(trial[k].kept_weights for trial in trials) for k in shared]
    for weights in kept:
        if max(weights) > ALIKE * min(weights):
            fewest, most = (seeds[weights.index(bound(weights))] for bound in (min, max))
            raise UsageError(f"{name}: seeds {fewest} and {most} have different numbers of weights left")
    return Curve(
        algebra=found[0].algebra,
        seeds=tuple(seeds),
        rounds=shared,
        rounds_of=tuple(tuple(trial) for trial in trials),
        weights_left=np.median([[trial[k].weights_left for k in shared] for trial in trials], axis=0),
        kept_weights=tuple(int(median) for median in np.median(kept, axis=1)),
        accuracy=np.array([[trial[k].accuracy for k in shared] for trial in trials]),
    )


def _check_no_point_twice(found: Iterable[tuple[Point, Source]]) -> None:
    seen: dict[tuple[object, ...], Source] = {}
    for point, source in found:
        key = (point.arch, point.dataset, point.protocol, point.init, point.algebra, point.seed, point.round)
        if key in seen:
            raise UsageError(
                f"round {point.round} of {point.arch}, {point.algebra}, seed {point.seed} is given twice: "
                f"in {seen[key].path} and in {source.path}"
            )
        seen[key] = source


def _check_same_settings(sources: Sequence[Source]) -> None:
    for other in sources[1:]:
        first = sources[0]
        for name in sorted(first.settings.keys() - VARIES):
            here, there = first.settings[name], other.settings.get(name)
            if here != there:
                raise UsageError(
                    f"{first.path} and {other.path} cannot be compared: {name.replace('_', '-')} {here} and {there}"
                )
