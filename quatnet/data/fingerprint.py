"""What a run keeps of its data: a fingerprint, and what it takes to classify images without them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from quatnet.data.dataset import Dataset


@dataclass(frozen=True)
class DataDescription:
    """What a run must know of its data to be resumed on the same, and to classify images without it.

    `fingerprint` is a hash of all images and labels, those held out for validation included; `mean` and `std` normalise
    images, per channel.
    """

    fingerprint: str
    train_images: int
    test_images: int
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, d: Dataset, *held_out: np.ndarray | None) -> DataDescription:
        """Describe a data set as it is cut for a training, with the images and labels that are held out of it."""
        import numpy as np

        digest = hashlib.sha256()
        for array in (d.x_train, d.y_train, d.x_test, d.y_test, *(h for h in held_out if h is not None)):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return cls(digest.hexdigest()[:16], len(d.y_train), len(d.y_test), d.input_shape, d.class_names, d.mean, d.std)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DataDescription:
        """Read what `dataclasses.asdict` and JSON made of a description."""
        values = dict(values)
        for name in ("input_shape", "class_names", "mean", "std"):
            if not isinstance(values[name], list):
                raise TypeError(f"{name} is {values[name]!r}, not a list")
            values[name] = tuple(values[name])
        mean, std, shape = (values[name] for name in ("mean", "std", "input_shape"))
        numbers = (*mean, *std, *shape, values["train_images"], values["test_images"])
        if not all(type(number) in (int, float) for number in numbers):
            raise TypeError(f"one of {numbers} is not a number")
        if not len(mean) == len(std) == shape[-1]:
            raise TypeError("mean and std need one number per channel")
        return cls(**values)
