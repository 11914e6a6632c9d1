import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quatnet.data import augment, normalize
from quatnet.data.descriptions import CIFAR_MEAN, CIFAR_STD
from quatnet.data.preprocess import Normalizer, channel_statistics, draw_crops

uint8_nhwc = hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.just(3)))


def slow_augment(images, generator, padding):
    """The definition, one pixel after the other."""
    n, h, w, _ = images.shape
    rows = generator.integers(0, 2 * padding + 1, size=n)
    columns = generator.integers(0, 2 * padding + 1, size=n)
    flips = generator.integers(0, 2, size=n)
    out = np.zeros_like(images)
    for k in range(n):
        for y in range(h):
            for x in range(w):
                from_y = y + rows[k] - padding
                from_x = (w - 1 - x if flips[k] else x) + columns[k] - padding
                if 0 <= from_y < h and 0 <= from_x < w:
                    out[k, y, x] = images[k, from_y, from_x]
    return out


@settings(deadline=None)
@given(uint8_nhwc)
def test_bytes_are_scaled_and_normalised_per_channel(images):
    expected = (images.astype(np.float64) / 255 - CIFAR_MEAN) / CIFAR_STD
    found = normalize(images, CIFAR_MEAN, CIFAR_STD, np.float32)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_float64_is_normalised_in_float64(images_nhwc):
    expected = (images_nhwc / 255 - CIFAR_MEAN) / CIFAR_STD
    found = normalize(images_nhwc, CIFAR_MEAN, CIFAR_STD, np.float64)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_float_images_are_taken_as_already_scaled():
    images = np.random.default_rng(0).random((3, 4, 5, 1), np.float32)
    np.testing.assert_allclose(normalize(images, (0.5,), (0.25,)), (images - 0.5) / 0.25, rtol=1e-6, atol=1e-6)


def test_normalising_leaves_the_images_alone():
    images = np.ones((2, 3, 3, 1), np.float32)
    normalize(images, (0.5,), (0.5,))
    assert (images == 1).all()


def test_a_view_is_normalised_like_its_copy(images_nhwc):
    view = images_nhwc[::2, :, ::-1]
    assert np.array_equal(normalize(view, CIFAR_MEAN, CIFAR_STD), normalize(view.copy(), CIFAR_MEAN, CIFAR_STD))


@settings(deadline=None)
@given(uint8_nhwc, st.integers(0, 5), st.integers(0, 1000))
def test_augmentation_is_the_slow_definition(images, padding, seed):
    expected = slow_augment(images, np.random.default_rng(seed), padding)
    found = augment(images, np.random.default_rng(seed), padding)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 5), st.integers(0, 1000))
def test_the_numbers_of_many_batches_are_drawn_batch_by_batch(sizes, padding, seed):
    random = np.random.default_rng(seed)
    expected = [draw_crops(random, [size], padding) for size in sizes]
    np.testing.assert_array_equal(
        draw_crops(np.random.default_rng(seed), sizes, padding), np.concatenate(expected, axis=1)
    )


@settings(deadline=None)
@given(uint8_nhwc, st.integers(0, 1000))
def test_a_batch_is_chosen_cropped_and_normalised(images, seed):
    random = np.random.default_rng(seed)
    order = random.integers(0, len(images), 5)
    crops = draw_crops(np.random.default_rng(seed), [5])
    normalizer = Normalizer(np.uint8, images.shape[1:], CIFAR_MEAN, CIFAR_STD, np.float32, np)
    plain = normalize(images[order], CIFAR_MEAN, CIFAR_STD)
    np.testing.assert_array_equal(normalizer.batch(images, order), plain)
    augmented = normalize(augment(images[order], np.random.default_rng(seed)), CIFAR_MEAN, CIFAR_STD)
    np.testing.assert_array_equal(normalizer.batch(images, order, crops), augmented)


def test_float_images_are_augmented_as_floats():
    images = np.random.default_rng(0).random((5, 6, 7, 1), np.float32)
    found = augment(images, np.random.default_rng(1), padding=2)
    assert found.dtype == np.float32
    assert np.array_equal(found, slow_augment(images, np.random.default_rng(1), 2))


def test_augmenting_leaves_the_images_alone(images_nhwc):
    before = images_nhwc.copy()
    augment(images_nhwc, np.random.default_rng(0))
    assert np.array_equal(images_nhwc, before)


def test_half_of_the_images_are_mirrored_and_all_places_are_used():
    images = np.zeros((4000, 2, 2, 1), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = 1, 2
    found = augment(images, np.random.default_rng(0), padding=1)
    upright, mirrored = (found[:, 0, :, 0] == [1, 2]).all(1).sum(), (found[:, 0, :, 0] == [2, 1]).all(1).sum()
    assert upright == pytest.approx(4000 / 18, rel=0.25)
    assert mirrored == pytest.approx(4000 / 18, rel=0.25)
    assert len(np.unique(found.reshape(4000, 4), axis=0)) > 9


def test_statistics_of_bytes_are_exact():
    images = np.random.default_rng(0).integers(0, 256, (50, 7, 6, 3), dtype=np.uint8)
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean((0, 1, 2)), rtol=1e-14)
    np.testing.assert_allclose(std, (images / 255).std((0, 1, 2)), rtol=1e-12)


def test_statistics_of_floats_are_of_the_floats():
    images = np.random.default_rng(0).random((50, 7, 6, 2), np.float32)
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2), np.float64), rtol=1e-12)
    np.testing.assert_allclose(std, images.std((0, 1, 2), np.float64), rtol=1e-12)


def test_a_constant_channel_can_be_divided_by_its_deviation():
    assert channel_statistics(np.full((2, 3, 3, 1), 51, np.uint8)) == ((0.2,), (1.0,))
