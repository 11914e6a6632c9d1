"""The one seam to the array library: NumPy on the CPU, CuPy on the GPU. No other file imports cupy.

Everything above this file asks `array_module(x)` for the library that owns an array and crosses the border between
host and device only through `to_host` and `to_device`.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from quatnet.errors import UsageError

Array: TypeAlias = Any
"""A NumPy or CuPy array."""

DEVICES = ("auto", "cpu", "gpu")


def array_module(x: Array) -> ModuleType:
    """Return the library that owns `x`: numpy or cupy."""
    if isinstance(x, np.ndarray):
        return np
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")


def to_host(x: Array) -> np.ndarray:
    """Copy a device array to the host; a NumPy array is returned as it is."""
    return x if isinstance(x, np.ndarray) else np.asarray(x.get())


def to_device(x: np.ndarray, xp: ModuleType) -> Array:
    """Copy a host array to the device of `xp`; for NumPy it is returned as it is."""
    return x if xp is np else xp.asarray(x)


@functools.cache
def gpu_problem() -> str | None:
    """Say why no GPU can be used, or None when one works.

    The probe does real work (allocate, compile a kernel, multiply, read back): an installed CuPy without a driver or
    without a compiler fails only then, with exceptions of many types.
    """
    try:
        import cupy
    except Exception as error:
        return f"CuPy cannot be imported ({type(error).__name__}: {_first_line(error)})"
    try:
        x = cupy.arange(4, dtype=cupy.float32).reshape(2, 2)
        total = float(((x @ x) * 2).sum())
    except Exception as error:
        return f"CuPy {cupy.__version__} finds no working GPU ({type(error).__name__}: {_first_line(error)})"
    return None if total == 44.0 else f"CuPy computes wrong results on this GPU (44 expected, {total} found)"


def select(device: str) -> ModuleType:
    """Return the array library for `device`: `auto` (the GPU when one works), `cpu`, `gpu` or `gpu:K`.

    Raises
    ------
    UsageError
        If the name is invalid, or a GPU is asked for and cannot be used.
    """
    kind, colon, index = device.partition(":")
    if kind not in DEVICES or (colon and not (kind == "gpu" and index.isdecimal())):
        raise UsageError(f"{device!r} given; allowed are auto, cpu, gpu and gpu:K", "device")
    if kind == "cpu" or (kind == "auto" and gpu_problem() is not None):
        return np
    if (problem := gpu_problem()) is not None:
        raise UsageError(f"{device} given, but {problem}; cpu works everywhere", "device")
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    if index and int(index) >= count:
        raise UsageError(f"{device} given; this machine has {count} GPU(s), numbered from 0", "device")
    cupy.cuda.Device(int(index or 0)).use()
    return cupy  # type: ignore[no-any-return]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
