"""The list of the data sets, with the places where they are on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from quatnet.data.descriptions import DESCRIPTIONS, Description
from quatnet.data.layouts import IDX_FILES, find_idx, is_whole, locate_cifar
from quatnet.errors import DataError


@dataclass(frozen=True)
class Entry:
    """One line of the list of data sets; `where` is a path, "built in" or "not here"."""

    name: str
    description: str
    train_images: int
    test_images: int
    shape: tuple[int, int, int]
    classes: int
    where: str
    licence: str


def default_data_dir() -> Path:
    """Return the folder of the data sets: $QUATNET_DATA, or else ~/.cache/quatnet-data."""
    chosen = os.environ.get("QUATNET_DATA")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "quatnet-data"


def entries(data_dir: Path | None = None) -> list[Entry]:
    """Return one entry per named data set, with the place where `load` would find it."""
    data_dir = data_dir or default_data_dir()
    return [
        Entry(
            name=known.name,
            description=known.description,
            train_images=known.train_images,
            test_images=known.test_images,
            shape=known.shape,
            classes=len(known.class_names),
            where=_where(known, data_dir),
            licence=known.licence,
        )
        for known in DESCRIPTIONS.values()
    ]


def locate(known: Description, data_dir: Path) -> Path | None:
    """Return the folder or archive of an official set; None if it is not here, a DataError if only pickles are."""
    if known.layout is not None:
        return locate_cifar(known.layout, data_dir)
    folder = data_dir / known.name
    return folder if all(find_idx(folder, name) for name in IDX_FILES) else None


def _where(known: Description, data_dir: Path) -> str:
    if known.built_in:
        return "built in"
    try:
        path = locate(known, data_dir)
    except DataError:  # only pickles are there
        path = None
    if path is None:
        return "not here"
    part = known.layout is not None and path.is_dir() and not is_whole(known.layout, path)
    return f"{path} (part of the set)" if part else str(path)
