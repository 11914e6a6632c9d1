"""The CUDA kernels without a GPU: NVIDIA's compiler takes them, and compiled for the host they equal their formulas."""

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from quatnet.fast.gpu import cuda, kernels
from quatnet.quaternion import SIGN
from tests.fast.gpu import host_kernels
from tests.fast.gpu.kernel_cases import CASES, assert_case_equal, both

DTYPES = ("float32", "float64")
ARCHITECTURES = ("sm_80", "sm_90")
ALL = [value for value in vars(kernels).values() if isinstance(value, cuda.Kernel)]


# on the host


@pytest.fixture
def on_host():
    with host_kernels.installed():
        yield


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_a_kernel_equals_its_formula(case, dtype, on_host):
    expected, found = both(case, dtype, np)
    assert_case_equal(case, dtype, found, expected)


def test_every_kernel_has_a_case(monkeypatch, on_host):
    launched = set()
    launch = cuda.Kernel._launch
    monkeypatch.setattr(cuda.Kernel, "_launch", lambda kernel, *rest: launched.add(kernel) or launch(kernel, *rest))
    for case in CASES:
        both(case, "float64", np)
    assert launched == set(ALL)


def test_no_kernel_starts_for_nothing(on_host):
    assert kernels.max_pool(np.ones((0, 4, 4, 2)), 2).shape == (0, 2, 2, 2)
    assert kernels.relu_backward(np.ones((3, 0)), np.ones((3, 0))).shape == (3, 0)


@pytest.mark.parametrize("label", [-1, 3, 1 << 40])
def test_a_label_out_of_range_makes_the_loss_nan(on_host, label):
    losses, _ = kernels.cross_entropy(np.ones((2, 3)), np.array([1, label]))
    assert np.isnan(losses).tolist() == [False, True]


@pytest.mark.parametrize(
    "call",
    [
        lambda: kernels.relu_backward(np.ones(4), np.ones(3)),
        lambda: kernels.relu_backward(np.ones(4), np.ones(4, np.float32)),
        lambda: kernels.col2im(np.ones((1, 2, 2, 3, 3, 1)), np.ones((2, 4, 4, 1)), 1, 0),
        lambda: kernels.max_pool_backward(np.ones((1, 4, 4, 1)), np.ones((1, 2, 2, 1)), np.ones((1, 2, 1, 1)), 2),
        lambda: kernels.cross_entropy(np.ones((2, 3)), np.array([1])),
        lambda: kernels.fold(np.ones((8, 6)), SIGN),
        lambda: kernels.col2im(np.ones((1, 2, 2, 3, 3, 1)), np.ones((1, 4, 4, 2))[..., ::2], 1, 0),
        lambda: kernels.sgd(np.ones(3), np.ones(3), np.ones(2, bool), np.ones(3), rate=1, momentum=0, decay=0),
    ],
)
def test_a_kernel_is_not_launched_on_arrays_that_do_not_fit(on_host, call):
    with pytest.raises(ValueError, match="given"):
        call()


def test_host_arrays_have_no_kernels():
    assert not cuda.usable(np.ones(3))


def test_integers_have_no_kernels(on_host):
    assert cuda.usable(np.ones(3))
    assert not cuda.usable(np.ones(3, int))


def test_the_stand_in_finds_an_argument_of_another_type(on_host):
    kernel = host_kernels.RawKernel(kernels.RELU_BACKWARD.source(*cuda.FLOATS), "relu_backward")
    y = np.ones(3, np.float32)
    kernel((1,), (32, 8), (np.int64(3), y, y, y))
    with pytest.raises(AssertionError, match="float64 given, float32 declared"):
        kernel((1,), (32, 8), (np.int64(3), y, y, np.ones(3)))
    with pytest.raises(AssertionError, match="int32 given, int64 declared"):
        kernel((1,), (32, 8), (np.int32(3), y, y, y))


# with NVIDIA's compiler


@pytest.fixture(scope="module")
def nvrtc():
    """NVIDIA's run-time compiler, from its wheel."""
    parent = importlib.util.find_spec("nvidia")
    package = parent and importlib.util.find_spec("nvidia.cuda_nvrtc")
    if not package:
        pytest.skip("nvidia-cuda-nvrtc-cu12 is not installed")
    (folder,) = package.submodule_search_locations
    return ctypes.CDLL(str(Path(folder) / "lib" / "libnvrtc.so.12"))


def compile_cuda(nvrtc, source, architecture):
    """Compile for one kind of GPU, and return the status and what the compiler says."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None) == 0
    options = [f"--gpu-architecture={architecture}".encode(), *(option.encode() for option in cuda.OPTIONS)]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log.value.decode()


@pytest.mark.nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvidias_compiler_takes_every_source(nvrtc, architecture):
    for kernel in ALL:
        for dtype in cuda.FLOATS:
            for pixel in cuda.C_TYPES if kernel is kernels.READ_IMAGES else cuda.FLOATS[:1]:
                assert compile_cuda(nvrtc, kernel.source(dtype, pixel), architecture) == (0, "")


@pytest.mark.nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvidias_compiler_refuses_a_source_with_a_mistake(nvrtc, architecture):
    source = kernels.RELU_BACKWARD.source(*cuda.FLOATS).replace("dy[k]", "dy[z]")
    status, log = compile_cuda(nvrtc, source, architecture)
    assert status != 0
    assert '"z" is undefined' in log
