import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest

from quatnet import data
from quatnet.data import catalogue
from quatnet.data.descriptions import DESCRIPTIONS
from quatnet.data.layouts import CIFAR10, CIFAR100, IDX_FILES
from quatnet.errors import DataError, UsageError

LABELS = IDX_FILES[1]


@pytest.fixture
def digits(tmp_path, write_files, idx_files):
    return write_files(tmp_path / "mnist", idx_files)


def start_labels(folder, idx_bytes, name):
    """Let the training labels begin as those of the official set `name` do."""
    first = DESCRIPTIONS[name].first_labels
    (folder / LABELS).write_bytes(idx_bytes(np.array([*first, *range(10)])))


@pytest.mark.parametrize("name", ["mnist-mini", "shapes"])
def test_built_in_sets_load_without_a_data_directory(name, tmp_path):
    loaded = data.load(name, data_dir=tmp_path / "nowhere")
    known = DESCRIPTIONS[name]
    assert loaded.name == name
    assert loaded.input_shape == known.shape
    assert (len(loaded.x_train), len(loaded.x_test)) == (known.train_images, known.test_images)
    assert not loaded.augment


def test_mnist_is_read_from_its_folder_and_says_that_it_is_a_part(digits, tmp_path):
    loaded = data.load("mnist", data_dir=tmp_path)
    assert loaded.name == "mnist"
    assert loaded.mean == (0.1307,)
    assert not loaded.augment
    assert loaded.source == f"{digits} (part: 20 of 60,000 training images, 10 of 10,000 test images)"


def test_a_whole_set_names_its_path_alone(digits, tmp_path, monkeypatch):
    small = dataclasses.replace(DESCRIPTIONS["mnist"], train_images=20, test_images=10)
    monkeypatch.setitem(DESCRIPTIONS, "mnist", small)
    assert data.load("mnist", data_dir=tmp_path).source == str(digits)


