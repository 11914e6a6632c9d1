"""A grid of settings, from a TOML file or the command line, as a list of jobs: one per combination of its lists."""

from __future__ import annotations

import difflib
import itertools
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from quatnet.errors import UsageError
from quatnet.pruning.protocols import PROTOCOLS
from quatnet.settings import PruneSettings, TrainSettings, read_numbers, type_of
from quatnet.sweep.jobs import Job

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NO_PRUNING = "none"
"""The protocol of runs that are only trained."""

CHOICES = {"quaternion": ("real", "quaternion"), "protocol": (*PROTOCOLS, NO_PRUNING)}
LISTED = ("seed", "arch", "dataset", "init", "protocol", "quaternion")
"""The settings that may have several values, the one that changes last first."""

PRUNING = tuple(field.name for field in fields(PruneSettings))
TYPES = {field.name: type_of(field) for settings in (TrainSettings, PruneSettings) for field in fields(settings)}
KEYS = {name: name.replace("_", "-") for name in TYPES} | {"seed": "seeds", "quaternion": "algebra"}
"""The key of each setting."""


def read(path: Path) -> dict[str, Any]:
    """Return the keys and values of a TOML file."""
    try:
        grid: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: not a TOML file ({error})") from None
    return grid


def jobs_of(grid: Mapping[str, Any]) -> list[Job]:
    """Return a job per combination of the lists of a grid, seed by seed.

    Keys are the options of `quatnet prune`, without their dashes in front, but for `algebra` and `seeds`; those of
    `LISTED` have one value or a list of them, `seeds` also a text such as "0-4,7". A UsageError names the key that is
    unknown, or whose value is wrong.
    """
    for key in grid:
        if key not in KEYS.values():
            close = difflib.get_close_matches(key, KEYS.values(), n=1)
            hint = f", did you mean {close[0]}?" if close else ";"
            raise UsageError(f"unknown key {key!r}{hint} allowed are {', '.join(KEYS.values())}")
    given = {"quaternion": [*CHOICES["quaternion"]], "protocol": "imp"}
    given |= {name: grid[key] for name, key in KEYS.items() if key in grid}
    try:
        if "arch" not in given:
            raise UsageError("none given; at least one architecture is needed (quatnet models lists them)", "arch")
        lists = {name: _values(name, given.pop(name)) for name in LISTED if name in given}
        one = {name: _value(name, value) for name, value in given.items()}
        for name in PRUNING:
            if name in one and lists["protocol"] == [NO_PRUNING]:
                raise UsageError("nothing is pruned with protocol none", name)
        return [_job({**one, **dict(zip(lists, values, strict=True))}) for values in itertools.product(*lists.values())]
    except UsageError as error:
        raise UsageError(error.problem, KEYS.get(error.field, error.field)) from None


def _job(settings: dict[str, Any]) -> Job:
    pruning = {name: settings.pop(name) for name in PRUNING if name in settings}
    train = TrainSettings.for_architecture(**{**settings, "quaternion": settings["quaternion"] == "quaternion"})
    return Job(train, None if pruning["protocol"] == NO_PRUNING else PruneSettings(**pruning))


def _values(name: str, value: Any) -> list[Any]:
    """Return the values of a setting that may have several, none of them twice."""
    if name == "seed" and isinstance(value, str):
        value = read_numbers(value, name)
    values = value if isinstance(value, list) else [value]
    if name == "arch":
        values = [TrainSettings.for_architecture(arch, False).arch for arch in values]
    if not values:
        raise UsageError("an empty list given; at least one value is needed", name)
    for item in values:
        if name in CHOICES and item not in CHOICES[name]:
            raise UsageError(f"{item!r} given; allowed are {', '.join(CHOICES[name])}", name)
        if values.count(item) > 1:
            raise UsageError(f"{item} is given twice", name)
    return values


def _value(name: str, value: Any) -> Any:
    """Return the value of a setting that has one; TOML has no tuples, and a whole number may stand for any number."""
    if TYPES[name] is tuple:
        numbers = read_numbers(value, name) if isinstance(value, str) else value
        return tuple(numbers) if isinstance(numbers, (list, tuple)) else (numbers,)
    return float(value) if TYPES[name] is float and type(value) is int else value
