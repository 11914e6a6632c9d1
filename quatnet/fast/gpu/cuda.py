"""CUDA kernels from their source: compiled once for each dtype and device library, launched on rows or on entries.

A kernel works on the rows of an array: a row has the 32 lanes of a warp, which take neighbouring entries of it, and
eight rows are a block.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from numbers import Integral, Real
from types import ModuleType
from typing import Any

import numpy as np

from quatnet.backend import Array, array_module

LANES, ROWS = 32, 8
OPTIONS = ("--fmad=false",)
"""Compiler options: a product and a sum are rounded one after the other, as in NumPy."""

C_TYPES = {np.dtype(name): c for name, c in (("float32", "float"), ("float64", "double"), ("uint8", "unsigned char"))}
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

PRELUDE = """
#define ROW (blockIdx.x * (long long)blockDim.y + threadIdx.y)
#define ENTRY (ROW * blockDim.x + threadIdx.x)
#define FOR_LANES(k, count) for (int k = threadIdx.x; k < (count); k += blockDim.x)
"""


def usable(x: Array) -> bool:
    """Say whether there are kernels for `x`: for floats, where the array library can compile CUDA."""
    return hasattr(array_module(x), "RawKernel") and x.dtype in FLOATS


@dataclass(frozen=True)
class Kernel:
    """One kernel: a function whose first parameter is the count of its rows or entries.

    In its code T stands for the dtype of the floats, PIXEL for that of stored images.
    """

    code: str

    @property
    def name(self) -> str:
        """The name of the function."""
        return str(re.findall(r"void (\w+)\(", self.code)[0])

    def source(self, dtype: np.dtype, pixel: np.dtype) -> str:
        """Return what the compiler gets."""
        return f"typedef {C_TYPES[dtype]} T;\ntypedef {C_TYPES[pixel]} PIXEL;\n{PRELUDE}\n{self.code}"

    def on_rows(self, rows: int, dtype: np.dtype, *arguments: Any, pixel: np.dtype = FLOATS[0]) -> None:
        """Launch it on `rows` rows; T is `dtype`, PIXEL `pixel`, and the arguments follow the count."""
        self._launch(-(-rows // ROWS), rows, dtype, pixel, arguments)

    def on_entries(self, size: int, dtype: np.dtype, *arguments: Any) -> None:
        """Launch it on `size` entries, a lane for each, whatever row it is in."""
        self._launch(-(-size // (ROWS * LANES)), size, dtype, FLOATS[0], arguments)

    def _launch(self, blocks: int, count: int, dtype: np.dtype, pixel: np.dtype, arguments: tuple[Any, ...]) -> None:
        """Launch it with its arguments: arrays as they are, integers as int, other numbers as T."""
        if blocks == 0:
            return
        typed = [
            np.int32(a) if isinstance(a, Integral) else dtype.type(a) if isinstance(a, Real) else a for a in arguments
        ]
        compiled = _compiled(array_module(arguments[0]), self, dtype, pixel)
        compiled((blocks,), (LANES, ROWS), (np.int64(count), *typed))


@functools.cache
def _compiled(xp: ModuleType, kernel: Kernel, dtype: np.dtype, pixel: np.dtype) -> Any:
    return xp.RawKernel(kernel.source(dtype, pixel), kernel.name, options=OPTIONS)


def operand(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> Array:
    """Return an array as a kernel reads it, in one piece; a ValueError unless it has this dtype and shape."""
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"an array of {array.dtype} {array.shape} given; {dtype} {shape} is needed")
    return array_module(array).ascontiguousarray(array)


def result(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> Array:
    """Return an array that a kernel writes; a ValueError unless it is in one piece."""
    if not array.flags.c_contiguous:
        raise ValueError("a non-contiguous array given; a kernel cannot write into it")
    return operand(array, dtype, shape)
