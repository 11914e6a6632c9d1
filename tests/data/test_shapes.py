import numpy as np
import pytest

from quatnet.data import shapes
from quatnet.data.preprocess import channel_statistics

LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def drawn():
    return shapes.load()


def relation_by_colour(images):
    """Which way the colour of an image turns from its border to its mean: a rule that looks at colour alone."""
    rgb = images / 255
    luma = rgb @ LUMA
    chroma = np.stack([rgb[..., 2] - luma, rgb[..., 0] - luma], axis=-1)
    border = np.concatenate([chroma[:, 0], chroma[:, -1], chroma[:, :, 0], chroma[:, :, -1]], axis=1).mean(axis=1)
    mean = chroma.mean(axis=(1, 2))
    return (border[:, 0] * mean[:, 1] - border[:, 1] * mean[:, 0] < 0).astype(int)


def test_the_set_has_8000_and_2000_balanced_colour_images(drawn):
    assert drawn.x_train.shape == (8000, 32, 32, 3)
    assert drawn.x_test.shape == (2000, 32, 32, 3)
    assert drawn.x_train.dtype == np.uint8
    assert np.bincount(drawn.y_train).tolist() == [800] * 10
    assert np.bincount(drawn.y_test).tolist() == [200] * 10
    assert drawn.classes == 10


def test_one_seed_gives_the_same_bytes_and_another_gives_others(drawn):
    again, other = shapes.load(0, 100, 50), shapes.load(1, 100, 50)
    assert again.x_train.tobytes() == shapes.load(0, 100, 50).x_train.tobytes()
    assert again.x_train.tobytes() != other.x_train.tobytes()
    assert shapes.load(0).x_train.tobytes() == drawn.x_train.tobytes()


def test_training_and_test_images_differ(drawn):
    assert not {image.tobytes() for image in drawn.x_train} & {image.tobytes() for image in drawn.x_test}


def test_the_constants_are_the_statistics_of_the_training_images(drawn):
    mean, std = channel_statistics(drawn.x_train)
    np.testing.assert_allclose(drawn.mean, mean, atol=1e-4)
    np.testing.assert_allclose(drawn.std, std, atol=1e-4)


def test_the_relation_of_the_colours_changes_the_image_but_not_its_gray_version():
    labels = np.arange(200) % 5
    ahead, behind = (shapes._draw(labels + shift, np.random.default_rng(3)) for shift in (0, 5))
    gray = np.abs(ahead @ LUMA - behind @ LUMA)
    colour = np.abs(ahead.astype(float) - behind).max(axis=-1)
    assert np.quantile(gray, 0.999) <= 1  # rounding to bytes
    assert np.quantile(colour, 0.9) > 30


def test_colour_tells_the_relation_and_gray_does_not(drawn):
    relation = drawn.y_test // 5
    assert (relation_by_colour(drawn.x_test) == relation).mean() > 0.95
    gray = np.repeat(np.rint(drawn.x_test @ LUMA)[..., None], 3, axis=-1)
    assert abs((relation_by_colour(gray) == relation).mean() - 0.5) < 0.05


def test_the_mean_colour_alone_does_not_tell_the_class(drawn):
    def features(images):
        mean = images.mean(axis=(1, 2)) / 255 - 0.5
        return np.column_stack([mean, np.ones(len(mean))])

    weights, *_ = np.linalg.lstsq(features(drawn.x_train), np.eye(10)[drawn.y_train], rcond=None)
    accuracy = (np.argmax(features(drawn.x_test) @ weights, axis=1) == drawn.y_test).mean()
    assert accuracy < 0.2
