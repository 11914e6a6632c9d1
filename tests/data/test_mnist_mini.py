import importlib.util
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from quatnet.data import mnist_mini

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_mnist_mini.py"


@pytest.fixture(scope="module")
def mini():
    return mnist_mini.load()


@pytest.fixture
def script():
    if not SCRIPT.is_file():
        pytest.skip("needs the repository's scripts folder")
    spec = importlib.util.spec_from_file_location("make_mnist_mini", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_holds_digits_of_28_by_28_bytes(mini):
    assert mini.x_train.shape == (8000, 28, 28, 1)
    assert mini.x_test.shape == (2000, 28, 28, 1)
    assert mini.x_train.dtype == np.uint8
    assert mini.y_train.dtype == np.int64
    assert mini.input_shape == (28, 28, 1)


def test_its_classes_are_balanced(mini):
    assert np.bincount(mini.y_train).tolist() == [800] * 10
    assert np.bincount(mini.y_test).tolist() == [200] * 10


def test_no_image_is_in_both_halves(mini):
    assert not {image.tobytes() for image in mini.x_train} & {image.tobytes() for image in mini.x_test}


def test_its_statistics_are_those_of_mnist(mini):
    assert mini.x_train.mean() / 255 == pytest.approx(0.1307, abs=0.002)
    assert mini.x_train.std() / 255 == pytest.approx(0.3081, abs=0.002)
    assert (mini.mean, mini.std) == ((0.1307,), (0.3081,))


def test_the_images_look_like_their_labels(mini):
    centroids = np.stack([mini.x_train[mini.y_train == k].mean(axis=0).ravel() for k in range(10)])
    test = mini.x_test.reshape(2000, -1).astype(float)
    distances = (centroids**2).sum(axis=1) - 2 * test @ centroids.T
    assert (distances.argmin(axis=1) == mini.y_test).mean() > 0.78


def test_the_licence_travels_with_the_images():
    text = (resources.files("quatnet.data") / "builtin" / "MNIST-LICENSE.txt").read_text(encoding="utf-8")
    for part in ("LeCun", "Cortes", "CC BY-SA 3.0", "Changes made", "by-sa/3.0/"):
        assert part in text


def test_the_archive_is_written_with_the_same_bytes_on_every_run(script, tmp_path):
    arrays = {"x": np.arange(1000), "y": np.ones((3, 4))}
    script.write_npz(tmp_path / "a.npz", arrays)
    script.write_npz(tmp_path / "b.npz", arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as found:
        assert np.array_equal(found["x"], arrays["x"])


def test_the_script_cuts_a_folder_of_idx_files(script, tmp_path, write_files, idx_files, monkeypatch, capsys):
    folder = write_files(tmp_path / "digits", idx_files)
    monkeypatch.setattr(script, "TRAIN_SIZE", 10)
    monkeypatch.setattr(script, "TEST_SIZE", 10)
    monkeypatch.setattr(sys, "argv", ["make_mnist_mini.py", str(folder), "--to", str(tmp_path / "mini.npz")])
    script.main()
    with np.load(tmp_path / "mini.npz") as found:
        assert sorted(found["y_train"].tolist()) == list(range(10))
    assert "10 + 10 images" in capsys.readouterr().out
