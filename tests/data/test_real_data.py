"""The official sets, where they are on the machine."""

import numpy as np
import pytest

from quatnet import data
from quatnet.data import mnist_mini

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def real():
    """Load a named set once, or skip the test where it is not in the data directory."""
    loaded = {}

    def load(name):
        where = {entry.name: entry.where for entry in data.entries()}[name]
        if where == "not here":
            pytest.skip(f"{name} is not in {data.default_data_dir()}")
        if name not in loaded:
            loaded[name] = data.load(name)
        return loaded[name]

    return load


def test_mnist_has_its_known_counts_and_first_labels(real):
    mnist = real("mnist")
    assert mnist.x_train.shape == (60_000, 28, 28, 1)
    assert mnist.x_test.shape == (10_000, 28, 28, 1)
    assert mnist.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_constants_of_mnist_are_its_statistics(real):
    mnist = real("mnist")
    assert mnist.x_train.mean() / 255 == pytest.approx(mnist.mean[0], abs=5e-5)
    assert mnist.x_train.std() / 255 == pytest.approx(mnist.std[0], abs=5e-5)


def test_the_built_in_digits_are_images_of_mnist_with_their_labels(real):
    mnist, mini = real("mnist"), mnist_mini.load()
    for half in ("train", "test"):
        members = {
            (image.tobytes(), label)
            for image, label in zip(getattr(mnist, f"x_{half}"), getattr(mnist, f"y_{half}"), strict=True)
        }
        chosen = zip(getattr(mini, f"x_{half}"), getattr(mini, f"y_{half}"), strict=True)
        assert all((image.tobytes(), label) in members for image, label in chosen)


def test_fashion_mnist_has_its_known_counts_and_first_labels(real):
    fashion = real("fashion-mnist")
    assert np.bincount(fashion.y_train).tolist() == [6000] * 10
    assert np.bincount(fashion.y_test).tolist() == [1000] * 10
    assert fashion.y_train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert fashion.x_train.mean() / 255 == pytest.approx(fashion.mean[0], abs=5e-5)


def test_cifar10_has_its_known_counts_and_first_labels(real):
    cifar10 = real("cifar10")
    assert np.bincount(cifar10.y_train).tolist() == [5000] * 10
    assert np.bincount(cifar10.y_test).tolist() == [1000] * 10
    assert cifar10.y_test[:4].tolist() == [3, 8, 8, 0]
    assert cifar10.y_train[:4].tolist() == [6, 9, 9, 4]
    assert cifar10.class_names[3] == "cat"


def test_cifar100_is_balanced(real):
    cifar100 = real("cifar100")
    for labels in (cifar100.y_train, cifar100.y_test):
        assert len(set(np.bincount(labels, minlength=100).tolist())) == 1
