"""A strict stand-in for CuPy: NumPy arrays in a wrapper that refuses what a device array refuses or lacks.

`installed()` lets the engine find it as `cupy`. Functions, methods and their arguments are those of the real CuPy
(cupy_functions.json); the results are NumPy's, but every one is an array, of no dimensions if need be. Three things
are watched: what waits for the device (an error inside `no_synchronisation()`), how many arrays are copied to it
(`uploads`), and memory that was never written (`empty` is full of nan).

Some of what CuPy allows is refused, because it is a trap or against the rules of the house: NumPy's own functions on
device arrays and CuPy's functions on host arrays (each library hands them on to the other one), host arrays and lists
as indices (copied to the device without a word), NumPy scalars that change a dtype (CuPy 13 takes them as weak, 14
does not), and assignments with an index that occurs twice (which value wins is undefined).
"""

import json
import operator
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from quatnet.backend import gpu_problem

RECORD = json.loads(Path(__file__).with_name("cupy_functions.json").read_text("utf-8"))

WAITING = """
    argpartition argwhere average bincount compress delete extract flatnonzero histogram intersect1d item ix_ nanmax
    nonzero place putmask setdiff1d setxor1d tolist tril_indices trim_zeros triu_indices union1d unique unravel_index
"""
"""Functions and methods that may wait, as cupyx.allow_synchronize(False) shows in CuPy 14.2 on an emulated device."""

ARRAYS = "A a a1 ar ar1 arr arr1 array ary condition filt m prototype v x x1 y z"
"""First arguments that must be device arrays (those of ufuncs may be scalars)."""

BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
COMPARISONS = "eq ne lt le gt ge"
UNARY = "neg pos abs invert"
"""Python's operators on device arrays."""

SCALARS = (bool, int, float, complex, np.generic)


class RefusedError(TypeError):
    """What a device array refuses."""


class WaitingError(RuntimeError):
    """The host waited for the device inside `no_synchronisation()`."""


class Watch:
    """Whether the host may wait for the device now, how often it has, and how often it copied an array to it."""

    may_wait = True
    waits = 0
    uploads = 0


@contextmanager
def no_synchronisation():
    """Let everything that waits for the device raise `WaitingError`."""
    Watch.may_wait = False
    try:
        yield
    finally:
        Watch.may_wait = True


def wait(what):
    """Note that `what` waits for the device."""
    if not Watch.may_wait:
        raise WaitingError(f"{what} waits for the device")
    Watch.waits += 1


def device(result):
    """Wrap the arrays in a result of NumPy; a scalar becomes an array, as CuPy's reductions give it."""
    if isinstance(result, np.ndarray | np.generic):
        return ndarray(np.asarray(result))
    return type(result)(map(device, result)) if type(result) in (list, tuple) else result


def host(argument):
    """Unwrap the device arrays in an argument; host arrays are refused."""
    if isinstance(argument, np.ndarray):
        raise RefusedError(f"a NumPy array {argument.shape} is given where CuPy needs a device array: use to_device")
    if isinstance(argument, ndarray):
        return argument.on_host
    return type(argument)(map(host, argument)) if type(argument) in (list, tuple) else argument


def operands(what, *given):
    """Unwrap the operands of a ufunc: device arrays and scalars, none of which may decide the result's dtype alone."""
    for each in given:
        if not isinstance(each, (ndarray, np.ndarray, *SCALARS)):
            raise RefusedError(f"{what}: CuPy takes no {type(each).__name__} as an operand")
    dtypes = [each.dtype for each in given if isinstance(each, ndarray)]
    for each in given:
        if isinstance(each, np.generic) and dtypes and np.result_type(*dtypes, each.dtype) != np.result_type(*dtypes):
            raise RefusedError(f"{what}: a NumPy scalar, {each.dtype}, changes the dtype in CuPy 14 and not in CuPy 13")
    return [host(each) for each in given]


def check_arguments(what, names, args, kwargs):
    """Refuse arguments that CuPy's function lacks; `names` is an entry of the record."""
    by_position, star, _ = names.partition("*")
    if len(args) > len(by_position.split()) and (not star or "* " in names):
        raise RefusedError(f"{what}: {len(args)} arguments given; CuPy takes ({names})")
    if unknown := set(kwargs) - set(names.split()):
        raise RefusedError(f"{what}: CuPy has no argument {', '.join(sorted(unknown))}; it takes ({names})")


