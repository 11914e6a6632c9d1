"""Codings of masks: every one gives the mask back, the smallest is near the entropy, and what is none is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.deploy import mask_codes
from quatnet.deploy.mask_codes import ALIKE, BITMAP, BLOCK, CSR, LEFT, PRUNED
from quatnet.deploy.values import Reader, varint

KINDS = (BITMAP, LEFT, PRUNED, CSR)


def decode(content, shape):
    reader = Reader(content)
    mask = mask_codes.read(reader, shape)
    reader.end()
    return mask


@st.composite
def masks(draw):
    """Masks of up to four axes, at densities from 0 to 1."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    density = draw(st.sampled_from([0, 0.01, 0.1, 0.5, 0.9, 1]))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(shape) < density


def at_random(n, density, seed=0):
    return np.random.default_rng(seed).random(n) < density


def bits(text):
    """Bytes written as bits, filled up with zeros."""
    return np.packbits([int(bit) for bit in text.replace(" ", "")]).tobytes()


def varint_at(content, offset):
    number = shift = 0
    while True:
        byte = content[offset]
        number, shift, offset = number + ((byte & 127) << shift), shift + 7, offset + 1
        if byte < 128:
            return number, offset


def mask_at(content, offset, n):
    """Read n entries by section 3 of docs/ticket.md (kinds 0 to 2); return them, and where the next field begins."""
    kind, k, offset = content[offset] % 4, content[offset] // 4, offset + 1
    count, offset = (n, offset) if kind == 0 else varint_at(content, offset)
    bits = "".join(f"{byte:08b}" for byte in content[offset:])
    if kind == 0:
        return [bit == "1" for bit in bits[:n]], offset + (n + 7) // 8
    low, at, place = [int("0" + bits[k * j : k * j + k], 2) for j in range(count)], k * count, -1
    mask = [kind == 2] * n
    for j in range(count):
        end = bits.index("1", at)
        place += ((end - at) << k) + low[j] + 1
        mask[place], at = kind == 1, end + 1
    return mask, offset + (at + 7) // 8


@given(masks(), st.binary(max_size=3))
def test_a_reader_made_from_the_document_alone_gives_the_mask_back(mask, rest):
    for kind in (BITMAP, LEFT, PRUNED):
        content = mask_codes.encodings(mask)[kind]
        assert mask_at(b"?" + content + rest, 1, mask.size) == (mask.ravel().tolist(), 1 + len(content))


def structured_at(content, offset, shape):
    """Read the kinds 128 and 129, too."""
    if content[offset] == 128:
        one, offset = structured_at(content, offset + 1, shape[1:])
        return one * 4, offset
    if content[offset] != 129:
        return mask_at(content, offset, math.prod(shape))
    bits, (n, width), offset = [], (math.prod(shape[:-1]), shape[-1]), offset + 1
    for count in (n, width):
        size = (count + 7) // 8
        bits.append("".join(f"{byte:08b}" for byte in content[offset : offset + size])[:count])
        offset += size
    rows, columns = bits
    return [row == column == "1" for row in rows for column in columns], offset


@st.composite
def structured(draw):
    """Masks of quaternion weights in which whole quaternions, or rows and columns, are left."""
    inputs, outputs = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    one = random.random((inputs, outputs)) < draw(st.sampled_from([0.05, 0.5, 1]))
    if draw(st.booleans()):
        one = (random.random((inputs, 1)) < 0.5) & (random.random(outputs) < 0.5)
    return np.stack([one] * 4)


@given(structured(), st.binary(max_size=3))
def test_quaternions_and_rows_and_columns_are_coded_once(mask, rest):
    codings = mask_codes.encodings(mask)
    assert len(codings[ALIKE]) == 1 + len(mask_codes.encode(mask[0]))
    for kind in {ALIKE, BLOCK} & set(codings):
        content = codings[kind]
        assert structured_at(b"?" + content + rest, 1, mask.shape) == (mask.ravel().tolist(), 1 + len(content))


def test_large_units_cost_less():
    random = np.random.default_rng(0)
    quaternions = np.stack([random.random((196, 75)) < 0.03] * 4)
    assert len(mask_codes.encode(quaternions)) < 0.3 * len(mask_codes.encode(random.permuted(quaternions, axis=None)))
    channels = np.broadcast_to(random.random(300) < 0.1, (784, 300))
    assert mask_codes.encode(channels)[0] == BLOCK
    assert len(mask_codes.encode(channels)) == 1 + 98 + 38


@given(masks())
def test_every_coding_gives_the_mask_back(mask):
    codings = mask_codes.encodings(mask)
    assert set(codings) >= set(KINDS)
    for content in codings.values():
        np.testing.assert_array_equal(decode(content, mask.shape), mask)


