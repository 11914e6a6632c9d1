"""`quatnet predict`."""

import sys

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def test_images(quatnet):
    """The 40 test images (n, 8, 8, 1)."""
    with np.load("digits.npz") as data:
        return data["x_test"]


def test_a_png_is_classified_as_the_same_array_is(quatnet, run, test_images):
    Image.fromarray(test_images[0, ..., 0]).save("one.png")
    np.save("one.npy", test_images[0])
    png, npy = quatnet("predict", run, "one.png", "one.npy").splitlines()
    assert png.split(": ")[1] == npy.split(": ")[1]


def test_most_test_images_are_classified_right(quatnet, run, test_images):
    np.save("all.npy", test_images)
    accuracy = quatnet.json("evaluate", run)["accuracy"]
    labels = [prediction["label"] for prediction in quatnet.json("predict", run, "all.npy")["predictions"]]
    assert 100 * np.mean(labels == np.arange(40) % 4) == accuracy


def test_the_json_object_has_the_best_classes_of_every_image(quatnet, run, test_images):
    np.save("two.npy", test_images[:2])
    values = quatnet.json("predict", run, "two.npy", "--top", 2, "--round", 1)
    assert (values["run"], values["round"]) == (str(run), 1)
    assert [prediction["image"] for prediction in values["predictions"]] == ["two.npy[0]", "two.npy[1]"]
    first = values["predictions"][0]
    assert len(first["top"]) == 2
    assert first["top"][0] == {key: first[key] for key in ("class", "label", "probability")}
    assert first["top"][0]["probability"] >= first["top"][1]["probability"]


def test_the_line_of_an_image_has_its_best_classes_in_percent(quatnet, run, test_images):
    np.save("one.npy", test_images[0])
    line = quatnet("predict", run, "one.npy", "--top", 99).strip()
    name, classes = line.split(": ")
    assert name == "one.npy"
    percents = [float(text.split()[1]) for text in classes.split(", ")]
    assert percents == sorted(percents, reverse=True)
    assert sum(percents) == pytest.approx(100, abs=0.3)


def test_invert_swaps_black_and_white(quatnet, run, test_images):
    np.save("one.npy", test_images[0])
    np.save("inverted.npy", 255 - test_images[0])
    straight = quatnet.json("predict", run, "one.npy")["predictions"][0]
    inverted = quatnet.json("predict", run, "inverted.npy", "--invert")["predictions"][0]
    assert inverted["top"] == straight["top"]


def test_a_damaged_picture_is_an_error(quatnet, run, tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    assert quatnet.error(3, "predict", run, "bad.png").startswith("bad.png: not a readable picture")


def test_without_pillow_a_picture_is_an_error_that_says_what_to_do(quatnet, run, tmp_path, monkeypatch):
    (tmp_path / "one.png").touch()
    monkeypatch.setitem(sys.modules, "PIL", None)
    message = quatnet.error(2, "predict", run, "one.png")
    assert message == "one.png: reading pictures needs Pillow (extra `plot`); .npy files work without"


def test_a_picture_that_is_not_there_is_missing_data(quatnet, run):
    assert quatnet.error(3, "predict", run, "nothing.png") == "nothing.png: no such file"


def test_an_array_of_another_shape_is_an_error_that_names_the_right_one(quatnet, run, tmp_path):
    np.save("wrong.npy", np.zeros((7, 8), np.uint8))
    message = quatnet.error(2, "predict", run, "wrong.npy")
    assert message == "wrong.npy: shape (7, 8) given; images of (8, 8, 1) are needed"


def test_an_array_with_nan_is_an_error(quatnet, run):
    np.save("nan.npy", np.full((8, 8), np.nan))
    assert "NaN or infinite values given" in quatnet.error(2, "predict", run, "nan.npy")


def test_a_picture_for_a_network_of_other_numbers_is_an_error(quatnet, tmp_path, test_images):
    with np.load("digits.npz") as data:
        arrays = {key: data[key] / 1 if key.startswith("x") else data[key] for key in data}
    np.savez("floats.npz", **arrays)
    run = quatnet.json("train", "--arch", "lenet-12", "--dataset", "floats.npz", "--epochs", 1)["run"]
    np.save("one.npy", test_images[0])
    np.save("same.npy", test_images[0] / 1)
    assert "the network was trained on floats outside 0 to 1" in quatnet.error(2, "predict", run, "one.npy")
    assert quatnet("predict", run, "same.npy").startswith("same.npy: ")
