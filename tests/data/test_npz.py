import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quatnet.data import npz
from quatnet.errors import DataError


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (12, 6, 5, 3), dtype=np.uint8),
        "y_train": np.arange(12) % 3,
        "x_test": generator.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8),
        "y_test": np.arange(4) % 3,
    }


@pytest.fixture
def load(tmp_path, arrays):
    """Load the arrays, some of them replaced or, where None, left out."""

    def load(**changes):
        path = tmp_path / "birds.npz"
        np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
        return npz.load(path)

    return load


@settings(deadline=None, max_examples=25)
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=4, max_side=6)),
    st.sampled_from([np.uint8, np.int16, np.uint32, np.int64]),
    st.booleans(),
)
def test_images_and_labels_come_back_as_they_were_written(images, label_type, compressed):
    labels = np.arange(len(images)).astype(label_type)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.npz"
        save = np.savez_compressed if compressed else np.savez
        save(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
        found = npz.load(path)
    expected = images if images.ndim == 4 else images[..., None]
    assert np.array_equal(found.x_train, expected)
    assert np.array_equal(found.x_test, expected)
    assert found.y_train.dtype == np.int64
    assert found.y_train.tolist() == labels.tolist()
    assert found.classes == len(images)


def test_name_source_and_statistics_are_of_the_file(load, arrays, tmp_path):
    found = load()
    assert found.name == "birds"
    assert found.source == str(tmp_path / "birds.npz")
    assert found.class_names == ("0", "1", "2")
    assert not found.augment
    np.testing.assert_allclose(found.mean, (arrays["x_train"] / 255).mean((0, 1, 2)))
    np.testing.assert_allclose(found.std, (arrays["x_train"] / 255).std((0, 1, 2)))


def test_classes_may_have_names(load):
    assert load(class_names=np.array(["wren", "blue tit", "Ω"])).class_names == ("wren", "blue tit", "Ω")


def test_floats_of_any_width_become_float32(load, arrays):
    found = load(x_train=arrays["x_train"] / 255, x_test=(arrays["x_test"] / 255).astype(np.float16))
    assert found.x_train.dtype == found.x_test.dtype == np.float32
    np.testing.assert_allclose(found.x_train, arrays["x_train"] / 255, rtol=1e-6)


@pytest.mark.parametrize("key", npz.KEYS)
def test_a_missing_array_is_named(load, one_line_error, key):
    one_line_error(DataError, lambda: load(**{key: None}), "birds.npz", f"{key} missing", "y_test")


@pytest.mark.parametrize("key", npz.KEYS)
def test_an_array_of_objects_is_refused(load, one_line_error, key):
    one_line_error(DataError, lambda: load(**{key: np.array([{}, []], object)}), f"{key} is not a plain array")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"y_train": np.arange(11) % 3}, ["12 images in x_train", "11 labels in y_train"]),
        ({"y_test": np.arange(5) % 3}, ["4 images in x_test", "5 labels in y_test"]),
        ({"x_test": np.zeros((4, 5, 6, 3), np.uint8)}, ["x_test", "5 x 6 x 3", "expected uint8 images of 6 x 5 x 3"]),
        ({"x_test": np.zeros((4, 6, 5, 3))}, ["x_test", "float32", "expected uint8"]),
        ({"x_train": np.zeros((12, 30), np.uint8)}, ["x_train", "(12, 30)", "(n, h, w, c)"]),
        ({"x_test": np.zeros((0, 6, 5, 3), np.uint8)}, ["x_test", "(0, 6, 5, 3)", "none of them 0"]),
        ({"x_train": np.zeros((12, 6, 5, 3), np.int32)}, ["x_train", "int32", "uint8 or float"]),
        ({"x_test": np.full((4, 6, 5, 3), np.nan)}, ["x_test", "NaN or infinite"]),
        ({"x_train": np.full((12, 6, 5, 3), np.inf)}, ["x_train", "NaN or infinite"]),
        ({"y_train": np.arange(12) % 3 * 1.0}, ["y_train", "float64", "integers"]),
        ({"y_train": np.eye(12, dtype=int)}, ["y_train", "(12, 12)", "(n,)"]),
        ({"y_test": np.array([], int)}, ["y_test", "(0,)", "n above 0"]),
        ({"y_test": np.array([0, 1, -1, 2])}, ["y_test", "-1..2"]),
        ({"y_test": np.array([0, 1, 2, 2**63], np.uint64)}, ["y_test", "0..9223372036854775808"]),
        ({"y_train": np.arange(12) % 2 * 2}, ["y_train lacks class 1", "0..2"]),
        ({"y_test": np.array([0, 1, 2, 3])}, ["y_train lacks class 3", "0..3"]),
        ({"class_names": np.array(["a", "b"])}, ["class_names", "(2,)", "strings of shape (3,)"]),
        ({"class_names": np.array(["a", "b\n", "c"])}, ["class_names", r"'b\n'", "printable"]),
        ({"class_names": np.array(["a", "b", "a"])}, ["class_names", "'a'", "different"]),
        ({"class_names": np.array(["a", "", "c"])}, ["class_names", "''"]),
        ({"class_names": np.arange(3)}, ["class_names", "int64", "strings of shape (3,)"]),
        ({"class_names": np.array(["a", "b", None])}, ["class_names is not a plain array"]),
    ],
    ids=str,
)
def test_an_array_of_the_wrong_kind_is_named_with_what_is_expected(load, one_line_error, changes, parts):
    one_line_error(DataError, lambda: load(**changes), "birds.npz", *parts)


def test_a_missing_file_is_named(tmp_path, one_line_error):
    one_line_error(DataError, lambda: npz.load(tmp_path / "no.npz"), tmp_path / "no.npz", "no such file")


def test_a_directory_cannot_be_read(tmp_path, one_line_error):
    one_line_error(DataError, lambda: npz.load(tmp_path), tmp_path, "cannot be read")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\x93NUMPY"], ids=["empty", "pickle", "npy"])
def test_a_file_that_is_no_zip_is_named(tmp_path, one_line_error, content):
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    one_line_error(DataError, lambda: npz.load(path), path, "damaged or not an .npz file")


def test_a_truncated_file_is_damaged(tmp_path, arrays, one_line_error):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-40])
    one_line_error(DataError, lambda: npz.load(path), path, "damaged")


def test_a_flipped_bit_is_damage(tmp_path, arrays, one_line_error):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    one_line_error(DataError, lambda: npz.load(path), path, "damaged")
