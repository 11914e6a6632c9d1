"""A fixed number of threads for array work, which NumPy does without Python's global lock.

Each thread calls BLAS for itself, so BLAS must not have threads of its own meanwhile (`backend.blas_threads`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Threads:
    """`count` threads that work on a list of items; one thread is the caller's own."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return [function(item), ...] in the order of the items; NumPy's error state holds in the threads too."""
        if self._pool is None:
            return [function(item) for item in items]
        futures = [self._pool.submit(copy_context().run, function, item) for item in items]
        return [future.result() for future in futures]

    def split(self, n: int) -> list[slice]:
        """Cut a length into as many nearly equal parts as there are threads, none of them empty."""
        parts = min(n, self.count)
        edges = [n * k // parts for k in range(parts + 1)]
        return [slice(start, stop) for start, stop in pairwise(edges)]
