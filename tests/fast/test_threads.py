"""Threads do what one does, and memory is used again."""

import numpy as np
import pytest

from quatnet.errors import UsageError
from quatnet.fast.threads import SERIAL, Buffers, Threads


def test_results_come_in_the_order_of_the_items():
    assert Threads(3).map(lambda item: item * item, range(20)) == [item * item for item in range(20)]


def test_a_length_is_split_into_nearly_equal_parts():
    assert Threads(3).split(7) == [slice(0, 2), slice(2, 4), slice(4, 7)]
    assert Threads(3).split(2) == [slice(0, 1), slice(1, 2)]
    assert Threads(3).split(0) == [slice(0, 0)]


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_threads_below_one_is_an_error(count):
    with pytest.raises(UsageError, match=f"threads: {count} given; 1 or more"):
        Threads(count)


def test_numpys_error_settings_hold_in_threads():
    huge = np.full(1000, 1e200)
    with np.errstate(over="ignore"):
        assert np.isinf(Threads(2).map(lambda k: huge * huge, range(2))).all()


@pytest.mark.parametrize("threads", [SERIAL, Threads(2), Threads(3)], ids=lambda threads: threads.count)
@pytest.mark.parametrize(("rows", "columns"), [(7, 3), (3, 7), (1, 1)])
def test_a_product_of_matrices_is_shared_along_its_longer_side(threads, rows, columns):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(5, rows)).T, random.normal(size=(5, columns))
    out = np.empty((rows, columns))
    assert threads.matmul(a, b, out=out) is out
    np.testing.assert_allclose(out, np.einsum("ik,kj->ij", a, b), atol=1e-13)
    np.testing.assert_array_equal(threads.matmul(a, b), out)


def test_a_piece_of_memory_is_used_again_under_its_name_and_grows_when_it_must():
    buffers = Buffers()
    first = buffers.take("a", (2, 3), np.dtype("float32"))
    assert first.shape == (2, 3)
    assert np.shares_memory(first, buffers.take("a", (4,), np.dtype("float32")))
    assert not np.shares_memory(first, buffers.take("b", (2, 3), np.dtype("float32")))
    assert not np.shares_memory(first, buffers.take("a", (7,), np.dtype("float32")))


def test_every_thread_has_memory_of_its_own():
    buffers = Buffers()
    here = buffers.take("a", (5,), np.dtype("float32"))
    (there,) = Threads(2).map(lambda name: buffers.take(name, (5,), np.dtype("float32")), ["a"])
    assert not np.shares_memory(here, there)
