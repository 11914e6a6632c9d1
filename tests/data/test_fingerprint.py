"""Fingerprints: they change with every image and label."""

import numpy as np
import pytest

import quatnet
from quatnet.data.fingerprint import DataDescription
from quatnet.training import TrainingData
from tests import small


@pytest.fixture
def describe(tmp_path):
    """The description of a small set after changing its arrays."""

    def make(change=lambda arrays: None, **given):
        arrays = small.arrays()
        change(arrays)
        np.savez(tmp_path / "small.npz", **arrays)
        settings = small.train_settings(tmp_path / "small.npz", **given)
        data = TrainingData.cut(quatnet.data.load(settings.dataset), settings)
        return DataDescription.of(data.dataset, data.x_validation, data.y_validation)

    return make


def change_first_pixel(name):
    def change(arrays):
        arrays[name].reshape(-1)[0] ^= 1

    return change


def swap_labels(name):
    def change(arrays):
        arrays[name][[0, 1]] = arrays[name][[1, 0]]

    return change


def test_a_description_holds_what_images_are_like(describe):
    found = describe()
    assert (found.train_images, found.test_images, found.input_shape) == (60, 25, (4, 4, 1))
    assert found.class_names == ("0", "1", "2")
    pixels = small.arrays()["x_train"] / 255
    assert (found.mean[0], found.std[0]) == pytest.approx((pixels.mean(), pixels.std()))


def test_equal_data_have_equal_fingerprints(describe):
    assert describe() == describe()


@pytest.mark.parametrize(
    "change",
    [change_first_pixel("x_train"), change_first_pixel("x_test"), swap_labels("y_train"), swap_labels("y_test")],
    ids=["a training pixel", "a test pixel", "two training labels", "two test labels"],
)
def test_a_single_change_of_the_data_gives_another_fingerprint(describe, change):
    assert describe(change).fingerprint != describe().fingerprint


def test_a_change_of_an_image_held_out_for_validation_gives_another_fingerprint(describe):
    fingerprints = set()
    for image in range(60):
        fingerprints.add(describe(lambda arrays, k=image: arrays["x_train"][k].fill(k), validation_size=9).fingerprint)
    assert len(fingerprints) == 60