@pytest.mark.parametrize(("name", "layout"), [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_a_cifar_is_read_from_its_folder_and_augmented(name, layout, tmp_path, write_files, request):
    folder = write_files(tmp_path / layout.folder, request.getfixturevalue(f"{name}_files"))
    loaded = data.load(name, data_dir=tmp_path)
    assert loaded.name == name
    assert loaded.augment
    assert loaded.input_shape == (32, 32, 3)
    assert loaded.classes == layout.label_ranges[-1]
    assert loaded.mean == (0.485, 0.456, 0.406)
    assert loaded.source.startswith(f"{folder} (part: 20 of 50,000 training images")


def test_a_path_to_a_cifar_folder_or_archive_is_recognised(tmp_path, write_files, cifar10_files, tar_bytes):
    folder = write_files(tmp_path / "pictures", cifar10_files)
    archive = tmp_path / "pictures.tgz"
    archive.write_bytes(tar_bytes(cifar10_files))
    assert data.load(folder).name == data.load(str(archive)).name == "cifar10"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_path_to_idx_files_is_told_apart_by_its_first_labels(digits, idx_bytes, name):
    start_labels(digits, idx_bytes, name)
    loaded = data.load(digits)
    assert loaded.name == name
    assert loaded.class_names == DESCRIPTIONS[name].class_names


def test_idx_files_of_another_origin_have_their_own_name_and_statistics(digits):
    loaded = data.load(digits)
    assert loaded.name == "mnist"
    assert loaded.source == str(digits)
    assert loaded.classes == 10
    assert loaded.mean == (pytest.approx(loaded.x_train.mean() / 255),)


def test_fashion_in_the_folder_of_mnist_is_found_out(digits, idx_bytes, tmp_path, one_line_error):
    start_labels(digits, idx_bytes, "fashion-mnist")
    call = lambda: data.load("mnist", data_dir=tmp_path)  # noqa: E731
    one_line_error(DataError, call, digits, "labels of fashion-mnist", "expected those of mnist")


def test_a_path_to_an_npz_file_is_read(tmp_path):
    images, labels = np.zeros((4, 5, 5), np.uint8), np.arange(4) % 2
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert data.load(tmp_path / "own.npz").name == "own"


def test_an_unknown_name_lists_the_names_and_the_nearest(one_line_error):
    one_line_error(UsageError, lambda: data.load("mnits"), "'mnits', did you mean mnist?", *DESCRIPTIONS)


def test_an_unknown_name_like_none_of_them_lists_the_names(one_line_error):
    message = one_line_error(UsageError, lambda: data.load("zzz"), *DESCRIPTIONS)
    assert "did you mean" not in message


@pytest.mark.parametrize("name", ["no/such/folder", "nothing.npz"])
def test_a_path_that_does_not_exist_is_named(name, one_line_error):
    one_line_error(DataError, lambda: data.load(name), name, "no such file or folder")


@pytest.mark.parametrize("name", ["notes.txt", "train-images-idx3-ubyte.gz"])
def test_a_file_of_no_known_format_is_named_with_what_is_allowed(tmp_path, one_line_error, name):
    (tmp_path / name).write_text("hello")
    one_line_error(DataError, lambda: data.load(tmp_path / name), name, "unknown format", "folder of idx files")


def test_a_folder_of_no_known_format_is_named(tmp_path, one_line_error):
    one_line_error(DataError, lambda: data.load(tmp_path), tmp_path, "unknown format")


def test_a_missing_mnist_says_what_was_looked_for_and_how_to_get_it(tmp_path, one_line_error):
    message = one_line_error(DataError, lambda: data.load("mnist", data_dir=tmp_path))
    assert message == (
        f"data set mnist is not here: no train-images-idx3-ubyte.gz in {tmp_path / 'mnist'}; "
        "get it with `quatnet data fetch mnist`, or use the built-in mnist-mini"
    )


def test_the_first_missing_idx_file_is_named(digits, tmp_path, one_line_error):
    (digits / LABELS).unlink()
    one_line_error(DataError, lambda: data.load("mnist", data_dir=tmp_path), f"no {LABELS}.gz in {digits}")


def test_a_missing_cifar_says_what_was_looked_for_and_how_to_get_it(tmp_path, one_line_error):
    message = one_line_error(DataError, lambda: data.load("cifar10", data_dir=tmp_path))
    assert message == (
        f"data set cifar10 is not here: no cifar-10-binary.tar.gz or cifar-10-batches-bin/ in {tmp_path}; "
        "get it with `quatnet data fetch cifar10`, or use the built-in shapes"
    )


def test_a_damaged_file_of_a_named_set_is_named(digits, tmp_path, one_line_error):
    (digits / f"{LABELS}.gz").write_bytes(gzip.compress(b"\0\0\x08\x01")[:-3])
    one_line_error(DataError, lambda: data.load("mnist", data_dir=tmp_path), f"{LABELS}.gz", "damaged gzip file")


def test_the_data_directory_comes_from_the_environment_or_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("QUATNET_DATA", str(tmp_path))
    assert data.default_data_dir() == tmp_path
    monkeypatch.delenv("QUATNET_DATA")
    assert data.default_data_dir() == Path.home() / ".cache" / "quatnet-data"


def test_the_data_directory_of_the_environment_is_where_sets_are_looked_for(monkeypatch, tmp_path, one_line_error):
    monkeypatch.setenv("QUATNET_DATA", str(tmp_path))
    one_line_error(DataError, lambda: data.load("cifar100"), f"in {tmp_path};")


def test_the_list_says_of_every_set_where_it_is(tmp_path, digits, write_files, cifar100_files):
    folder = write_files(tmp_path / CIFAR100.folder, cifar100_files)
    assert {entry.name: entry.where for entry in data.entries(tmp_path)} == {
        "mnist": str(digits),
        "fashion-mnist": "not here",
        "cifar10": "not here",
        "cifar100": f"{folder} (part of the set)",
        "mnist-mini": "built in",
        "shapes": "built in",
    }


def test_pickles_are_not_listed_as_a_data_set(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert [entry.where for entry in data.entries(tmp_path) if entry.name == "cifar10"] == ["not here"]


def test_the_list_has_the_facts_of_every_set(tmp_path):
    by_name = {entry.name: entry for entry in data.entries(tmp_path)}
    assert by_name["cifar100"].classes == len(set(DESCRIPTIONS["cifar100"].class_names)) == 100
    assert by_name["fashion-mnist"].licence == "MIT"
    assert by_name["cifar10"].shape == (32, 32, 3)


def test_the_package_exports_its_public_names_only():
    assert set(data.__all__) == {
        *("Dataset", "load", "fetch", "entries", "default_data_dir", "normalize", "augment"),
    }
    assert catalogue.load is data.load