class ndarray:  # noqa: N801
    """A device array: it holds a NumPy array, and is none."""

    __slots__ = ("on_host",)
    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, on_host):
        self.on_host = on_host

    shape = property(lambda self: self.on_host.shape)
    dtype = property(lambda self: self.on_host.dtype)
    ndim = property(lambda self: self.on_host.ndim)
    size = property(lambda self: self.on_host.size)
    itemsize = property(lambda self: self.on_host.itemsize)
    nbytes = property(lambda self: self.on_host.nbytes)
    strides = property(lambda self: self.on_host.strides)
    T = property(lambda self: ndarray(self.on_host.T))

    def __getattr__(self, name):
        if name not in RECORD["methods"]:
            raise AttributeError(f"a device array has no {name} (CuPy lacks it, or the stand-in)")
        return partial(self._call, name)

    def _call(self, name, *args, **kwargs):
        check_arguments(f"ndarray.{name}", RECORD["methods"][name], args, kwargs)
        if name in WAITING.split():
            wait(name)
        kwargs = {key: host(value) for key, value in kwargs.items()}
        return device(getattr(self.on_host, name)(*map(host, args), **kwargs))

    def get(self, stream=None, order="C", out=None, blocking=True):
        wait("get")
        if (stream, out, blocking) != (None, None, True):
            raise RefusedError("get: the stand-in has no stream, out and blocking")
        return self.on_host.copy(order)

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray) or arr.dtype != self.dtype or arr.shape != self.shape:
            raise RefusedError("set: a NumPy array of the same dtype and shape is needed")
        Watch.uploads += 1
        self.on_host[...] = arr

    def fill(self, value):
        if isinstance(value, ndarray):
            wait("filling with a device array")
        self[...] = value

    def __array__(self, dtype=None, copy=None):
        raise RefusedError("implicit conversion to a NumPy array: use to_host")

    def __array_function__(self, function, types, args, kwargs):
        raise RefusedError(f"numpy.{function.__name__} on a device array: use array_module")

    def __len__(self):
        return len(self.on_host)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __bool__(self):
        wait("bool")
        return bool(self.on_host)

    def _scalar(self, kind):
        wait(kind.__name__)
        if self.ndim:
            raise RefusedError(f"{kind.__name__}: only arrays of no dimensions become scalars")
        return kind(self.on_host)

    def __float__(self):
        return self._scalar(float)

    def __int__(self):
        return self._scalar(int)

    def __complex__(self):
        return self._scalar(complex)

    def __repr__(self):
        wait("repr")
        return f"device {self.on_host!r}"

    def __getitem__(self, key):
        index = self._index(key)
        found = self.on_host[index]
        # An array of no dimensions is a view, too.
        return device(self.on_host[(*index, ...)] if isinstance(found, np.generic) and ... not in index else found)

    def __setitem__(self, key, value):
        index, (value,) = self._index(key), operands("assignment", value)
        if any(isinstance(part, np.ndarray) for part in index):
            places = np.arange(self.size).reshape(self.shape)[index].ravel()
            if len(np.unique(places)) < len(places):
                raise RefusedError("assignment: an index occurs twice, and which value wins is undefined on a GPU")
        self.on_host[index] = value

    def _index(self, key):
        key = key if isinstance(key, tuple) else (key,)
        for part in key:
            if isinstance(part, np.ndarray | list):
                raise RefusedError("a host array as an index: CuPy copies it to the device without a word")
            if isinstance(part, ndarray) and part.dtype == np.bool_:
                wait("a boolean mask as an index")
        return host(key)


