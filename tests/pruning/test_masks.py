"""Masks against plain bool arrays."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from quatnet.errors import RunError
from quatnet.nn.networks import count_parameters
from quatnet.pruning.masks import Masks, weights_left

SHAPES = {"dense": (6, 5), "quaternion dense": (4, 3, 5), "conv": (3, 3, 2, 5), "quaternion conv": (4, 3, 3, 2, 5)}


@st.composite
def weights_shapes(draw):
    """Names and shapes of up to four weights."""
    shapes = draw(st.lists(hnp.array_shapes(min_dims=2, max_dims=5, max_side=4), min_size=1, max_size=4))
    return {f"fc{k}.weight": shape for k, shape in enumerate(shapes)}


@st.composite
def bool_arrays(draw, count=1):
    """`count` sets of masks, as bool arrays, for the same weights."""
    shapes = draw(weights_shapes())
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = [draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])) for _ in range(count)]
    sets = [{name: generator.random(shape) < part for name, shape in shapes.items()} for part in kept]
    return sets[0] if count == 1 else sets


def assert_same(found, arrays):
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == bool
        np.testing.assert_array_equal(found[name], array)


# what a mask is


@given(bool_arrays())
def test_masks_are_the_bool_arrays_they_were_made_of(arrays):
    assert_same(Masks(arrays).dense(), arrays)


@given(bool_arrays())
def test_counts_are_exact(arrays):
    assert Masks(arrays).counts() == {name: int(array.sum()) for name, array in arrays.items()}


@given(bool_arrays())
def test_the_count_is_that_of_all_weights_together(arrays):
    assert Masks(arrays).count() == sum(int(array.sum()) for array in arrays.values())


@given(bool_arrays())
def test_densities_are_the_parts_left(arrays):
    assert Masks(arrays).densities() == pytest.approx({name: array.mean() for name, array in arrays.items()})


@given(bool_arrays())
def test_every_mask_is_a_sparse_matrix_that_stores_only_what_is_left(arrays):
    masks = Masks(arrays)
    assert len(masks) == len(arrays)
    for name, array in arrays.items():
        assert isinstance(masks[name], sparse.csr_array)
        assert masks[name].nnz == len(masks[name].data) == array.sum()
        assert masks[name].data.all()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_columns_are_outputs_and_rows_all_other_axes_in_order(shape):
    array = np.random.default_rng(0).random(shape) < 0.3
    found = Masks({"weight": array})["weight"].toarray()
    rows = list(itertools.product(*(range(length) for length in shape[:-1])))
    assert found.shape == (len(rows), shape[-1])
    for row, index in enumerate(rows):
        np.testing.assert_array_equal(found[row], array[index])


def test_the_components_of_a_quaternion_weight_lie_one_below_the_other():
    array = np.zeros((4, 2, 3), bool)
    array[2, 1, 0] = True
    assert [int(k) for k in np.argwhere(Masks({"weight": array})["weight"].toarray())[0]] == [2 * 2 + 1, 0]


def test_masks_keep_a_copy_of_the_arrays():
    array = np.ones((2, 3), bool)
    masks = Masks({"weight": array})
    array[...] = False
    assert masks.count() == 6


# equality


@given(bool_arrays(), st.data())
def test_masks_are_equal_when_all_entries_are(arrays, data):
    other = {name: array.copy() for name, array in arrays.items()}
    assert Masks(other) == Masks(arrays)
    entries = other[data.draw(st.sampled_from(sorted(other)))].reshape(-1)
    entries[data.draw(st.integers(0, entries.size - 1))] ^= True
    assert Masks(other) != Masks(arrays)


@pytest.mark.parametrize("other", [Masks({"weight": np.ones((3, 2), bool)}), Masks({}), "masks", None])
def test_masks_of_other_weights_and_other_things_are_not_equal(other):
    assert Masks({"weight": np.ones((2, 3), bool)}) != other


# masks and parameters


@given(bool_arrays())
def test_applying_masks_zeroes_exactly_the_pruned_weights(parameters_of, arrays):
    weights = {name.removesuffix(".weight"): np.full(array.shape, 3.0) for name, array in arrays.items()}
    parameters = parameters_of(weights)
    Masks(arrays).apply(parameters)
    for name, array in arrays.items():
        np.testing.assert_array_equal(parameters[name].value, 3.0 * array)
        np.testing.assert_array_equal(parameters[name].mask, array)


@given(bool_arrays())
def test_applying_masks_leaves_biases_untouched(parameters_of, arrays):
    weights = {name.removesuffix(".weight"): np.full(array.shape, 3.0) for name, array in arrays.items()}
    parameters = parameters_of(weights)
    before = {name: value for name, value in parameters.by_name().items() if name.endswith("bias")}
    Masks(arrays).apply(parameters)
    for name, value in before.items():
        np.testing.assert_array_equal(parameters[name].value, value)
        assert parameters[name].mask.all()


def test_applying_wider_masks_gives_weights_back(parameters_of):
    parameters = parameters_of({"fc1": np.ones((2, 3))})
    for array in (np.zeros((2, 3), bool), np.ones((2, 3), bool)):
        Masks({"fc1.weight": array}).apply(parameters)
    assert parameters["fc1.weight"].mask.all()


@given(bool_arrays())
def test_the_masks_of_a_network_are_those_that_were_applied(parameters_of, arrays):
    weights = {name.removesuffix(".weight"): np.ones(array.shape) for name, array in arrays.items()}
    parameters = parameters_of(weights)
    Masks(arrays).apply(parameters)
    assert_same(Masks.of(parameters).dense(), arrays)


# files


@given(bool_arrays())
def test_saved_masks_are_loaded_as_they_were(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("masks") / "mask.npz"
    Masks(arrays).save(path)
    assert_same(Masks.load(path).dense(), arrays)


@given(bool_arrays())
def test_equal_masks_give_equal_bytes(tmp_path_factory, arrays):
    first, second = (tmp_path_factory.mktemp("masks") / "mask.npz" for _ in range(2))
    Masks(arrays).save(first)
    Masks.load(first).save(second)
    assert second.read_bytes() == first.read_bytes()


def test_a_saved_mask_is_its_shape_and_a_bit_per_entry_big_endian(tmp_path):
    bits = [1, 0, 0, 0, 0, 0, 1, 1, 0, 1]
    Masks({"fc1.weight": np.array(bits, bool).reshape(2, 5)}).save(tmp_path / "mask.npz")
    with np.load(tmp_path / "mask.npz") as arrays:
        assert arrays["fc1.weight.shape"].tolist() == [2, 5]
        assert arrays["fc1.weight.bits"].tolist() == [0b10000011, 0b01000000]


def test_a_mask_file_cut_short_is_a_one_line_error(tmp_path):
    path = tmp_path / "mask.npz"
    Masks({"fc1.weight": np.ones((7, 9), bool)}).save(path)
    content = path.read_bytes()
    for length in range(0, len(content), 11):
        path.write_bytes(content[:length])
        with pytest.raises(RunError, match=r"^[^\n]*mask.npz: not a readable .npz file[^\n]*$"):
            Masks.load(path)


@pytest.mark.parametrize(
    "bits",
    [None, np.zeros(1, np.uint8), np.zeros(3, np.uint8), np.zeros(2, np.int64), np.zeros((1, 2), np.uint8)],
    ids=["missing", "too few", "too many", "of another type", "of another shape"],
)
def test_a_mask_file_whose_bits_do_not_fit_is_a_one_line_error(tmp_path, bits):
    path = tmp_path / "mask.npz"
    np.savez(path, **{"fc1.weight.shape": [2, 5]}, **({} if bits is None else {"fc1.weight.bits": bits}))
    with pytest.raises(RunError) as caught:
        Masks.load(path)
    assert str(caught.value) == f"{path}: the bits of fc1.weight do not fit its shape (2, 5)"


def test_a_pickled_mask_file_is_a_one_line_error(tmp_path):
    path = tmp_path / "mask.npz"
    np.savez(path, **{"fc1.weight.shape": np.array([{}], dtype=object)})
    with pytest.raises(RunError, match=r"^[^\n]*mask.npz: not a readable .npz file[^\n]*$"):
        Masks.load(path)


# the paper's abscissa


@pytest.mark.parametrize(("quaternion", "percent"), [(False, 100), (True, 25.4)])
def test_weights_left_of_a_dense_lenet_300_100_are_those_of_the_paper(quaternion, percent):
    real, own = (count_parameters("lenet-300-100", q, (28, 28, 1), 10) for q in (False, quaternion))
    assert round(weights_left(*own, real), 2) == percent


def test_weights_left_are_weights_and_all_biases_in_percent_of_the_real_networks_parameters():
    assert weights_left(30, 20, (150, 50)) == 100 * (30 + 20) / (150 + 50)
