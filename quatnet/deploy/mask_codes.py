"""Which weights of a layer are left, in few bytes: the smallest of six codings of its mask (docs/ticket.md).

Bitmap: one bit per entry, as `Masks.save` writes them. Golomb-Rice (Golomb 1966, Rice and Plaunt 1971): the gaps
between the entries left, or between those pruned, each as gap >> k in unary and its k low bits as they are. For entries
that are left at random this is within a few percent of the entropy n H(density). CSR: how many entries each row has,
and their 16-bit columns. With k = 13, Golomb-Rice needs 14 bits an entry and n / 8192 bits, CSR 16 bits an entry and,
for rows of at most 65,535 columns, at least that: CSR is thus never the smallest of them. It is there for comparison.

Weights pruned in larger units need less. Alike: where whole quaternions are left or pruned, the mask of one component.
Block: where rows and columns are, a bit for each of both.

Entries are counted in the C order of the weight. A coding begins with its kind and k in one byte, kind + 4 k.
"""

from __future__ import annotations

import math

import numpy as np

from quatnet.deploy.values import Reader, varint

BITMAP, LEFT, PRUNED, CSR = range(4)
ALIKE, BLOCK = 128, 129
HIGHEST_K = 31
WIDEST_ROW = 2**16 - 1


def encode(mask: np.ndarray) -> bytes:
    """Return the smallest coding of a bool array of any shape."""
    return min(encodings(mask).values(), key=len)


def encodings(mask: np.ndarray) -> dict[int, bytes]:
    """Return all codings of a mask that it has, by their numbers.

    CSR is for rows (the last axis) of at most 65,535 entries, ALIKE for a first axis of four equal slices, BLOCK for
    all entries in some rows and some columns.
    """
    flat = mask.ravel()
    codings = {
        BITMAP: bytes([BITMAP]) + np.packbits(flat).tobytes(),
        LEFT: _encode_gaps(LEFT, flat),
        PRUNED: _encode_gaps(PRUNED, ~flat),
    }
    if mask.shape[-1] <= WIDEST_ROW:
        codings[CSR] = _encode_csr(mask)
    if mask.ndim > 1 and len(mask) == 4 and (mask == mask[0]).all():
        codings[ALIKE] = bytes([ALIKE]) + encode(mask[0])
    matrix = mask.reshape(-1, mask.shape[-1])
    rows, columns = (np.asarray(matrix.any(axis=axis)) for axis in (1, 0))
    if (matrix == rows[:, None] & columns).all():
        codings[BLOCK] = bytes([BLOCK]) + np.packbits(rows).tobytes() + np.packbits(columns).tobytes()
    return codings


def read(reader: Reader, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mask of a shape that comes next; a ValueError if what comes is not the coding of one."""
    first = reader.byte()
    if first == ALIKE and len(shape) > 1 and shape[0] == 4:
        return np.stack([read(reader, shape[1:])] * 4)
    if first == BLOCK:
        return _read_block(reader, shape)
    kind, k = first & 3, first >> 2
    if k > (HIGHEST_K if kind in (LEFT, PRUNED) else 0):
        raise ValueError(f"an unknown coding of positions ({first})")
    n = math.prod(shape)
    if kind == BITMAP:
        flat = _read_bitmap(reader, n)
    elif kind == CSR:
        flat = _read_csr(reader, n, shape[-1])
    else:
        flat = _read_gaps(reader, n, k) == (kind == LEFT)
    return flat.reshape(shape)


def entropy(mask: np.ndarray) -> float:
    """Return n H(density) in bits, H(p) = -p log2 p - (1 - p) log2 (1 - p): what positions at random must cost."""
    n, left = mask.size, int(np.count_nonzero(mask))
    return sum(count * math.log2(n / count) for count in (left, n - left) if count)


def _read_bitmap(reader: Reader, n: int) -> np.ndarray:
    bits = np.unpackbits(reader.array("u1", -(-n // 8)))
    if bits[n:].any():
        raise ValueError("a bitmap with bits after its end")
    return bits[:n].astype(np.bool_)


def _read_block(reader: Reader, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (_read_bitmap(reader, n) for n in (math.prod(shape[:-1]), shape[-1]))
    mask: np.ndarray = (rows[:, None] & columns).reshape(shape)
    return mask


def _encode_gaps(kind: int, flat: np.ndarray) -> bytes:
    """Code the gaps between the True entries: first the k low bits of all, then all unary parts (gap >> k zeros, 1)."""
    gaps = np.diff(np.flatnonzero(flat), prepend=-1) - 1
    highest = int(gaps.max(initial=0)).bit_length()
    k = min(range(max(1, highest)), key=lambda k: k * gaps.size + int((gaps >> k).sum()))
    low = [(gaps >> bit & 1).astype(np.uint8) for bit in reversed(range(k))]
    ends = np.cumsum((gaps >> k) + 1)
    unary = np.zeros(ends[-1] if ends.size else 0, np.uint8)
    unary[ends - 1] = 1
    bits = np.concatenate([np.stack(low, axis=1).ravel(), unary]) if low else unary
    return bytes([kind + 4 * k]) + varint(gaps.size) + np.packbits(bits).tobytes()


def _read_gaps(reader: Reader, n: int, k: int) -> np.ndarray:
    count = reader.varint()
    if count > n:
        raise ValueError(f"{count:,} positions among {n:,} entries")
    # All gaps together are n - count at most, which limits the bits that can belong to them.
    most = count * (k + 1) + ((n - count) >> k) if count else 0
    bits = np.unpackbits(np.frombuffer(reader.peek(-(-most // 8)), np.uint8))
    ends = np.flatnonzero(bits[count * k :])[:count]
    if ends.size < count:
        raise ValueError("positions that end early or lie outside their weight")
    used = count * k + (int(ends[-1]) + 1 if count else 0)
    if np.unpackbits(reader.array("u1", -(-used // 8)))[used:].any():
        raise ValueError("positions with bits after their end")
    low = np.zeros(count, np.int64)
    for bit in bits[: count * k].reshape(count, k).T:
        low = low << 1 | bit
    gaps = ((np.diff(ends, prepend=-1) - 1) << k) + low
    return _flat(np.cumsum(gaps + 1) - 1, n)


def _encode_csr(mask: np.ndarray) -> bytes:
    rows = mask.reshape(-1, mask.shape[-1])
    counts, columns = np.count_nonzero(rows, axis=1), np.nonzero(rows)[1]
    return bytes([CSR]) + np.concatenate([counts, columns]).astype("<u2").tobytes()


def _read_csr(reader: Reader, n: int, width: int) -> np.ndarray:
    counts = reader.array("<u2", n // width).astype(np.int64)
    if (counts > width).any():
        raise ValueError(f"a row of more than its {width:,} columns")
    columns = reader.array("<u2", int(counts.sum())).astype(np.int64)
    if (columns >= width).any():
        raise ValueError(f"a column outside a row of {width:,}")
    return _flat(np.repeat(np.arange(counts.size), counts) * width + columns, n)


def _flat(positions: np.ndarray, n: int) -> np.ndarray:
    """Return (n,) bools that are True at these positions, which must be increasing and less than n."""
    if positions.size and (positions[-1] >= n or (np.diff(positions) <= 0).any()):
        raise ValueError(f"positions that do not increase, or not among {n:,} entries")
    flat = np.zeros(n, np.bool_)
    flat[positions] = True
    return flat
