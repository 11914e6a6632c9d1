"""`quatnet data`."""

import pytest
import requests

from tests.data.conftest import IDX_FILES


def test_the_list_has_every_named_set_and_where_it_is(quatnet, tmp_path):
    values = quatnet.json("data", "list")
    assert values["data_dir"] == str(tmp_path / "data")
    where = {entry["name"]: entry["where"] for entry in values["datasets"]}
    assert where == {
        **dict.fromkeys(("mnist", "fashion-mnist", "cifar10", "cifar100"), "not here"),
        **dict.fromkeys(("mnist-mini", "shapes"), "built in"),
    }


def test_the_list_says_what_each_set_is_for(quatnet):
    lines = quatnet("data", "list").splitlines()
    assert any(line.startswith("mnist: ") and "(the paper's for lenet-300-100, lenet-12)" in line for line in lines)
    assert any(
        line.startswith("shapes: ") and "(default of conv-2, conv-4, conv-6, resnet-20, " in line for line in lines
    )


def test_data_dir_is_where_sets_are_looked_for(quatnet, tmp_path):
    assert quatnet.json("data", "list", "--data-dir", "elsewhere")["data_dir"] == "elsewhere"


def test_show_counts_the_images_of_every_class(quatnet):
    values = quatnet.json("data", "show", "digits.npz")
    assert (values["name"], values["input_shape"]) == ("digits", [8, 8, 1])
    assert values["classes"] == [{"name": str(k), "train": 20, "test": 10} for k in range(4)]


def test_show_says_what_a_set_is(quatnet):
    lines = quatnet("data", "show", "digits.npz").splitlines()
    assert lines[0] == "digits: digits.npz"
    assert lines[1] == "80 training and 40 test images of 8x8x1, uint8"
    assert lines[3] == "training with random crop and flip: no"
    assert lines[5].split() == ["class", "label", "train", "test"]
    assert lines[6].split() == ["0", "0", "20", "10"]


def test_a_set_that_is_not_here_is_missing_data_and_says_what_to_do(quatnet):
    message = quatnet.error(3, "data", "show", "mnist")
    assert "get it with `quatnet data fetch mnist`, or use the built-in mnist-mini" in message


def test_a_damaged_file_is_damaged_data(quatnet, tmp_path):
    (tmp_path / "digits.npz").write_bytes(b"no archive")
    assert quatnet.error(3, "data", "show", "digits.npz").startswith("digits.npz: damaged or not an .npz file")


def test_an_unknown_name_is_an_error_with_the_nearest_one(quatnet):
    assert "did you mean mnist?" in quatnet.error(2, "data", "show", "mnits")


@pytest.fixture
def no_network(monkeypatch):
    def get(*arguments, **given):
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "get", get)


@pytest.mark.usefixtures("no_network")
def test_fetching_without_a_network_is_missing_data(quatnet):
    message = quatnet.error(3, "data", "fetch", "mnist")
    assert "no connection" in message
    assert "by hand" in message


@pytest.mark.usefixtures("no_network")
def test_fetching_what_has_no_download_is_an_error(quatnet):
    message = quatnet.error(2, "data", "fetch", "mnist-mini")
    assert message.endswith("allowed are mnist, fashion-mnist, cifar10, cifar100")


@pytest.fixture
def downloaded(monkeypatch, tmp_path):
    """What `data fetch` is given instead of a download; it reports two steps of one file."""

    def fetch(name, data_dir, progress):
        progress(IDX_FILES[0], 500, 1000)
        progress(IDX_FILES[0], 1000, 1000)
        return data_dir / name

    monkeypatch.setattr("quatnet.data.download.fetch", fetch)
    return tmp_path / "data"


def test_fetch_says_where_the_sets_are(quatnet, downloaded):
    lines = quatnet("data", "fetch", "mnist", "cifar10").splitlines()
    assert lines == [f"mnist: {downloaded / 'mnist'}", f"cifar10: {downloaded / 'cifar10'}"]


def test_the_json_object_of_fetch_has_the_paths(quatnet, downloaded):
    assert quatnet.json("data", "fetch", "mnist") == {"paths": {"mnist": str(downloaded / "mnist")}}


def test_on_a_terminal_fetch_shows_a_bar_per_file(quatnet, downloaded, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert IDX_FILES[0] in quatnet("data", "fetch", "mnist")
