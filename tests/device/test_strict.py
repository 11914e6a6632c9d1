"""The stand-in refuses what CuPy refuses or lacks, and sees what waits for the device and what is copied to it."""

import copy
import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from quatnet.backend import array_module, gpu_problem, select, to_device, to_host
from tests.device.strict import RECORD, RefusedError, WaitingError, installed, ndarray, no_synchronisation


@pytest.fixture
def cupy():
    with installed() as library:
        yield library


@pytest.fixture
def script():
    path = Path(__file__).parents[2] / "scripts" / "record_cupy_functions.py"
    if not path.is_file():
        pytest.skip("needs the repository's scripts folder")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def host_23():
    return np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def device_23(cupy, host_23):
    return cupy.asarray(host_23)


def same(found, expected):
    """Say whether a device array has exactly the entries and the dtype of a NumPy array."""
    assert type(found) is ndarray
    return found.dtype == expected.dtype and np.array_equal(found.get(), expected)


# What it is


def test_the_engine_finds_the_stand_in_and_its_probe_accepts_it(cupy):
    assert gpu_problem() is None
    assert select("gpu") is select("gpu:0") is select("auto") is cupy
    assert array_module(cupy.zeros(2)) is cupy


def test_after_the_block_everything_is_as_before(monkeypatch):
    for before in ("the real one", None):
        monkeypatch.setitem(sys.modules, "cupy", before)
        with installed():
            assert gpu_problem() is None
        assert sys.modules["cupy"] is before
    assert gpu_problem() is not None
    monkeypatch.delitem(sys.modules, "cupy")
    with installed():  # whose end forgets the answer of the probe, too
        pass
    assert "cupy" not in sys.modules


def test_there_are_no_kernels():
    with installed() as cupy:
        assert not hasattr(cupy, "RawKernel")
        assert not hasattr(cupy, "ElementwiseKernel")


def test_an_array_comes_back_as_it_was_and_shares_nothing_with_the_host(cupy, host_23):
    there = to_device(host_23, cupy)
    back = to_host(there)
    back[0, 0] = host_23[1, 1] = 7
    assert same(there, np.arange(6, dtype=np.float32).reshape(2, 3))


def test_slices_and_single_entries_are_views(device_23):
    device_23[0][...] = 7
    device_23[1, 1][...] = 8
    device_23.T[2] += 1
    assert same(device_23, np.array([[7, 7, 8], [3, 8, 6]], np.float32))


def test_operators_are_numpys(device_23, host_23):
    for number in (2, 2.5, np.float32(2)):
        assert same(device_23 * number - 1 / (device_23 + number), host_23 * number - 1 / (host_23 + number))
    assert same(np.float32(2) * device_23, 2 * host_23)
    assert same((device_23 > 1) & ~(device_23 > 3), (host_23 > 1) & ~(host_23 > 3))
    assert same(-device_23 @ device_23.T, -host_23 @ host_23.T)


def test_updates_in_place_reach_every_view(device_23, host_23):
    row = device_23[1]
    device_23 *= device_23 > 1
    device_23 += np.float64(0.5)
    assert same(row, host_23[1] + np.float32(0.5))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "argmax", "any", "all"])
def test_reductions_are_arrays_of_no_dimensions(cupy, device_23, host_23, name):
    expected = np.asarray(getattr(host_23, name)())
    assert same(getattr(device_23, name)(), expected)
    assert same(getattr(cupy, name)(device_23), expected)


def test_comparisons_of_whole_arrays_are_arrays(cupy, device_23):
    assert same(cupy.allclose(device_23, device_23 + 1e-9), np.array(True))
    assert same(cupy.array_equal(device_23, device_23 + 1), np.array(False))


def test_new_memory_is_full_of_nan(cupy, device_23):
    for found in (cupy.empty((2, 2)), cupy.empty(3, np.float32), cupy.empty_like(device_23)):
        assert cupy.isnan(found).all()


