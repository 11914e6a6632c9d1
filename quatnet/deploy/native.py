"""An exported C program, compiled on this machine and called from Python: to measure it, and to check it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from quatnet.errors import RunError, UsageError


class Native:
    """A compiled network. It has one set of buffers: one call at a time."""

    def __init__(self, library: Path, name: str, classes: int) -> None:
        """Load the shared library of a network called `name`."""
        self._run = getattr(ctypes.CDLL(str(library)), f"{name}_run_float")
        self._run.argtypes, self._run.restype = [ctypes.c_void_p, ctypes.c_void_p], None
        self._classes = classes

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits (n, classes) of normalised images (n, h, w, c), one after the other."""
        logits, run = self.prepare(inputs)
        run()
        return logits

    def prepare(self, inputs: np.ndarray) -> tuple[np.ndarray, Callable[[], object]]:
        """Return the logits that a function will write, and that function: it does nothing but call C."""
        inputs = np.ascontiguousarray(inputs, np.float32)
        logits = np.empty((len(inputs), self._classes), np.float32)
        calls = [
            # These pointers keep their arrays alive.
            partial(self._run, *(array.ctypes.data_as(ctypes.c_void_p) for array in pair))
            for pair in zip(inputs, logits, strict=True)
        ]

        def run() -> None:
            for call in calls:
                call()

        return logits, calls[0] if len(calls) == 1 else run


def compiler() -> str | None:
    """Return the C compiler of this machine, `$CC` or cc, if there is one."""
    return shutil.which(os.environ.get("CC", "cc"))


def build(source: Path, name: str, classes: int) -> Native:
    """Compile `source` for this processor, with optimisation, beside it, and load it.

    Raises UsageError without a compiler, RunError if it fails.
    """
    program = compiler()
    if program is None:
        raise UsageError("a C compiler is needed: cc is not installed, and the variable CC names none")
    library = source.with_suffix(".so")
    command = [program, "-std=c99", "-O3", "-march=native", "-shared", "-fPIC", "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{source}: {program} failed: {' '.join(done.stderr.split())[:200]}")
    return Native(library, name, classes)
