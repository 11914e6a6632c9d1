import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quatnet.data import Dataset
from quatnet.errors import UsageError


def dataset(y_train, y_test=None, classes=None):
    """A set whose images hold their own index, so that an image tells where it came from."""
    y_train = np.asarray(y_train, np.int64)
    y_test = y_train.copy() if y_test is None else np.asarray(y_test, np.int64)
    classes = classes or int(max(y_train.max(), y_test.max())) + 1

    def images(n):
        return np.arange(n, dtype=np.float32).reshape(n, 1, 1, 1)

    names = tuple(str(label) for label in range(classes))
    return Dataset(
        "numbers", images(len(y_train)), y_train, images(len(y_test)), y_test, names, (0.0,), (1.0,), False, "test"
    )


def indices(images):
    return images.ravel().astype(int)


@pytest.fixture
def digits():
    return dataset(np.random.default_rng(0).permutation(np.arange(1000) % 10), np.arange(100) % 10)


def test_shape_and_classes_are_those_of_the_arrays(digits):
    assert digits.input_shape == (1, 1, 1)
    assert digits.classes == 10


def test_a_subset_is_class_balanced_and_the_remainder_goes_to_the_lowest_labels(digits):
    small = digits.subset(203, 14, seed=0)
    assert np.bincount(small.y_train).tolist() == [21] * 3 + [20] * 7
    assert np.bincount(small.y_test).tolist() == [2] * 4 + [1] * 6


def test_a_subset_keeps_images_with_their_labels_in_the_original_order(digits):
    small = digits.subset(200, 50, seed=3)
    chosen = indices(small.x_train)
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(small.y_train, digits.y_train[chosen])
    assert np.array_equal(small.y_test, digits.y_test[indices(small.x_test)])


def test_none_keeps_a_half_as_it_is(digits):
    small = digits.subset(None, 10, seed=0)
    assert np.array_equal(small.x_train, digits.x_train)
    assert len(small.x_test) == 10


def test_a_subset_is_fixed_by_the_seed(digits):
    def chosen(seed):
        return indices(digits.subset(100, None, seed).x_train).tolist()

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def test_a_smaller_subset_lies_in_a_larger_one(digits):
    small, large = (set(indices(digits.subset(n, None, 5).x_train)) for n in (50, 400))
    assert small < large


def test_the_subset_does_not_touch_the_global_random_state(digits):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    digits.subset(100, 50, 0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_what_a_small_class_lacks_the_others_fill_in():
    small = dataset([0] * 2 + [1] * 50 + [2] * 50).subset(30, None, seed=0)
    assert np.bincount(small.y_train).tolist() == [2, 14, 14]


def test_the_whole_set_is_a_subset_of_itself(digits):
    assert np.array_equal(digits.subset(1000, 100, 0).x_train, digits.x_train)


@pytest.mark.parametrize("size", [9, 0, -1, 1001])
def test_a_train_size_out_of_range_is_named_with_what_is_allowed(digits, one_line_error, size):
    one_line_error(UsageError, lambda: digits.subset(size, None, 0), "train_size", f"{size:,}", "10 to 1,000")


def test_a_test_size_out_of_range_is_named_with_what_is_allowed(digits, one_line_error):
    one_line_error(UsageError, lambda: digits.subset(None, 101, 0), "test_size", "101", "10 to 100")


def test_the_validation_split_is_balanced_and_disjoint_from_the_rest(digits):
    rest, x_val, y_val = digits.split_validation(100, seed=0)
    assert np.bincount(y_val).tolist() == [10] * 10
    assert np.array_equal(y_val, digits.y_train[indices(x_val)])
    assert np.array_equal(rest.y_train, digits.y_train[indices(rest.x_train)])
    assert sorted([*indices(x_val), *indices(rest.x_train)]) == list(range(1000))
    assert (np.diff(indices(rest.x_train)) > 0).all()
    assert rest.x_test is digits.x_test


def test_the_validation_split_is_not_the_subset_of_the_same_seed(digits):
    _, x_val, _ = digits.split_validation(100, seed=0)
    assert set(indices(x_val)) != set(indices(digits.subset(100, None, seed=0).x_train))


@pytest.mark.parametrize("size", [9, 991])
def test_a_validation_size_out_of_range_is_named_with_what_is_allowed(digits, one_line_error, size):
    one_line_error(UsageError, lambda: digits.split_validation(size, 0), "validation size", str(size), "10 to 990")


def test_the_validation_split_leaves_every_class_a_training_image():
    rest, _, _ = dataset([0] * 2 + [1] * 50).split_validation(40, seed=0)
    assert np.bincount(rest.y_train).tolist() == [1, 11]


@settings(deadline=None)
@given(st.data())
def test_a_subset_has_the_size_asked_for_and_is_as_even_as_the_classes_allow(data):
    counts = data.draw(st.lists(st.integers(1, 12), min_size=2, max_size=6))
    size = data.draw(st.integers(len(counts), sum(counts)))
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = np.bincount(dataset(labels).subset(size, None, 0).y_train, minlength=len(counts))
    assert chosen.sum() == size
    open_classes = chosen < counts
    if open_classes.any():
        assert chosen.max() - chosen[open_classes].min() <= 1