# What it refuses


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.array,
        lambda d: np.zeros((2, 3)).__setitem__(0, d[0]),
        lambda d: np.arange(6)[d[0] > 1],
        lambda d: np.testing.assert_array_equal(d, d),
        lambda d: np.float32(d[0, 0]),
    ],
)
def test_implicit_conversion_to_numpy_is_refused(device_23, convert):
    with pytest.raises(RefusedError, match="implicit conversion to a NumPy array"):
        convert(device_23)


@pytest.mark.parametrize("function", [np.sum, np.zeros_like, np.shape, lambda d: np.concatenate([d, d])])
def test_numpys_functions_are_refused(device_23, function):
    with pytest.raises(RefusedError, match=r"numpy\.\w+ on a device array"):
        function(device_23)


@pytest.mark.parametrize("ufunc", [np.exp, lambda d: np.add(d, 1), lambda d: np.add.reduce(d)])
def test_numpys_ufuncs_are_refused(device_23, ufunc):
    with pytest.raises(TypeError, match="does not support ufuncs"):
        ufunc(device_23)


@pytest.mark.parametrize(
    "mix",
    [
        lambda xp, d, h: d + h,
        lambda xp, d, h: h + d,
        lambda xp, d, h: d @ h.T,
        lambda xp, d, h: h > d,
        lambda xp, d, h: d.__iadd__(h),
        lambda xp, d, h: h.__iadd__(d),
        lambda xp, d, h: d + np.array(2.0),
        lambda xp, d, h: xp.maximum(d, h),
        lambda xp, d, h: xp.exp(h),
        lambda xp, d, h: xp.exp(d, out=h),
        lambda xp, d, h: xp.where(d > 1, d, h),
        lambda xp, d, h: xp.matmul(d, d.T, out=np.zeros((2, 2), np.float32)),
        lambda xp, d, h: xp.concatenate([d, h]),
        lambda xp, d, h: xp.einsum("ij,ij->i", d, h),
        lambda xp, d, h: xp.sum(h),
        lambda xp, d, h: xp.reshape(h, 6),
        lambda xp, d, h: xp.zeros_like(h),
        lambda xp, d, h: xp.take(d, np.array([0])),
        lambda xp, d, h: d.take(np.array([0])),
        lambda xp, d, h: d.sum(axis=0, out=h[0]),
        lambda xp, d, h: d.dot(h.T),
    ],
)
def test_host_arrays_are_refused_beside_device_arrays(cupy, device_23, host_23, mix):
    with pytest.raises(TypeError, match=r"NumPy array|device array|ufuncs"):
        mix(cupy, device_23, host_23)


@pytest.mark.parametrize("value", [np.ones((2, 3)), np.ones(3), [1, 2, 3]])
def test_host_arrays_and_lists_cannot_be_assigned(device_23, value):
    for key in (..., slice(None), 0):
        with pytest.raises(RefusedError, match=r"NumPy array|list"):
            device_23[key] = value


@pytest.mark.parametrize("index", [np.array([0, 1]), [0, 1], np.array([True, False]), (slice(None), np.array([0]))])
def test_host_arrays_and_lists_cannot_be_indices(device_23, index):
    with pytest.raises(RefusedError, match="a host array as an index"):
        device_23[index]
    with pytest.raises(RefusedError, match="a host array as an index"):
        device_23[index] = 0


def test_lists_are_no_operands(cupy, device_23):
    with pytest.raises(RefusedError, match="CuPy takes no list as an operand"):
        device_23.__add__([1, 2, 3])
    with pytest.raises(RefusedError, match="CuPy takes no tuple as an operand"):
        cupy.add(device_23, (1, 2, 3))
    with pytest.raises(RefusedError, match=r"cupy.sum: list given where a device array is needed"):
        cupy.sum([1, 2])


def test_a_device_array_is_no_shape(cupy):
    with pytest.raises(RefusedError, match="a device array given where numbers are needed"):
        cupy.zeros(cupy.arange(2))


@pytest.mark.parametrize(("dtype", "scalar"), [(np.float32, np.float64(2)), (np.int8, np.int64(2))])
def test_a_numpy_scalar_that_changes_the_dtype_is_refused(cupy, dtype, scalar):
    array = cupy.ones(2, dtype)
    for operation in (lambda: array * scalar, lambda: scalar * array, lambda: cupy.add(array, scalar)):
        with pytest.raises(RefusedError, match="changes the dtype in CuPy 14 and not in CuPy 13"):
            operation()


