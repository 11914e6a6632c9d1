import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quatnet.data import cifar
from quatnet.data.layouts import CIFAR10, CIFAR100, locate_cifar
from quatnet.errors import DataError


@pytest.fixture
def folder10(tmp_path, write_files, cifar10_files):
    return write_files(tmp_path / CIFAR10.folder, cifar10_files)


@pytest.fixture
def folder100(tmp_path, write_files, cifar100_files):
    return write_files(tmp_path / CIFAR100.folder, cifar100_files)


@settings(deadline=None, max_examples=25)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.just(32), st.just(32), st.just(3))),
    st.lists(st.integers(0, 99), min_size=3, max_size=3),
)
def test_images_and_fine_labels_come_back_as_they_were_written(cifar_bytes, images, labels):
    content = cifar_bytes(images, [7, 7, 7], labels)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("train.bin", "test.bin"):
            (Path(folder) / name).write_bytes(content)
        x_train, y_train, x_test, y_test = cifar.read(CIFAR100, Path(folder))
    assert np.array_equal(x_train, images)
    assert np.array_equal(x_test, images)
    assert y_train.tolist() == y_test.tolist() == labels[: len(images)]


def test_the_batches_of_cifar10_are_joined_in_order(folder10, images_nhwc):
    x_train, y_train, x_test, y_test = cifar.read(CIFAR10, folder10)
    assert np.array_equal(x_train, images_nhwc)
    assert np.array_equal(x_test, images_nhwc[:10])
    assert y_train.tolist() == [*range(10), *range(10)]
    assert y_test.tolist() == [*range(10)]


def test_images_are_contiguous_bytes_and_labels_are_int64(folder10):
    x_train, y_train, _, _ = cifar.read(CIFAR10, folder10)
    assert x_train.dtype == np.uint8
    assert x_train.flags.c_contiguous
    assert y_train.dtype == np.int64


@pytest.mark.parametrize("layout", [CIFAR10, CIFAR100], ids=lambda layout: layout.title)
def test_an_archive_reads_like_its_folder(layout, tmp_path, folder10, folder100, tar_bytes):
    folder = tmp_path / layout.folder
    files = {f"{layout.folder}/{path.name}": path.read_bytes() for path in folder.iterdir()}
    archive = tmp_path / layout.archive
    archive.write_bytes(tar_bytes({f"{layout.folder}/readme.html": b"hello", **dict(reversed(files.items()))}))
    for found, expected in zip(cifar.read(layout, archive), cifar.read(layout, folder), strict=True):
        assert np.array_equal(found, expected)


def test_reading_an_archive_writes_nothing_to_disk(tmp_path, cifar10_files, tar_bytes):
    archive = tmp_path / CIFAR10.archive
    archive.write_bytes(tar_bytes(cifar10_files))
    cifar.read(CIFAR10, archive)
    assert list(tmp_path.iterdir()) == [archive]


def test_a_missing_batch_is_named(folder10, one_line_error):
    (folder10 / "data_batch_3.bin").unlink()
    one_line_error(DataError, lambda: cifar.read(CIFAR10, folder10), folder10, "data_batch_3.bin missing", "CIFAR-10")


def test_a_batch_missing_in_an_archive_is_named(tmp_path, cifar10_files, tar_bytes, one_line_error):
    del cifar10_files["test_batch.bin"]
    archive = tmp_path / CIFAR10.archive
    archive.write_bytes(tar_bytes(cifar10_files))
    one_line_error(DataError, lambda: cifar.read(CIFAR10, archive), archive, "test_batch.bin missing")


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: b""], ids=["cut", "empty"])
def test_a_size_that_is_no_multiple_of_the_record_is_an_error(folder10, one_line_error, change):
    path = folder10 / "data_batch_2.bin"
    path.write_bytes(change(path.read_bytes()))
    one_line_error(DataError, lambda: cifar.read(CIFAR10, folder10), path, "bytes, expected a multiple of 3,073")


def test_a_cifar100_file_in_the_place_of_a_cifar10_batch_is_found_out(folder10, cifar_bytes, one_line_error):
    path = folder10 / "data_batch_1.bin"
    content = cifar_bytes(np.zeros((3073, 32, 32, 3), np.uint8), np.full(3073, 3), np.full(3073, 42))
    path.write_bytes(content)
    one_line_error(DataError, lambda: cifar.read(CIFAR10, folder10), path, "label 42", "expected 0..9 in a CIFAR-10")


