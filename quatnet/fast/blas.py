"""How many threads BLAS has while a fast network computes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import threadpoolctl


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Give BLAS `count` threads inside a `with` block; it costs about a microsecond where it has them already."""
    changed = [(library, has) for library in _libraries() if (has := library.get_num_threads()) != count]
    for library, _ in changed:
        library.set_num_threads(count)
    try:
        yield
    finally:
        for library, before in changed:
            library.set_num_threads(before)


@functools.cache
def _libraries() -> list[Any]:
    """Return the BLAS libraries of this process; looking for them takes a millisecond or two."""
    return [library for library in threadpoolctl.ThreadpoolController().lib_controllers if library.user_api == "blas"]
