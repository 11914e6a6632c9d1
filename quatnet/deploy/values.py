"""How numbers stand in a ticket (docs/ticket.md): whole numbers, floats, and weights at three precisions."""

from __future__ import annotations

import numpy as np

from quatnet.deploy.choices import VALUES
from quatnet.errors import UsageError

BYTES = {"float32": 4, "float16": 2, "int8": 1}
STEPS = 127
"""An int8 weight is a whole number of steps from -127 to 127."""

HIGHEST = 2**64 - 1
"""The largest whole number that a file holds."""


def check(values: str, allowed: tuple[str, ...] = VALUES) -> None:
    """Raise a UsageError for a precision that is not one of those allowed."""
    if values not in allowed:
        raise UsageError(f"values: {values!r} given; allowed are {', '.join(allowed)}")


class Reader:
    """Bytes that are read one field after the other; a ValueError for a field that they end in."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    @property
    def remaining(self) -> int:
        """How many bytes have not been read."""
        return len(self._content) - self._offset

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes, or all that are left, without reading them."""
        return self._content[self._offset : self._offset + count]

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > self.remaining:
            raise ValueError("it ends early")
        self._offset += count
        return self._content[self._offset - count : self._offset]

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def array(self, dtype: str, count: int) -> np.ndarray:
        """Return the next `count` numbers of a NumPy type."""
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)

    def varint(self) -> int:
        """Return the next whole number, as `varint` writes it."""
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if number > HIGHEST:
                raise ValueError("a whole number of more than 64 bits")
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("a whole number of more than 64 bits")

    def end(self) -> None:
        """Raise a ValueError if anything is left."""
        if self.remaining:
            raise ValueError(f"it has {self.remaining:,} bytes after its end")


def varint(number: int) -> bytes:
    """Return a whole number from 0 to 2^64 - 1 as 1 to 10 bytes.

    Seven bits a byte, the lowest first; the highest bit of a byte says that another one follows (LEB128).
    """
    if not 0 <= number <= HIGHEST:
        raise ValueError(f"number: {number} given; 0 to {HIGHEST} can be stored")
    content = bytearray()
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*content, number])


def encode_weights(weights: np.ndarray, values: str) -> bytes:
    """Return finite float32 weights (n,) as bytes, at one of the precisions `VALUES`.

    Raises ValueError for a weight beyond the range of float16, if that is the precision.
    """
    if values == "int8":
        scale, steps = quantise(weights)
        return bytes(scale.astype("<f4").tobytes() + steps.tobytes())
    with np.errstate(over="ignore"):
        stored = weights.astype("<f4" if values == "float32" else "<f2")
    if not np.isfinite(stored).all():
        raise ValueError(f"a weight of {np.abs(weights).max():g}, which is too large for {values}")
    return bytes(stored.tobytes())


def read_weights(reader: Reader, count: int, values: str) -> np.ndarray:
    """Return the `count` float32 weights that `encode_weights` wrote; they may be infinite or nan in a file."""
    if values == "int8":
        scale, steps = reader.array("<f4", 1)[0], reader.array("i1", count)
        if not (0 <= scale < np.inf) or (steps < -STEPS).any():
            raise ValueError("an int8 weight of -128, or a scale that is negative or not finite")
        with np.errstate(over="ignore"):
            weights: np.ndarray = np.multiply(steps, scale, dtype=np.float32)
        return weights
    return reader.array("<f4" if values == "float32" else "<f2", count).astype(np.float32)


def quantise(weights: np.ndarray, axis: tuple[int, ...] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (scale, int8 steps) with weights ~ scale * steps, steps = round(weights / scale), scale = max |w| / 127.

    One float32 scale, or one for each index of the axes that are not in `axis`. The error is at most half a step. Where
    there is no weight but 0, the scale is 0.
    """
    scale = (np.abs(weights).max(axis, initial=0) / STEPS).astype(np.float32)
    steps = np.rint(weights / np.where(scale > 0, scale, 1).astype(np.float64)).clip(-STEPS, STEPS)
    return scale, steps.astype(np.int8)
