"""Made-up points: curves whose means, deviations and crossings are known."""

from pathlib import Path

from quatnet.report.experiments import Source, gather
from quatnet.report.points import Point

LEVELS = {"real": (100.0, 50.0, 25.0, 12.5, 6.25), "quaternion": (25.0, 12.5, 6.25, 3.125)}


def trial(algebra, seed, accuracies, *, levels=None, **given):
    """The points of one run: its accuracies at the first levels of its algebra, unless others are given."""
    levels = levels or LEVELS[algebra]
    common = {"arch": "lenet-12", "dataset": "mnist", "protocol": "imp", "init": "paper", **given}
    return [
        Point(**common, algebra=algebra, seed=seed, round=k, weights_left=left, kept_weights=int(10 * left), accuracy=y)
        for k, (left, y) in enumerate(zip(levels, accuracies, strict=False))
    ]


def source(points, path="made/results.csv", **settings):
    """A source that is nothing but points."""
    return Source(Path(path), tuple(points), settings, {})


def experiment(*trials):
    """The one experiment of some trials."""
    (found,) = gather([source(point for points in trials for point in points)])
    return found


def crossing_pairs(seeds):
    """Runs of both algebras: quaternion is five behind at 25 and 12.5 %, five ahead at 6.25 %, seeds a tenth apart."""
    real = [trial("real", seed, [95 + seed, 94, 90 + seed, 80, 70 + seed]) for seed in range(seeds)]
    quaternion = []
    for seed in range(seeds):
        own = (seed - (seeds - 1) / 2) / 10
        quaternion.append(trial("quaternion", seed, [85 + seed + own, 75 + own, 75 + seed + own, 60]))
    return [*real, *quaternion]


def level_pairs(*differences):
    """Runs of both algebras that differ by so much, a list per seed, at 25, 12.5, 6.25 and 3.125 %."""
    runs = []
    for seed, of_seed in enumerate(differences):
        runs.append(trial("real", seed, [50] * len(of_seed), levels=LEVELS["quaternion"]))
        runs.append(trial("quaternion", seed, [50 + difference for difference in of_seed]))
    return runs
