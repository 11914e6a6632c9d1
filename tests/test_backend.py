"""The seam to the array library, on machines without a GPU; a stand-in plays the installed CuPy that fails."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from quatnet import backend
from quatnet.backend import array_module, gpu_problem, select, to_device, to_host
from quatnet.errors import UsageError


@pytest.fixture
def forgotten_probe():
    """The answer of the probe is kept for the whole process; here it is asked anew, before and after."""
    gpu_problem.cache_clear()
    yield
    gpu_problem.cache_clear()


def standing_in(device_count=1, factor=1.0, error=None):
    """A module that answers the probe like CuPy on a GPU that works, computes wrong results, or fails."""
    cupy = ModuleType("cupy")
    cupy.__version__ = "14.2.0"
    cupy.float32 = np.float32
    cupy.used = []

    def arange(*arguments, **options):
        if error is not None:
            raise error
        return factor * np.arange(*arguments, **options)

    class Runtime:
        @staticmethod
        def getDeviceCount():  # noqa: N802
            return device_count

    class Device:
        def __init__(self, index):
            self.index = index

        def use(self):
            cupy.used.append(self.index)

    cupy.arange = arange
    cupy.cuda = ModuleType("cupy.cuda")
    cupy.cuda.runtime, cupy.cuda.Device = Runtime, Device
    return cupy


@pytest.fixture
def install(monkeypatch, forgotten_probe):
    """Install a stand-in for CuPy for one test; None means that CuPy cannot be imported."""

    def install_module(cupy):
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        gpu_problem.cache_clear()
        return cupy

    return install_module


@pytest.mark.parametrize(
    "device", ["tpu", "", "cuda", "GPU", "gpu0", "gpu:x", "gpu:-1", "gpu:", "cpu:", "cpu:0", "auto:1"]
)
def test_an_unknown_device_is_an_error_that_lists_the_allowed_ones(device):
    with pytest.raises(UsageError) as caught:
        select(device)
    assert str(caught.value) == f"device: {device!r} given; allowed are auto, cpu, gpu and gpu:K"


def test_cpu_is_numpy():
    assert select("cpu") is np


def test_auto_falls_to_numpy_without_cupy(install):
    install(None)
    assert select("auto") is np


@pytest.mark.parametrize("device", ["gpu", "gpu:0"])
def test_a_gpu_that_cannot_be_used_is_an_error_that_says_why_and_what_to_do(install, device):
    install(None)
    with pytest.raises(UsageError, match=f"device: {device} given, but CuPy cannot be .*; cpu works everywhere"):
        select(device)


def test_the_reason_without_cupy_is_that_it_cannot_be_imported(install):
    install(None)
    assert gpu_problem().startswith("CuPy cannot be imported (ModuleNotFoundError: ")


def test_the_reason_without_a_device_names_cupys_version_and_the_first_line_of_its_error(install):
    install(standing_in(error=RuntimeError("no CUDA-capable device is detected\nand more lines")))
    expected = "CuPy 14.2.0 finds no working GPU (RuntimeError: no CUDA-capable device is detected)"
    assert gpu_problem() == expected
    assert select("auto") is np


def test_an_error_without_text_is_still_a_reason(install):
    install(standing_in(error=OSError()))
    assert gpu_problem() == "CuPy 14.2.0 finds no working GPU (OSError: no message)"


def test_a_gpu_that_computes_wrong_results_is_not_used(install):
    install(standing_in(factor=2.0))
    assert gpu_problem() == "CuPy computes wrong results on this GPU (44 expected, 176.0 found)"
    assert select("auto") is np


@pytest.mark.parametrize(("device", "index"), [("auto", 0), ("gpu", 0), ("gpu:0", 0), ("gpu:1", 1)])
def test_a_working_gpu_is_used_under_its_number(install, device, index):
    cupy = install(standing_in(device_count=2))
    assert gpu_problem() is None
    assert select(device) is cupy
    assert cupy.used == [index]


def test_a_gpu_number_that_does_not_exist_is_an_error_that_counts_them(install):
    install(standing_in(device_count=2))
    with pytest.raises(UsageError, match=r"device: gpu:2 given; this machine has 2 GPU\(s\), numbered from 0"):
        select("gpu:2")


def test_the_library_of_a_numpy_array_is_numpy():
    assert array_module(np.zeros(2)) is np
    assert array_module(np.zeros(())) is np


def test_the_library_of_a_cupy_array_is_cupy(install):
    cupy = install(standing_in())
    cupy.ndarray = type("ndarray", (), {})
    assert array_module(cupy.ndarray()) is cupy


@pytest.mark.parametrize(("value", "name"), [([1.0], "list"), (1.0, "float"), (None, "NoneType"), ("x", "str")])
def test_anything_but_an_array_is_refused_by_its_type(value, name):
    with pytest.raises(TypeError, match=f"expected a NumPy or CuPy array, got {name}"):
        array_module(value)


def test_on_the_cpu_arrays_cross_the_border_without_a_copy():
    x = np.arange(3.0)
    assert to_host(x) is x
    assert to_device(x, np) is x


def test_no_other_file_imports_cupy():
    files = Path(backend.__file__).parent.rglob("*.py")
    importing = [path.name for path in files if re.search(r"^\s*(import|from) cupy", path.read_text("utf-8"), re.M)]
    assert importing == ["backend.py"]
