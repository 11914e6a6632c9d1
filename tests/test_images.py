"""Pictures and arrays as network inputs."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quatnet.data.preprocess import channel_statistics
from quatnet.errors import DataError, UsageError
from quatnet.images import check_scale, read_images

GRAY, COLOUR = (8, 8, 1), (8, 8, 3)


@pytest.fixture
def gray():
    """A random gray image (8, 8)."""
    return np.random.default_rng(0).integers(0, 256, GRAY[:2], dtype=np.uint8)


@pytest.fixture
def colour():
    """A random colour image (8, 8, 3)."""
    return np.random.default_rng(1).integers(0, 256, COLOUR, dtype=np.uint8)


@pytest.fixture
def saved(tmp_path):
    """Save an array as a picture or as .npy, and return its path."""

    def save(array, name="image.png"):
        path = tmp_path / name
        if name.lower().endswith(".npy"):
            with path.open("wb") as file:
                np.save(file, array)
        else:
            Image.fromarray(array).save(path)
        return path

    return save


def read_one(path, shape, **given):
    ((name, image),) = read_images(path, shape, **given)
    assert name == str(path)
    assert image.shape == shape
    return image


# pictures


def test_a_gray_png_of_the_right_size_is_read_as_it_is(saved, gray):
    np.testing.assert_array_equal(read_one(saved(gray), GRAY)[..., 0], gray)


def test_a_colour_png_of_the_right_size_is_read_as_it_is(saved, colour):
    np.testing.assert_array_equal(read_one(saved(colour), COLOUR), colour)


def test_a_jpeg_is_read_almost_as_it_is(saved):
    ramp = np.tile(np.arange(0, 256, 32, dtype=np.uint8), (8, 1))
    found = read_one(saved(ramp, "image.jpg"), GRAY)[..., 0]
    assert np.abs(found.astype(int) - ramp).max() < 12


def test_a_colour_picture_becomes_gray_for_a_gray_network(saved, colour):
    expected = colour @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(read_one(saved(colour), GRAY)[..., 0], expected, atol=1)


def test_a_gray_picture_becomes_three_equal_channels_for_a_colour_network(saved, gray):
    np.testing.assert_array_equal(read_one(saved(gray), COLOUR), np.stack([gray] * 3, axis=-1))


def test_a_picture_of_another_size_is_resized(saved):
    halves = np.zeros((40, 60), np.uint8)
    halves[:, 30:] = 255
    found = read_one(saved(halves), GRAY)[..., 0]
    assert found[:, :3].max() == 0
    assert found[:, 5:].min() == 255


def test_a_transparent_picture_is_laid_on_white(saved):
    transparent = np.zeros((8, 8, 4), np.uint8)
    transparent[2:6, 2:6, 3] = 255
    found = read_one(saved(transparent), GRAY)[..., 0]
    assert found[0, 0] == 255
    assert found[4, 4] == 0


def test_a_picture_of_sixteen_bits_is_scaled(saved, gray):
    found = read_one(saved(gray.astype(np.uint16) * 256), GRAY)[..., 0]
    np.testing.assert_array_equal(found, gray)


def test_invert_swaps_black_and_white(saved, gray):
    np.testing.assert_array_equal(read_one(saved(gray), GRAY, invert=True)[..., 0], 255 - gray)


@pytest.mark.parametrize("name", ["image.png", "image.jpg"])
@pytest.mark.parametrize("length", [0, 10, 120])
def test_a_damaged_picture_is_damaged_data(saved, colour, name, length):
    path = saved(np.kron(colour, np.ones((8, 8, 1), np.uint8)), name)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="not a readable picture"):
        read_images(path, COLOUR)


def test_a_file_that_is_not_there_is_missing_data(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.png: no such file"):
        read_images(tmp_path / "nothing.png", GRAY)


def test_without_pillow_arrays_can_still_be_read(saved, gray, monkeypatch):
    png, npy = saved(gray), saved(gray, "image.npy")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match="needs Pillow"):
        read_images(png, GRAY)
    np.testing.assert_array_equal(read_one(npy, GRAY)[..., 0], gray)


def test_a_network_of_two_channels_reads_no_pictures(saved, gray):
    with pytest.raises(UsageError, match=r"2 channels; give them as \.npy"):
        read_images(saved(gray), (8, 8, 2))


# arrays


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1)])
def test_one_gray_array_is_named_by_its_file(saved, gray, shape):
    found = read_one(saved(gray.reshape(shape), "image.npy"), GRAY)
    np.testing.assert_array_equal(found[..., 0], gray)


@pytest.mark.parametrize(("shape", "network"), [((3, 8, 8), GRAY), ((3, 8, 8, 1), GRAY), ((3, 8, 8, 3), COLOUR)])
def test_a_stack_of_arrays_is_named_by_number(saved, shape, network):
    stack = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    path = saved(stack, "stack.npy")
    found = read_images(path, network)
    assert [name for name, _ in found] == [f"{path}[{k}]" for k in range(3)]
    np.testing.assert_array_equal(np.stack([image for _, image in found]), stack.reshape(3, *network))


def test_one_colour_array_is_read_as_it_is(saved, colour):
    np.testing.assert_array_equal(read_one(saved(colour, "image.npy"), COLOUR), colour)


def test_the_ending_may_be_in_capitals(saved, gray):
    np.testing.assert_array_equal(read_one(saved(gray, "IMAGE.NPY"), GRAY)[..., 0], gray)


def test_floats_become_float32_and_are_inverted_around_one(saved, gray):
    path = saved(gray / 255, "image.npy")
    assert read_one(path, GRAY).dtype == np.float32
    np.testing.assert_allclose(read_one(path, GRAY, invert=True)[..., 0], 1 - gray / 255, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(7, 8), (8,), (0, 8, 8), (8, 8, 3), (2, 2, 8, 8, 1)])
def test_an_array_of_another_shape_is_an_error(saved, shape):
    with pytest.raises(UsageError, match=r"images of \(8, 8, 1\) are needed"):
        read_images(saved(np.zeros(shape, np.uint8), "image.npy"), GRAY)


@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_an_array_of_another_type_is_an_error(saved, dtype):
    with pytest.raises(UsageError, match=f"{np.dtype(dtype)} given; uint8"):
        read_images(saved(np.zeros((8, 8), dtype), "image.npy"), GRAY)


def test_an_archive_is_no_array(tmp_path):
    path = tmp_path / "archive.npy"
    with path.open("wb") as file:
        np.savez(file, image=np.zeros((8, 8)))
    with pytest.raises(UsageError, match="NpzFile given"):
        read_images(path, GRAY)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_damaged_array_is_damaged_data(tmp_path, content):
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npy file"):
        read_images(path, GRAY)


def test_no_pickle_is_loaded(tmp_path):
    path = tmp_path / "pickle.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"not a readable \.npy file"):
        read_images(path, GRAY)


# bytes for a network that was trained on something else


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).random((9, 4, 4, 2)),
        np.random.default_rng(0).integers(0, 2, (9, 4, 4, 2)).astype(np.float32),
        np.random.default_rng(0).integers(0, 256, (9, 4, 4, 2), dtype=np.uint8),
        np.full((9, 4, 4, 2), 0.25),
        np.array([0.0, 1.0] * 16).reshape(1, 4, 4, 2).repeat(2, axis=0),
    ],
    ids=["uniform", "black and white", "bytes", "constant", "constant channels at both ends"],
)
def test_bytes_are_right_for_a_network_of_pixels_from_0_to_1(values):
    check_scale(Path("a.png"), np.zeros((2, 2, 2), np.uint8), *channel_statistics(values))


@pytest.mark.parametrize(("scale", "shift"), [(255, 0), (2, -1), (12**0.5, -(3**0.5)), (1, 0.6), (1.6, -0.6)])
def test_bytes_for_a_network_of_other_numbers_are_an_error_and_floats_are_not(scale, shift):
    statistics = channel_statistics(scale * np.random.default_rng(0).random((9, 4, 4, 2)) + shift)
    check_scale(Path("a.npy"), np.zeros((2, 2, 2), np.float32), *statistics)
    with pytest.raises(UsageError, match=r"a\.png: bytes from 0 to 255 given; the network was trained on"):
        check_scale(Path("a.png"), np.zeros((2, 2, 2), np.uint8), *statistics)
