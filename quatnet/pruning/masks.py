"""Masks: which weights are left, as one scipy.sparse matrix per weight.

The stored positions of a matrix are the weights that are left. Its columns are the last axis of the weight (outputs);
all other axes are flattened into its rows: (in, out) for dense layers, (kh kw in, out) for convolutions, and the four
components of a quaternion weight one below the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy import sparse

from quatnet.backend import Array, array_module, sparse_to_device, to_host
from quatnet.errors import RunError
from quatnet.files import read_npz, write_npz
from quatnet.nn.parameters import Parameter, Parameters


class Masks(Mapping[str, sparse.csr_array]):
    """The masks of all prunable weights of a network, by the weight's name, in the network's order.

    Immutable. `shapes` holds the shapes of the weights.
    """

    def __init__(self, masks: Mapping[str, np.ndarray]) -> None:
        """Take bool arrays in the shapes of the weights."""
        self.shapes = {name: mask.shape for name, mask in masks.items()}
        self._matrices = {name: sparse.csr_array(_matrix(mask)) for name, mask in masks.items()}

    @classmethod
    def of(cls, parameters: Parameters) -> Masks:
        """Return the masks that a network's weights have now."""
        return cls({name: to_host(p.mask) for name, p in parameters.items() if p.prunable})

    def __getitem__(self, name: str) -> sparse.csr_array:
        return self._matrices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._matrices)

    def __len__(self) -> int:
        return len(self._matrices)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Masks):
            return NotImplemented
        return self.shapes == other.shapes and self <= other <= self

    __hash__ = None  # type: ignore[assignment]

    def __le__(self, other: Masks) -> bool:
        """Say whether every weight left here is left in `other`."""
        return self.intersect(other).count() == self.count()

    def count(self) -> int:
        """Return how many weights are left."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Return how many entries of each weight are left."""
        return {name: int(matrix.nnz) for name, matrix in self._matrices.items()}

    def densities(self) -> dict[str, float]:
        """Return the part of each weight that is left, 0 to 1."""
        return {name: matrix.nnz / max(1, np.prod(self.shapes[name])) for name, matrix in self._matrices.items()}

    def intersect(self, other: Masks) -> Masks:
        """Return the masks of the weights that are left in both."""
        if self.shapes != other.shapes:
            raise ValueError(f"masks: weights {other.shapes} given; {self.shapes} are needed")
        both = {name: matrix.multiply(other[name]) for name, matrix in self._matrices.items()}
        return Masks({name: matrix.toarray().reshape(self.shapes[name]) for name, matrix in both.items()})

    def dense(self) -> dict[str, np.ndarray]:
        """Return the masks as bool arrays in the shapes of the weights."""
        return {name: matrix.toarray().reshape(self.shapes[name]) for name, matrix in self._matrices.items()}

    def on(self, xp: ModuleType) -> dict[str, Array]:
        """Return the masks on a device: by name, as cupyx.scipy.sparse matrices of bools (of NumPy: as they are)."""
        return {name: sparse_to_device(matrix, xp) for name, matrix in self._matrices.items()}

    def apply(self, parameters: Parameters) -> None:
        """Give a network these masks; pruned weights become 0."""
        flat = np.ones(parameters.size, np.bool_)
        for name, mask in self.dense().items():
            flat[parameters.slice(name)] = mask.ravel()
        parameters.set_mask(flat)

    def save(self, file: Path) -> None:
        """Write an .npz with two arrays per weight: `NAME.shape`, and `NAME.bits`, one bit per entry (big-endian)."""
        arrays: dict[str, np.ndarray] = {}
        for name, mask in self.dense().items():
            arrays[f"{name}.shape"] = np.asarray(mask.shape, np.int64)
            arrays[f"{name}.bits"] = np.packbits(mask.ravel())
        write_npz(file, arrays, compress=True)

    @classmethod
    def load(cls, file: Path) -> Masks:
        """Read what `save` wrote; a RunError if the file is damaged."""
        arrays = read_npz(file)
        masks = {}
        for key, shape in arrays.items():
            name, _, kind = key.rpartition(".")
            if kind != "shape":
                continue
            bits, size = arrays.get(f"{name}.bits"), int(np.prod(shape))
            if bits is None or bits.dtype != np.uint8 or bits.shape != ((size + 7) // 8,):
                raise RunError(f"{file}: the bits of {name} do not fit its shape {tuple(shape.tolist())}")
            masks[name] = np.unpackbits(bits, count=size).astype(np.bool_).reshape(shape)
        return cls(masks)


def sparse_weight(parameter: Parameter) -> Array:
    """Return a weight as a CSR matrix that stores exactly the entries its mask leaves, zeros among them included.

    It is a scipy.sparse.csr_array, or a cupyx.scipy.sparse.csr_matrix where the weight is on a GPU.
    """
    matrix = sparse.csr_array(_matrix(to_host(parameter.mask)), dtype=parameter.value.dtype)
    rows, columns = matrix.nonzero()
    matrix.data[:] = _matrix(to_host(parameter.value))[rows, columns]
    return sparse_to_device(matrix, array_module(parameter.value))


def _matrix(weight: np.ndarray) -> np.ndarray:
    return weight.reshape(-1, weight.shape[-1])