@given(masks())
def test_the_smallest_coding_is_taken_and_csr_is_none(mask):
    sizes = {kind: len(content) for kind, content in mask_codes.encodings(mask).items()}
    assert len(mask_codes.encode(mask)) == min(sizes.values())
    assert sizes[CSR] >= sizes[LEFT]


@pytest.mark.parametrize("density", [0.003, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.3, 0.5, 0.8, 0.97])
def test_a_mask_at_random_costs_a_few_percent_more_than_its_entropy(density):
    mask = at_random(200_000, density)
    entropy = -(density * math.log2(density) + (1 - density) * math.log2(1 - density)) * mask.size
    assert mask_codes.entropy(mask) == pytest.approx(entropy, rel=0.05)
    assert 1 <= 8 * len(mask_codes.encode(mask)) / mask_codes.entropy(mask) < 1.035


@pytest.mark.parametrize("every", [False, True])
def test_none_and_all_cost_two_bytes(every):
    mask = np.full((300, 100), every)
    assert mask_codes.entropy(mask) == 0
    assert len(mask_codes.encode(mask)) == 2
    np.testing.assert_array_equal(decode(mask_codes.encode(mask), mask.shape), mask)


def test_few_weights_left_are_coded_by_their_gaps_half_of_them_as_a_bitmap_and_most_by_the_gaps_of_the_others():
    kinds = [mask_codes.encode(at_random(10_000, density))[0] & 3 for density in (0.05, 0.5, 0.95)]
    assert kinds == [LEFT, BITMAP, PRUNED]


def test_rows_that_are_too_long_have_no_csr():
    assert CSR in mask_codes.encodings(np.zeros(65_535, np.bool_))
    assert CSR not in mask_codes.encodings(np.zeros(65_536, np.bool_))


def test_the_codings_of_a_mask_bit_by_bit():
    mask = np.zeros((2, 12), np.bool_)
    mask.ravel()[[2, 3, 20]] = True  # gaps 2, 0, 16
    codings = mask_codes.encodings(mask)
    assert codings[BITMAP] == bytes([BITMAP]) + bits("001100000000 000000001000")
    # k = 2: the low bits of 2, 0, 16, then 0, 0, 4 in unary
    assert codings[LEFT] == bytes([LEFT + 4 * 2, 3]) + bits("10 00 00 1 1 00001")
    assert codings[CSR] == bytes([CSR, 2, 0, 1, 0, 2, 0, 3, 0, 8, 0])


@given(masks())
def test_a_coding_that_is_cut_or_longer_is_refused(mask):
    for content in mask_codes.encodings(mask).values():
        for length in range(len(content)):
            with pytest.raises(ValueError, match=r"ends? early"):
                decode(content[:length], mask.shape)
        with pytest.raises(ValueError, match="has 1 bytes after its end"):
            decode(content + b"\0", mask.shape)


@given(st.binary(max_size=40), st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_any_bytes_are_a_mask_of_the_shape_or_refused(content, shape):
    try:
        mask = decode(content, shape)
    except ValueError:
        return
    assert mask.shape == shape
    assert mask.dtype == np.bool_


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes([BITMAP]) + bits("1000000000 1"), "with bits after its end"),
        (bytes([BITMAP + 4, 0, 0]), "an unknown coding of positions"),
        (bytes([CSR + 4]), "an unknown coding of positions"),
        (bytes([ALIKE, LEFT, 0]), "an unknown coding of positions"),
        (bytes([130]), "an unknown coding of positions"),
        (bytes([BLOCK]) + bits("111") + bits("11000"), "with bits after its end"),
        (bytes([LEFT]) + varint(11), "11 positions among 10 entries"),
        (bytes([LEFT]) + varint(2**63), "positions among 10 entries"),
        (bytes([LEFT, 1]) + bits("0000000000 1"), "not among 10 entries"),
        (bytes([LEFT, 1]) + bits("0000000000 000000 1"), "outside their weight"),
        (bytes([LEFT + 4 * 4, 1]) + bits("1010 1"), "not among 10 entries"),
        (bytes([LEFT + 4 * 31, 1]) + b"\xff" * 4, "not among 10 entries"),
        (bytes([LEFT, 1]) + bits("1 1"), "with bits after their end"),
        (bytes([CSR, 6, 0, 0, 0]), "a row of more than its 5 columns"),
        (bytes([CSR, 1, 0, 0, 0, 5, 0]), "a column outside a row of 5"),
        (bytes([CSR, 2, 0, 0, 0, 3, 0, 3, 0]), "do not increase"),
        (bytes([CSR, 2, 0, 0, 0, 3, 0, 1, 0]), "do not increase"),
    ],
)
def test_what_is_no_coding_of_ten_entries_is_refused(content, reason):
    with pytest.raises(ValueError, match=reason):
        decode(content, (2, 5))