@pytest.mark.parametrize("name", ["put_along_axis", "apply_over_axes", "errstate", "insert", "ElementwiseKernel"])
def test_functions_that_cupy_lacks_are_refused(cupy, name):
    with pytest.raises(AttributeError, match=f"cupy has no {name}"):
        getattr(cupy, name)


@pytest.mark.parametrize("name", ["setflags", "setfield", "ctypes"])
def test_methods_that_cupy_lacks_are_refused(device_23, name):
    with pytest.raises(AttributeError, match=f"a device array has no {name}"):
        getattr(device_23, name)


def test_methods_of_ufuncs_are_refused(cupy):
    assert not hasattr(cupy.subtract, "at")


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, d: xp.exp(d, where=d > 0),
        lambda xp, d: xp.sum(d, where=d > 0),
        lambda xp, d: d.sum(where=d > 0),
        lambda xp, d: d.max(initial=0),
        lambda xp, d: xp.einsum("ij,kj->ik", d, d, out=xp.zeros((2, 2), np.float32)),
        lambda xp, d: xp.zeros(3, like=d),
        lambda xp, d: xp.exp(d, order="C"),
        lambda xp, d: xp.lib.stride_tricks.as_strided(d, (2,), (4,), writeable=False),
        lambda xp, d: d.astype(np.int32, casting="safe"),
    ],
)
def test_arguments_that_cupy_lacks_are_refused(cupy, device_23, call):
    with pytest.raises(RefusedError, match=r"CuPy has no argument (where|initial|out|like|order|writeable|casting);"):
        call(cupy, device_23)


def test_more_arguments_than_cupy_takes_are_refused(cupy, device_23):
    with pytest.raises(RefusedError, match=r"5 arguments given; CuPy takes \(a axis out keepdims\)"):
        cupy.max(device_23, 0, None, False, 0)
    with pytest.raises(RefusedError, match=r"4 arguments given; CuPy takes \(x1 x2 out \* casting dtype\)"):
        cupy.add(device_23, device_23, None, "no")


def test_more_than_one_entry_has_no_truth(device_23):
    with pytest.raises(ValueError, match="truth value of an array with more than one element is ambiguous"):
        bool(device_23)


@pytest.mark.parametrize("scalar", [float, int, complex, math.sqrt])
def test_only_arrays_of_no_dimensions_become_scalars(device_23, scalar):
    assert scalar(device_23[0, 1]) == 1
    with pytest.raises(TypeError, match="only arrays of no dimensions become scalars"):
        scalar(device_23[:1, 1])


def test_device_arrays_are_no_indices_of_the_host_and_no_keys(cupy):
    one = cupy.asarray(1)
    for use in (lambda: [1, 2][one], lambda: range(one), lambda: cupy.arange(3)[:one], lambda: {one}):
        with pytest.raises(TypeError):
            use()


def test_an_assignment_with_an_index_that_occurs_twice_is_refused(cupy, device_23):
    rows, columns = cupy.asarray([0, 1, 1]), cupy.asarray([2, 0, 2])
    device_23[rows, columns] = -1
    assert same(device_23, np.array([[0, 1, -1], [-1, 4, -1]], np.float32))
    with pytest.raises(RefusedError, match="an index occurs twice"):
        device_23[rows] = 0


def test_set_takes_host_arrays_of_its_own_dtype_and_shape(device_23, host_23):
    device_23.set(host_23 + 1)
    assert same(device_23, host_23 + 1)
    for other in (host_23.astype(np.float64), host_23[0], device_23):
        with pytest.raises(RefusedError, match="a NumPy array of the same dtype and shape is needed"):
            device_23.set(other)


# What waits, and what is copied