@pytest.mark.parametrize(("coarse", "fine", "wrong"), [(20, 5, "label 20"), (5, 100, "label 100")])
def test_both_labels_of_cifar100_are_checked(folder100, images_nhwc, cifar_bytes, one_line_error, coarse, fine, wrong):
    path = folder100 / "test.bin"
    path.write_bytes(cifar_bytes(images_nhwc[:2], [0, coarse], [0, fine]))
    one_line_error(DataError, lambda: cifar.read(CIFAR100, folder100), path, f"{wrong} in record 1", "CIFAR-100")


@pytest.mark.parametrize("cut", [10, 5000])
def test_an_archive_that_breaks_off_is_damaged(tmp_path, cifar10_files, tar_bytes, one_line_error, cut):
    archive = tmp_path / CIFAR10.archive
    archive.write_bytes(tar_bytes(cifar10_files)[:cut])
    one_line_error(DataError, lambda: cifar.read(CIFAR10, archive), archive, "damaged")


def test_a_flipped_bit_in_an_archive_is_damage(tmp_path, cifar10_files, tar_bytes, one_line_error):
    archive = tmp_path / CIFAR10.archive
    content = bytearray(tar_bytes(cifar10_files))
    content[30:40] = bytes(byte ^ 0xFF for byte in content[30:40])
    archive.write_bytes(content)
    one_line_error(DataError, lambda: cifar.read(CIFAR10, archive), archive)


@pytest.mark.parametrize(
    "content", [b"", b"plainly no archive" * 100, gzip.compress(b"no tar", mtime=0)], ids=["empty", "text", "gzip"]
)
def test_a_file_that_is_no_archive_is_named(tmp_path, one_line_error, content):
    archive = tmp_path / "some.tar.gz"
    archive.write_bytes(content)
    one_line_error(DataError, lambda: cifar.recognise(archive), archive, "not a tar archive")


def test_an_archive_that_is_not_there_cannot_be_read(tmp_path, one_line_error):
    archive = tmp_path / "some.tar.gz"
    one_line_error(DataError, lambda: cifar.read(CIFAR10, archive), archive, "cannot be read")


def test_folders_and_archives_are_recognised_by_the_names_in_them(
    tmp_path, folder10, folder100, cifar100_files, tar_bytes
):
    archive = tmp_path / "renamed.tar"
    archive.write_bytes(gzip.decompress(tar_bytes({f"data/{name}": b for name, b in cifar100_files.items()})))
    assert cifar.recognise(folder10) is CIFAR10
    assert cifar.recognise(folder100) is CIFAR100
    assert cifar.recognise(archive) is CIFAR100


def test_a_folder_of_anything_else_is_not_recognised(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert cifar.recognise(tmp_path) is None


@pytest.mark.parametrize(
    ("layout", "files"), [(CIFAR10, ["data_batch_1", "test_batch"]), (CIFAR100, ["train", "test", "meta"])]
)
def test_a_folder_of_pickles_is_refused_with_the_file_to_get(tmp_path, write_files, one_line_error, layout, files):
    folder = write_files(tmp_path / "python", dict.fromkeys(files, b"\x80\x04."))
    one_line_error(DataError, lambda: cifar.recognise(folder), folder, "pickles are never loaded", layout.archive)


def test_an_archive_of_pickles_is_refused_with_the_file_to_get(tmp_path, tar_bytes, one_line_error):
    archive = tmp_path / "cifar-10-python.tar.gz"
    names = ("cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch")
    archive.write_bytes(tar_bytes(dict.fromkeys(names, b"\x80\x04.")))
    one_line_error(DataError, lambda: cifar.recognise(archive), "pickles are never loaded", CIFAR10.archive)


@pytest.mark.parametrize("name", ["cifar-100-python", "cifar-100-python.tar.gz"])
def test_pickles_in_the_data_directory_are_refused(tmp_path, one_line_error, name):
    (tmp_path / name).touch()
    one_line_error(DataError, lambda: locate_cifar(CIFAR100, tmp_path), "never loaded", "cifar-100-binary.tar.gz")


def test_nothing_is_located_in_an_empty_directory(tmp_path):
    assert locate_cifar(CIFAR10, tmp_path) is None


def test_an_archive_is_preferred_to_a_part_of_the_set(tmp_path, folder100):
    assert locate_cifar(CIFAR100, tmp_path) == folder100
    (tmp_path / CIFAR100.archive).touch()
    assert locate_cifar(CIFAR100, tmp_path) == tmp_path / CIFAR100.archive


def test_a_whole_folder_is_preferred_to_an_archive(tmp_path):
    folder = tmp_path / CIFAR100.folder
    folder.mkdir()
    for name, images in (("train.bin", 50_000), ("test.bin", 10_000)):
        with (folder / name).open("wb") as file:
            file.truncate(3074 * images)  # sparse: holds no blocks
    (tmp_path / CIFAR100.archive).touch()
    assert locate_cifar(CIFAR100, tmp_path) == folder
