"""All parameters of a network as one flat array each: values, gradients, masks; layers hold named views.

One contiguous array makes the optimizer a few passes over memory, global pruning one selection, and a checkpoint a
handful of arrays (docs/design.md, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import ModuleType

import numpy as np

from quatnet.backend import Array, array_module, to_device, to_host


class Parameter:
    """A named weight or bias: views of equal shape on its value, gradient and mask.

    It has a shape before it has arrays: they are made when they are first asked for, or when a network takes it.

    Attributes
    ----------
    initial : the value at first, a number or a host array that broadcasts to the shape.
    value, gradient : float arrays. A layer's backward pass overwrites the gradient.
    mask : bool array, False where a weight has been pruned. Masks are never written: `Parameters.set_mask` puts new
        ones in their place. Only `prunable` parameters (weights) lose entries.
    """

    def __init__(self, shape: tuple[int, ...], *, prunable: bool, initial: float | np.ndarray = 0.0) -> None:
        self.shape = shape
        self.prunable = prunable
        self.initial = initial

    @cached_property
    def value(self) -> Array:
        """The value."""
        return np.full(self.shape, self.initial, np.float32)

    @cached_property
    def gradient(self) -> Array:
        """The gradient."""
        return np.zeros(self.shape, np.float32)

    @cached_property
    def mask(self) -> Array:
        """The mask."""
        return np.ones(self.shape, np.bool_)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def reset(self) -> None:
        """Return to the initial value."""
        self.value[...] = array_module(self.value).asarray(self.initial, dtype=self.value.dtype)

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, prunable={self.prunable})"


class Parameters(Mapping[str, Parameter]):
    """An ordered mapping from name to `Parameter`, whose arrays are views of the flat arrays of this object.

    Attributes
    ----------
    value, gradient : (size,) float arrays of `dtype`.
    mask : (size,) bool array, read-only on the CPU; `set_mask` puts a new one in its place.
    prunable : (size,) bool host array, True for every entry that pruning may remove.
    """

    def __init__(self, named: Mapping[str, Parameter], dtype: np.dtype, xp: ModuleType = np) -> None:
        self._named = dict(named)
        self._slices: dict[str, slice] = {}
        start = 0
        for name, parameter in self._named.items():
            self._slices[name] = slice(start, start + parameter.size)
            start += parameter.size
        self.dtype = dtype
        self.xp = xp
        self.value: Array = xp.zeros(start, dtype)
        self.gradient: Array = xp.zeros(start, dtype)
        self.prunable = np.zeros(start, np.bool_)
        for name, parameter in self._named.items():
            part = self._slices[name]
            self.prunable[part] = parameter.prunable
            self.value[part] = to_device(to_host(parameter.value).ravel(), xp)
            parameter.value = self.value[part].reshape(parameter.shape)
            parameter.gradient = self.gradient[part].reshape(parameter.shape)
        self._put_mask(np.ones(start, np.bool_))

    def __getitem__(self, name: str) -> Parameter:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    @property
    def size(self) -> int:
        """Number of all parameters, biases included."""
        return int(self.value.size)

    def slice(self, name: str) -> slice:
        """Return where the parameter `name` lies in the flat arrays."""
        return self._slices[name]

    def by_name(self) -> dict[str, np.ndarray]:
        """Return copies of all values as host arrays, by name."""
        return {name: to_host(p.value).copy() for name, p in self.items()}

    def check(self, values: Mapping[str, np.ndarray]) -> None:
        """Raise a ValueError if a name is missing or unknown or a shape differs."""
        if given_and_needed := set(values) ^ set(self):
            raise ValueError(f"values: {', '.join(sorted(given_and_needed))} missing or unknown")
        for name, p in self.items():
            if values[name].shape != p.shape:
                raise ValueError(f"values: {name} has shape {values[name].shape}; {p.shape} is needed")

    def load(self, values: Mapping[str, np.ndarray]) -> None:
        """Overwrite all values with host arrays by name, then zero the pruned ones.

        Raises ValueError, and changes nothing, if a name is missing or unknown or a shape differs.
        """
        self.check(values)
        self.set_value(np.concatenate([values[name].ravel() for name in self]))

    def set_value(self, value: np.ndarray) -> None:
        """Overwrite all values with a flat host array, then zero the pruned ones."""
        self.value[...] = to_device(value.astype(self.dtype, copy=False), self.xp)
        self.value *= self.mask

    def set_mask(self, mask: np.ndarray) -> None:
        """Take over a mask, a flat host array of bools, and zero the pruned values."""
        if mask.shape != (self.size,) or mask.dtype != np.bool_:
            raise ValueError(f"mask: {mask.dtype} {mask.shape} given; bool ({self.size},) is needed")
        if not mask[~self.prunable].all():
            raise ValueError("mask: a bias is masked; only weights can be pruned")
        self._put_mask(mask.copy())
        self.value *= self.mask

    def _put_mask(self, mask: np.ndarray) -> None:
        mask.flags.writeable = False
        self.mask: Array = to_device(mask, self.xp)
        for name, parameter in self.items():
            parameter.mask = self.mask[self._slices[name]].reshape(parameter.shape)

    def count_kept(self) -> int:
        """Return how many weights remain; biases are not counted."""
        return int(to_host(self.mask)[self.prunable].sum())
