"""A fixed number of threads for array work, which NumPy does without Python's global lock.

Each thread calls BLAS for itself, so BLAS must not have threads of its own meanwhile (`blas.threads`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise
from typing import TypeVar

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")


class Threads:
    """`count` threads that work on a list of items; with a count of 1 the caller does the work itself."""

    def __init__(self, count: int = 1) -> None:
        if count < 1:
            raise UsageError(f"threads: {count} given; 1 or more are needed")
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def __repr__(self) -> str:
        return f"Threads({self.count})"

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return [function(item), ...] in the order of the items; NumPy's error state holds in the threads too."""
        if self._pool is None:
            return [function(item) for item in items]
        futures = [self._pool.submit(copy_context().run, function, item) for item in items]
        return [future.result() for future in futures]

    def split(self, n: int) -> list[slice]:
        """Cut a length into as many nearly equal parts as there are threads, none of them empty if n is not 0."""
        parts = max(1, min(n, self.count))
        edges = [n * k // parts for k in range(parts + 1)]
        return [slice(start, stop) for start, stop in pairwise(edges)]

    def matmul(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """Return a b for two matrices, written into `out` if given; threads share the longer side of the result."""
        if self._pool is None:
            return array_module(a).matmul(a, b, out=out)
        if out is None:
            out = np.empty((a.shape[0], b.shape[1]), a.dtype)
        rows, columns = out.shape
        if rows >= columns:
            self.map(lambda part: np.matmul(a[part], b, out=out[part]), self.split(rows))
        else:
            self.map(lambda part: np.matmul(a, b[:, part], out=out[:, part]), self.split(columns))
        return out


class Buffers:
    """Named pieces of memory that are used again and again; every thread has its own."""

    def __init__(self) -> None:
        self._local = threading.local()

    def take(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array of a shape, with whatever is in it; it is valid until the same name is taken again."""
        size = math.prod(shape)
        memory: dict[str, np.ndarray] = self._local.__dict__
        if name not in memory or memory[name].size < size or memory[name].dtype != dtype:
            memory[name] = np.empty(size, dtype)
        return memory[name][:size].reshape(shape)


SERIAL = Threads(1)
"""The caller's own thread."""