@pytest.mark.parametrize(
    "wait",
    [
        lambda xp, d: float(d[0, 0]),
        lambda xp, d: int(d[0, 0]),
        lambda xp, d: bool(d[0, 0]),
        lambda xp, d: complex(d[0, 0]),
        lambda xp, d: d[0, 0].item(),
        lambda xp, d: d.get(),
        lambda xp, d: xp.asnumpy(d),
        lambda xp, d: d.tolist(),
        lambda xp, d: repr(d),
        lambda xp, d: f"{d}",
        lambda xp, d: d[d > 1],
        lambda xp, d: d[d[:, 0] > 1],
        lambda xp, d: d.__setitem__(d > 1, 0),
        lambda xp, d: d.nonzero(),
        lambda xp, d: d.fill(d[0, 0]),
        lambda xp, d: xp.nonzero(d),
        lambda xp, d: xp.flatnonzero(d),
        lambda xp, d: xp.argwhere(d),
        lambda xp, d: xp.where(d > 1),
        lambda xp, d: xp.unique(d),
        lambda xp, d: xp.bincount(d[0].astype(np.int64)),
        lambda xp, d: xp.argpartition(d, 1),
        lambda xp, d: xp.repeat(d, [1, 2], axis=0),
    ],
)
def test_what_waits_is_an_error_where_waiting_is_not_allowed(cupy, device_23, wait):
    before = cupy.waits
    wait(cupy, device_23)
    assert cupy.waits > before
    with no_synchronisation(), pytest.raises(WaitingError, match="waits for the device"):
        wait(cupy, device_23)


@pytest.mark.parametrize(
    "work",
    [
        lambda xp, d: d.copy().fill(1),
        lambda xp, d: xp.where(d > 1, d, 0),
        lambda xp, d: xp.maximum(d, 0, out=d).sum(axis=1),
        lambda xp, d: d[xp.arange(2), xp.asarray([0, 2])],
        lambda xp, d: xp.lib.stride_tricks.as_strided(d, (2, 2), (4, 4)),
        lambda xp, d: [row.argmax() for row in d],
    ],
)
def test_what_does_not_wait_is_allowed(cupy, device_23, work):
    before = cupy.waits
    with no_synchronisation():
        work(cupy, device_23)
    assert cupy.waits == before


def test_waiting_is_allowed_again_after_the_block_and_after_an_error_in_it(device_23):
    with pytest.raises(RuntimeError, match="stop"), no_synchronisation():
        raise RuntimeError("stop")
    assert float(device_23.sum()) == 15


def test_copies_to_the_device_are_counted(cupy, host_23):
    there = cupy.asarray(host_23)
    cupy.asarray((1, 2, 3))
    cupy.array(2.0)
    there.set(host_23)
    assert cupy.uploads == 4
    cupy.asarray(there), cupy.array(there), cupy.zeros(3), cupy.full(3, 2.0), copy.copy(there)
    assert cupy.uploads == 4


# The record


def test_the_record_is_of_two_versions_of_cupy():
    versions = [source.split()[1].split(".")[0] for source in RECORD["recorded from"]]
    assert versions == ["13", "14"]


def test_the_record_has_the_traps_of_cupy():
    assert RECORD["functions"]["sum"] == "a axis dtype out keepdims"
    assert RECORD["functions"]["einsum"] == "subscripts *operands dtype optimize"
    assert RECORD["functions"]["matmul"] == "x1 x2 out"
    assert RECORD["methods"]["astype"] == "dtype order copy"
    assert "astype" in RECORD["csr_matrix"]
    assert "setdiag" in RECORD["csr_matrix"]


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("a axis * dtype", "a axis out * dtype kind", "a axis * dtype"),
        ("x bins weights density", "x bins density weights", "x bins * weights density"),
        ("x1 x2 out", "*args axes out", "x1 x2 out"),
        ("*shape order", "*shape order copy", "*shape order"),
        ("i", "j", "_"),
    ],
)
def test_the_record_keeps_the_arguments_that_both_versions_have(script, first, second, both):
    assert script.common(first, second) == both


def test_arguments_are_read_from_signatures_and_docstrings(script):
    def plain(a, axis=None, *, out=None): ...

    def documented(*args, **kwargs):
        """documented(subscripts, *operands, dtype=float, axes=(0, 1))

        More.
        """

    assert script.arguments(plain) == "a axis * out"
    assert script.arguments(documented) == "subscripts *operands dtype axes"
    assert script.arguments(np.add).split()[:2] == ["x1", "x2"]