def _add_operators():
    """Give device arrays Python's operators."""

    def binary(name):
        def forward(self, other):
            return device(getattr(operator, name)(*operands(name, self, other)))

        def reflected(self, other):
            return device(getattr(operator, name)(*operands(name, other, self)))

        return forward, reflected

    def in_place(name):
        def update(self, other):
            scalar = other.item() if isinstance(other, np.generic) else other
            self.on_host = getattr(operator, name)(*operands(name, self, scalar))
            return self

        return update

    for name in BINARY.split():
        forward, reflected = binary(f"__{name}__")
        setattr(ndarray, f"__{name}__", forward)
        setattr(ndarray, f"__r{name}__", reflected)
        setattr(ndarray, f"__i{name}__", in_place(f"__i{name}__"))
    for name in COMPARISONS.split():
        setattr(ndarray, f"__{name}__", binary(f"__{name}__")[0])
    for name in UNARY.split():
        unary = getattr(operator, f"__{name}__")
        setattr(ndarray, f"__{name}__", lambda self, unary=unary: device(unary(self.on_host)))


_add_operators()


class Library(ModuleType):
    """The module `cupy`. It has no ElementwiseKernel and no RawKernel: kernels cannot be run here, their formulas can.

    `waits` counts how often the host waited for the device, `uploads` the arrays copied to it.
    """

    ndarray = ndarray
    waits = property(lambda self: Watch.waits)
    uploads = property(lambda self: Watch.uploads)

    def __init__(self):
        super().__init__("cupy")
        self.__version__ = "stand-in"
        self.lib = SimpleNamespace(
            stride_tricks=SimpleNamespace(
                as_strided=partial(self._call, "lib.stride_tricks.as_strided", np.lib.stride_tricks.as_strided)
            )
        )
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(getDeviceCount=lambda: 1), Device=lambda index: SimpleNamespace(use=lambda: None)
        )

    def __getattr__(self, name):
        if name in RECORD["functions"]:
            return partial(self._call, name, getattr(np, name))
        if name in RECORD["values"]:
            return getattr(np, name)
        raise AttributeError(f"cupy has no {name} (CuPy lacks it, or the stand-in)")

    def _call(self, name, function, *args, **kwargs):
        names = RECORD["functions"][name]
        check_arguments(f"cupy.{name}", names, args, kwargs)
        if name in WAITING.split():
            wait(f"cupy.{name}")
        if isinstance(function, np.ufunc):
            args = operands(f"cupy.{name}", *args)
        else:
            first = names.partition(" ")[0]
            if args and first in ARRAYS.split() and not isinstance(args[0], ndarray):
                raise RefusedError(f"cupy.{name}: {type(args[0]).__name__} given where a device array is needed")
            if args and isinstance(args[0], ndarray) and first in ("shape", "start"):
                raise RefusedError(f"cupy.{name}: a device array given where numbers are needed")
            args = [host(each) for each in args]
        return device(function(*args, **{key: host(value) for key, value in kwargs.items()}))

    def asnumpy(self, a):
        return a.get() if isinstance(a, ndarray) else np.asarray(a)

    def asarray(self, a, dtype=None, order=None):
        if isinstance(a, ndarray):
            return device(np.asarray(a.on_host, dtype, order))
        Watch.uploads += 1
        return ndarray(np.array(a, dtype, order=order))

    def array(self, obj, dtype=None):
        return self.asarray(obj, dtype).copy()

    def empty(self, shape, dtype=float):
        on_host = np.empty(shape, dtype)
        on_host.fill(np.nan if on_host.dtype.kind in "fc" else 1)
        return ndarray(on_host)

    def empty_like(self, prototype, dtype=None):
        return self.empty(prototype.shape, dtype or prototype.dtype)

    def where(self, condition, x=None, y=None):
        if x is None and y is None:
            return self.nonzero(condition)
        return device(np.where(*operands("cupy.where", condition, x, y)))

    def repeat(self, a, repeats, axis=None):
        if not isinstance(repeats, int):
            wait("cupy.repeat, by more than one number,")
        return self._call("repeat", np.repeat, a, repeats, axis=axis)

    def allclose(self, a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
        return ndarray(np.asarray(np.allclose(host(a), host(b), rtol, atol, equal_nan)))

    def array_equal(self, a1, a2, equal_nan=False):
        return ndarray(np.asarray(np.array_equal(host(a1), host(a2), equal_nan)))


@contextmanager
def installed():
    """Let `import cupy` find a new stand-in inside a `with` block, and the engine probe it."""
    library = Library()
    Watch.waits = Watch.uploads = 0
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "cupy", library)
            gpu_problem.cache_clear()
            yield library
    finally:
        gpu_problem.cache_clear()
