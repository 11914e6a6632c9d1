"""All parameters of a network as one flat array each: values, gradients, masks; layers hold named views.

One contiguous array makes the optimizer a few passes over memory, global pruning one selection, and a checkpoint a
handful of arrays (docs/design.md, section 4).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from types import ModuleType

import numpy as np

from quatnet.backend import Array, to_device, to_host

FEW = 0.4
"""Part of all entries that, for optimizers and layers, are few enough to be worked on one by one."""


class Parameter:
    """A named weight or bias: views of equal shape on its value, gradient and mask.

    Attributes
    ----------
    value, gradient : float arrays. A layer's backward pass overwrites the gradient.
    mask : bool array, False where a weight has been pruned; read-only, `Parameters.set_mask` writes it. Only `prunable`
        parameters (weights) lose entries.
    kept : on the CPU, where few entries are left, their positions in the flattened parameter; else None.
    """

    def __init__(self, shape: tuple[int, ...], *, prunable: bool) -> None:
        self.shape = shape
        self.prunable = prunable
        self.value: Array = np.zeros(shape, np.float32)
        self.gradient: Array = np.zeros(shape, np.float32)
        self.mask: Array = np.ones(shape, np.bool_)
        self.kept: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape))

    def replica(self) -> Parameter:
        """Return a parameter that shares value and mask and has a gradient of its own."""
        other = copy.copy(self)
        other.gradient = np.zeros_like(self.gradient)
        other.kept = None  # it would not follow the mask
        return other

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, prunable={self.prunable})"


class Parameters(Mapping[str, Parameter]):
    """An ordered mapping from name to `Parameter`, whose arrays are views of the flat arrays of this object.

    Attributes
    ----------
    value, gradient : (size,) float arrays of `dtype`.
    mask : (size,) bool array, read-only on the CPU; `set_mask` writes it.
    prunable : (size,) bool host array, True for every entry that pruning may remove.
    kept : on the CPU, where few entries are left, their positions in the flat arrays; else None.
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
        self.mask: Array = xp.ones(start, np.bool_)
        self.prunable = np.zeros(start, np.bool_)
        self.kept: np.ndarray | None = None
        for name, parameter in self._named.items():
            part = self._slices[name]
            self.prunable[part] = parameter.prunable
            self.value[part] = to_device(to_host(parameter.value).ravel(), xp)
            parameter.value = self.value[part].reshape(parameter.shape)
            parameter.gradient = self.gradient[part].reshape(parameter.shape)
            parameter.mask = self.mask[part].reshape(parameter.shape)
            parameter.kept = None
        self._protect_masks(True)

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
        """Overwrite the mask with a flat host array of bools and zero the pruned values."""
        if mask.shape != (self.size,) or mask.dtype != np.bool_:
            raise ValueError(f"mask: {mask.dtype} {mask.shape} given; bool ({self.size},) is needed")
        if not mask[~self.prunable].all():
            raise ValueError("mask: a bias is masked; only weights can be pruned")
        self._protect_masks(False)
        self.mask[...] = to_device(mask, self.xp)
        self._protect_masks(True)
        self.value *= self.mask
        if self.xp is np:
            self.kept = _few_kept(mask)
            for name, parameter in self.items():
                parameter.kept = _few_kept(mask[self._slices[name]])

    def _protect_masks(self, protect: bool) -> None:
        """On the CPU, let masks be written by `set_mask` only: what is derived from them has to follow."""
        if self.xp is np:
            self.mask.flags.writeable = not protect
            for parameter in self.values():
                parameter.mask.flags.writeable = not protect

    def count_kept(self) -> int:
        """Return how many weights remain; biases are not counted."""
        return int(to_host(self.mask)[self.prunable].sum())


def _few_kept(mask: np.ndarray) -> np.ndarray | None:
    """Return the positions of the entries left of a flat mask, or None if they are more than a few."""
    return np.flatnonzero(mask) if np.count_nonzero(mask) < FEW * mask.size else None
