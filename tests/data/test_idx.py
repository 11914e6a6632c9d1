import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quatnet.data import idx
from quatnet.data.layouts import IDX_FILES
from quatnet.errors import DataError

IMAGES, LABELS = IDX_FILES[:2]
TEST_IMAGES = IDX_FILES[2]


@pytest.fixture
def folder(tmp_path, write_files, idx_files):
    return write_files(tmp_path / "digits", idx_files)


@settings(deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)), st.booleans())
def test_images_come_back_as_they_were_written(idx_bytes, images, zipped):
    content = idx_bytes(images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("images.gz" if zipped else "images")
        path.write_bytes(gzip.compress(content) if zipped else content)
        found = idx.read_images(path)
    assert found.dtype == np.uint8
    assert np.array_equal(found, images[..., None])


@settings(deadline=None)
@given(hnp.arrays(np.uint8, st.integers(1, 50)))
def test_labels_come_back_as_int64(idx_bytes, labels):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels"
        path.write_bytes(idx_bytes(labels))
        found = idx.read_labels(path)
    assert found.dtype == np.int64
    assert np.array_equal(found, labels)


def test_a_folder_gives_both_halves(folder):
    x_train, y_train, x_test, y_test = idx.read_folder(folder, classes=10)
    assert x_train.shape == (20, 5, 4, 1)
    assert x_test.shape == (10, 5, 4, 1)
    assert y_train.tolist() == [*range(10), *range(10)]
    assert y_test.tolist() == [*range(10)]


def test_a_folder_may_mix_plain_and_gzipped_files(folder):
    plain = folder / LABELS
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert len(idx.read_folder(folder)[1]) == 20


def test_a_missing_file_is_named_with_all_that_are_expected(folder, one_line_error):
    (folder / TEST_IMAGES).unlink()
    one_line_error(DataError, lambda: idx.read_folder(folder), folder, f"{TEST_IMAGES}.gz", *IDX_FILES)


def test_reading_a_path_that_does_not_exist_says_so(tmp_path, one_line_error):
    path = tmp_path / "images"
    one_line_error(DataError, lambda: idx.read_images(path), path, "no such file")


def test_reading_a_directory_says_that_it_cannot_be_read(tmp_path, one_line_error):
    one_line_error(DataError, lambda: idx.read_images(tmp_path), tmp_path, "cannot be read")


def test_labels_where_images_are_expected_are_found_out(folder, one_line_error):
    path = folder / LABELS
    one_line_error(DataError, lambda: idx.read_images(path), path, "idx labels", "expected idx images")


def test_images_where_labels_are_expected_are_found_out(folder, one_line_error):
    path = folder / IMAGES
    one_line_error(DataError, lambda: idx.read_labels(path), path, "idx images", "expected idx labels")


def test_another_type_code_is_named(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.zeros((2, 3, 3)), type_code=0x0D))
    one_line_error(DataError, lambda: idx.read_images(path), path, "idx of float32 with 3 dimensions")


def test_a_file_of_another_kind_is_named_by_its_magic_number(tmp_path, one_line_error):
    path = tmp_path / "images"
    path.write_bytes(b"\x89PNG more")
    one_line_error(DataError, lambda: idx.read_images(path), path, "magic number 0x89504e47")


@pytest.mark.parametrize("length", [0, 3, 4, 15])
def test_a_file_cut_in_its_header_is_truncated(tmp_path, idx_bytes, one_line_error, length):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.zeros((2, 3, 3)))[:length])
    one_line_error(DataError, lambda: idx.read_images(path), path, "truncated")


def test_a_plain_file_cut_in_its_data_is_truncated(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.zeros((20, 3, 3)))[:-3])
    one_line_error(DataError, lambda: idx.read_images(path), path, "truncated, 177 bytes", "expected 180")


def test_a_gzipped_file_cut_before_compression_is_truncated(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((20, 3, 3)))[:-3]))
    one_line_error(DataError, lambda: idx.read_images(path), path, "truncated, 177 bytes", "expected 180")


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_a_header_that_announces_more_than_the_file_can_hold_allocates_nothing(tmp_path, one_line_error, name):
    path = tmp_path / name
    content = struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"\0" * 50
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    one_line_error(DataError, lambda: idx.read_images(path), path, "more than it can hold")


def test_a_dimension_of_zero_is_empty(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.zeros((0, 28, 28))))
    one_line_error(DataError, lambda: idx.read_images(path), path, "empty", "0 x 28 x 28")


@pytest.mark.parametrize("zipped", [False, True])
def test_bytes_after_the_data_are_an_error(tmp_path, idx_bytes, one_line_error, zipped):
    content = idx_bytes(np.zeros((2, 3, 3))) + b"x"
    path = tmp_path / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(content) if zipped else content)
    one_line_error(DataError, lambda: idx.read_images(path), path, "bytes after the end", "expected 18")


def test_a_gzip_file_that_breaks_off_is_damaged(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(90).reshape(10, 3, 3)))[:-12])
    one_line_error(DataError, lambda: idx.read_images(path), path, "damaged gzip")


def test_a_flipped_bit_fails_the_checksum_of_gzip(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images.gz"
    content = bytearray(gzip.compress(idx_bytes(np.arange(90).reshape(10, 3, 3)), compresslevel=0))
    content[60] ^= 1
    path.write_bytes(content)
    one_line_error(DataError, lambda: idx.read_images(path), path, "damaged gzip")


def test_a_plain_file_called_gz_is_damaged_gzip(tmp_path, idx_bytes, one_line_error):
    path = tmp_path / "images.gz"
    path.write_bytes(idx_bytes(np.zeros((2, 3, 3))))
    one_line_error(DataError, lambda: idx.read_images(path), path, "damaged gzip")


def test_a_corrupt_deflate_stream_is_damaged_gzip(tmp_path, one_line_error):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(b"")[:10] + b"\xff" * 40)
    one_line_error(DataError, lambda: idx.read_images(path), path, "damaged gzip")


def test_images_and_labels_must_be_equally_many(folder, idx_bytes, one_line_error):
    (folder / LABELS).write_bytes(idx_bytes(np.zeros(19)))
    one_line_error(DataError, lambda: idx.read_folder(folder), folder / LABELS, "19 labels", "expected 20")


def test_a_label_out_of_range_is_named_with_its_position(folder, idx_bytes, one_line_error):
    (folder / LABELS).write_bytes(idx_bytes(np.array([*range(10), 10, *range(9)])))
    call = lambda: idx.read_folder(folder, classes=10)  # noqa: E731
    one_line_error(DataError, call, folder / LABELS, "label 10 at position 10", "0..9")


def test_test_images_have_the_size_of_the_training_images(folder, idx_bytes, one_line_error):
    (folder / TEST_IMAGES).write_bytes(idx_bytes(np.zeros((10, 4, 4))))
    one_line_error(DataError, lambda: idx.read_folder(folder), folder / TEST_IMAGES, "4 x 4", "expected 5 x 4")
