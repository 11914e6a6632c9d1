"""Masks: which weights are left, as one scipy.sparse matrix per weight.

The stored positions of a matrix are the weights that are left. Its columns are the last axis of the weight (outputs);
all other axes are flattened into its rows: (in, out) for dense layers, (kh kw in, out) for convolutions, and the four
components of a quaternion weight one below the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy import sparse

from quatnet.backend import to_host
from quatnet.errors import RunError
from quatnet.files import read_npz, write_npz
from quatnet.nn.parameters import Parameters


class Masks(Mapping[str, sparse.csr_array]):
    """The masks of all prunable weights of a network, by the weight's name, in the network's order.

    Immutable. `shapes` holds the shapes of the weights.
    """

    def __init__(self, masks: Mapping[str, np.ndarray]) -> None:
        """Take bool arrays in the shapes of the weights."""
        self.shapes = {name: mask.shape for name, mask in masks.items()}
        self._matrices = {name: sparse.csr_array(mask.reshape(-1, mask.shape[-1])) for name, mask in masks.items()}

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
        return self.shapes == other.shapes and all(
            np.array_equal(matrix.indptr, other[name].indptr) and np.array_equal(matrix.indices, other[name].indices)
            for name, matrix in self._matrices.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def count(self) -> int:
        """Return how many weights are left."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Return how many entries of each weight are left."""
        return {name: int(matrix.nnz) for name, matrix in self._matrices.items()}

    def densities(self) -> dict[str, float]:
        """Return the fraction of each weight that is left, 0 to 1."""
        return {name: matrix.nnz / max(1, np.prod(self.shapes[name])) for name, matrix in self._matrices.items()}

    def dense(self) -> dict[str, np.ndarray]:
        """Return the masks as bool arrays in the shapes of the weights."""
        return {name: matrix.toarray().reshape(self.shapes[name]) for name, matrix in self._matrices.items()}

    def apply(self, parameters: Parameters) -> None:
        """Give a network these masks; pruned weights become 0."""
        flat = np.ones(parameters.size, np.bool_)
        for name, matrix in self._matrices.items():
            flat[parameters.slice(name)] = matrix.toarray().ravel()
        parameters.set_mask(flat)

    def save(self, file: Path) -> None:
        """Write an .npz with two arrays per weight: `NAME.shape`, and `NAME.bits`, one bit per entry (big-endian)."""
        arrays: dict[str, np.ndarray] = {}
        for name, matrix in self._matrices.items():
            arrays[f"{name}.shape"] = np.asarray(self.shapes[name], np.int64)
            arrays[f"{name}.bits"] = np.packbits(matrix.toarray())
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


def weights_left(kept: int, others: int, real: tuple[int, int]) -> float:
    """Return the paper's abscissa: weights kept and all other parameters, in percent of a real network's.

    `real` are the numbers of weights and other parameters of the real network of full width (`count_parameters`).
    """
    return 100 * (kept + others) / sum(real)
