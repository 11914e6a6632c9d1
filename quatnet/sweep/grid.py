"""A grid of settings, from a TOML file or the command line, as a list of jobs: one per combination of its lists."""

from __future__ import annotations

import difflib
import itertools
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from quatnet.errors import UsageError
from quatnet.nn.architectures import architecture
from quatnet.settings import INITIALIZERS, PROTOCOLS, PruneSettings, TrainSettings
from quatnet.sweep.jobs import Job

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ALGEBRAS = ("real", "quaternion")
NO_PRUNING = "none"
"""The protocol of runs that are only trained."""

LISTS = ("arch", "algebra", "dataset", "seeds", "protocol", "init")
"""The keys that may have several values."""

_LISTED = ("arch", "quaternion", "dataset", "seed", "init", "protocol")
_TRAINING, _PRUNING = (
    {name.replace("_", "-"): hint for name, hint in get_type_hints(settings).items() if name not in _LISTED}
    for settings in (TrainSettings, PruneSettings)
)
KEYS = (*LISTS, *_TRAINING, *_PRUNING)
_WANTED = {int: "an integer", float: "a number", str: "a text in quotes", bool: "true or false"}


def read(path: Path) -> dict[str, Any]:
    """Return the keys and values of a TOML file."""
    try:
        grid: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: not a TOML file ({error})") from None
    return grid


def jobs_of(grid: Mapping[str, Any]) -> list[Job]:
    """Return a job per combination of the lists of a grid, seed by seed.

    Keys are the options of `quatnet prune`, without their dashes in front, but for `algebra` and `seeds`; those in
    `LISTS` have one value or a list of them, `seeds` also a text such as "0-4,7". A UsageError names the key that is
    unknown, or whose value is wrong.
    """
    for key in grid:
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            hint = f", did you mean {close[0]}?" if close else ";"
            raise UsageError(f"unknown key {key!r}{hint} allowed are {', '.join(KEYS)}")
    if "arch" not in grid:
        raise UsageError("arch: none given; at least one architecture is needed (quatnet models lists them)")
    arch = _list(grid["arch"], "arch", lambda name: architecture(_text(name, "arch")).name)
    algebra = _list(grid.get("algebra", [*ALGEBRAS]), "algebra", _one_of("algebra", ALGEBRAS))
    dataset = _list(grid["dataset"], "dataset", lambda name: _text(name, "dataset")) if "dataset" in grid else [None]
    seeds = _list(numbers("seeds", grid.get("seeds", 0)), "seeds", lambda seed: _typed(seed, "seeds", int))
    protocol = _list(grid.get("protocol", "imp"), "protocol", _one_of("protocol", (*PROTOCOLS, NO_PRUNING)))
    init = _list(grid.get("init", "paper"), "init", _one_of("init", tuple(INITIALIZERS)))
    training, pruning = (
        {key.replace("-", "_"): _typed(grid[key], key, hint) for key, hint in hints.items() if key in grid}
        for hints in (_TRAINING, _PRUNING)
    )
    if pruning and protocol == [NO_PRUNING]:
        raise UsageError(f"{next(key for key in _PRUNING if key in grid)}: nothing is pruned with protocol none")
    return [
        Job(
            TrainSettings.for_architecture(a, q == "quaternion", seed=s, init=i, **_known(dataset=d), **training),
            None if p == NO_PRUNING else PruneSettings(protocol=p, **pruning),
        )
        for s, a, d, i, p, q in itertools.product(seeds, arch, dataset, init, protocol, algebra)
    ]


def numbers(key: str, value: Any) -> Any:
    """Return the whole numbers of a text such as "0-4,7"; anything else as it is."""
    if not isinstance(value, str):
        return value
    found: list[int] = []
    for part in value.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first:
            raise UsageError(f"{key}: {value!r} given; numbers and ranges are needed, such as 0-4,7")
        found.extend(range(first, last + 1))
    return found


def _list(value: Any, key: str, check: Callable[[Any], Any]) -> list[Any]:
    """Return the checked values of a key that may have several, none of them twice."""
    values = [check(item) for item in (value if isinstance(value, list) else [value])]
    if not values:
        raise UsageError(f"{key}: an empty list given; at least one value is needed")
    for item in values:
        if values.count(item) > 1:
            raise UsageError(f"{key}: {item} is given twice")
    return values


def _one_of(key: str, allowed: tuple[str, ...]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise UsageError(f"{key}: {value!r} given; allowed are {', '.join(allowed)}")
        return value

    return check


def _text(value: Any, key: str) -> str:
    text: str = _typed(value, key, str)
    return text


def _typed(value: Any, key: str, hint: Any) -> Any:
    """Return a value that has the type of its setting; an integer may stand for any number."""
    if get_origin(hint) is tuple:
        return tuple(_list(numbers(key, value), key, lambda number: _typed(number, key, int)))
    (kind,) = (kind for kind in get_args(hint) or (hint,) if kind is not NoneType)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{key}: {value!r} given; {_WANTED[kind]} is needed")
    return value


def _known(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
