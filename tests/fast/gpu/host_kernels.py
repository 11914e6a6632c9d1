"""A stand-in for CuPy that compiles CUDA kernels for the host and runs their threads one after the other.

It serves kernels without barriers. What a kernel is given must have the types that it declares.
"""

import ctypes
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from quatnet.fast.gpu import cuda, kernels

COMPILER = shutil.which("g++") or shutil.which("c++")
C_TYPES = {
    "long long": np.int64,
    "int": np.int32,
    "float": np.float32,
    "double": np.float64,
    "bool": np.bool_,
    "unsigned char": np.uint8,
}
BEFORE = """
#include <cmath>
#include <cstddef>
#include <utility>
using std::exp; using std::log; using std::sqrt;
#define __global__
#define __constant__ static const
static struct { unsigned x, y; } blockIdx, blockDim, threadIdx;
template <class... A, std::size_t... I> void call(void (*kernel)(A...), void** a, std::index_sequence<I...>) {
    kernel(*(A*)a[I]...);
}
template <class... A> void call(void (*kernel)(A...), void** a) { call(kernel, a, std::index_sequence_for<A...>{}); }
"""
AFTER = """
extern "C" void launch(unsigned blocks, unsigned x, unsigned y, void** arguments) {
    blockDim = {x, y};
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
        for (threadIdx.y = 0; threadIdx.y < y; threadIdx.y++)
            for (threadIdx.x = 0; threadIdx.x < x; threadIdx.x++) call(KERNEL, arguments);
}
"""


class RawKernel:
    """A kernel on host arrays, called as CuPy calls its own."""

    def __init__(self, code, name, options=()):
        declared = re.search(rf"void {name}\((.*?)\)", code, flags=re.DOTALL)[1]
        names = {alias: c_type for c_type, alias in re.findall(r"typedef ([\w ]+) (\w+);", code)}
        self._parameters = []
        for parameter in declared.split(","):
            c_type, pointer = re.fullmatch(r"\s*(?:const )?([\w ]+?)(\*?) \w+", parameter).groups()
            self._parameters.append((np.dtype(C_TYPES[names.get(c_type, c_type)]), bool(pointer)))
        self._launch = _compile(BEFORE + code + AFTER.replace("KERNEL", name))

    def __call__(self, grid, block, arguments):
        assert min(*grid, *block) > 0
        for argument, (dtype, pointer) in zip(arguments, self._parameters, strict=True):
            assert argument.dtype == dtype, f"{argument.dtype} given, {dtype} declared"
            assert isinstance(argument, np.ndarray) == pointer
            assert argument.flags.c_contiguous
        values = [
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else np.ctypeslib.as_ctypes(np.asarray(a))
            for a in arguments
        ]
        self._launch(*grid, *block, (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values)))


def _compile(code):
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernel.so"
        options = ["-x", "c++", "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-w"]
        subprocess.run([COMPILER, *options, "-o", str(library), "-"], input=code, text=True, check=True)
        return ctypes.CDLL(str(library)).launch


library = ModuleType("library")
library.RawKernel = RawKernel
library.empty = np.empty
library.ascontiguousarray = np.ascontiguousarray


@contextmanager
def installed():
    """Let host arrays go through the kernels inside a `with` block."""
    if COMPILER is None:
        pytest.skip("no C++ compiler is here")
    with pytest.MonkeyPatch.context() as patch:
        for module in (cuda, kernels):
            patch.setattr(module, "array_module", lambda x: library)
        yield
