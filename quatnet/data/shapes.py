"""Shapes: a procedural 32 x 32 colour set in which neither the shape nor the brightness alone tells the class.

Every image shows one of five shapes (disc, ring, square, triangle, cross) on a ground. The hue of the shape
lies a third of the colour circle ahead of the ground's hue, or a third behind it: five shapes times two
relations are the ten classes. The ground's hue is uniform, so the colour of the shape or of the ground alone
says nothing, and luma (the brightness of 0.299 R + 0.587 G + 0.114 B) is drawn apart from hue, so a gray
version of the image tells the shape but not the relation. Place, size, rotation, luma, saturation, a shading
of the ground and pixel noise vary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quatnet.data.dataset import Dataset
from quatnet.data.descriptions import SHAPES, SHAPES_CLASSES, SHAPES_MEAN, SHAPES_STD
from quatnet.streams import Stream, generator

_SIZE = 32
_CHUNK = 500
_HUE_JITTER = np.deg2rad(25)
_NOISE = 0.05

Floats = NDArray[np.float32]


def load(seed: int = 0, train_size: int = 8000, test_size: int = 2000) -> Dataset:
    """Draw the set: (n, 32, 32, 3) uint8 images, classes as even as their number allows.

    One seed gives the same images on every call.
    """
    x_train, y_train = draw(train_size, generator(seed, Stream.SHAPES, 0))
    x_test, y_test = draw(test_size, generator(seed, Stream.SHAPES, 1))
    return Dataset(
        name="shapes",
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=SHAPES_CLASSES,
        mean=SHAPES_MEAN,
        std=SHAPES_STD,
        augment=False,
        source=f"built in, drawn from seed {seed}",
    )


def draw(n: int, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw `n` images (n, 32, 32, 3) uint8 and their labels (n,) int64, in random order."""
    labels = random.permutation(np.arange(n) % len(SHAPES_CLASSES))
    images = np.empty((n, _SIZE, _SIZE, 3), np.uint8)
    for start in range(0, n, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        images[chunk] = _draw(labels[chunk], random)
    return images, labels


def _draw(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    relation, shape = np.divmod(labels, len(SHAPES))
    coverage = _coverage(shape, random)[..., None]

    n = len(labels)
    ground_hue = random.uniform(0, 2 * np.pi, n)
    third = np.where(relation == 0, 1, -1) * (2 * np.pi / 3)
    shape_hue = ground_hue + third + random.uniform(-_HUE_JITTER, _HUE_JITTER, n)
    ground_luma = random.uniform(0.40, 0.60, n)
    shape_luma = ground_luma + random.choice([-1, 1], n) * random.uniform(0.04, 0.15, n)

    ground = _colour(ground_luma, ground_hue, random.uniform(0.09, 0.18, n))
    figure = _colour(shape_luma, shape_hue, random.uniform(0.09, 0.18, n))
    image = ground[:, None, None] + coverage * (figure - ground)[:, None, None]
    image += _shading(n, random)[..., None]
    image += _NOISE * random.standard_normal(image.shape, np.float32)
    scaled: Floats = np.rint(np.clip(image, 0, 1) * 255)
    return scaled.astype(np.uint8)


def _colour(luma: NDArray[np.float64], hue: NDArray[np.float64], chroma: NDArray[np.float64]) -> Floats:
    """Return RGB (n, 3) of the given luma, whose colour differences lie at the angle `hue`."""
    blue, red = chroma * np.cos(hue), chroma * np.sin(hue)
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=-1)
    return rgb.astype(np.float32)


def _shading(n: int, random: np.random.Generator) -> Floats:
    """Return one linear slope of brightness per image, (n, 32, 32), at most 0.1 up and down."""
    angle = random.uniform(0, 2 * np.pi, n)
    height = random.uniform(0, 0.1, n)
    ramp = np.linspace(-1, 1, _SIZE, dtype=np.float32) / np.float32(np.sqrt(2))
    x, y = ((height * f(angle)).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    return np.asarray(x * ramp + y * ramp[:, None])


def _coverage(shape: NDArray[np.int64], random: np.random.Generator) -> Floats:
    """Return how much of each pixel the shape covers, (n, 32, 32) in [0, 1], edges one pixel soft."""
    n = len(shape)
    radius = random.uniform(6, 11, n)
    angle = random.uniform(0, 2 * np.pi, n)
    centre = (_SIZE - 1) / 2 + (_SIZE / 2 - radius) * random.uniform(-1, 1, (2, n)) * 0.8
    row, column, cosine, sine, scale = (
        values.astype(np.float32)[:, None, None] for values in (*centre, np.cos(angle), np.sin(angle), radius)
    )
    pixels = np.arange(_SIZE, dtype=np.float32)
    y, x = (pixels[:, None] - row) / scale, (pixels - column) / scale
    u, v = cosine * x + sine * y, cosine * y - sine * x
    outside = np.empty((n, _SIZE, _SIZE), np.float32)
    for index, distance in enumerate((_disc, _ring, _square, _triangle, _cross)):
        drawn = shape == index
        outside[drawn] = distance(u[drawn], v[drawn])
    return np.asarray(np.clip(0.5 - scale * outside, 0, 1))


# Distances to the outline of a shape of about unit size, negative inside.


def _disc(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.hypot(u, v) - np.float32(0.9))


def _ring(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.abs(np.hypot(u, v) - np.float32(0.75)) - np.float32(0.25))


def _square(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.maximum(np.abs(u), np.abs(v)) - np.float32(0.8))


def _triangle(u: Floats, v: Floats) -> Floats:
    slope = np.float32(np.sqrt(3) / 2)
    return np.asarray(np.maximum(np.maximum(slope * u, -slope * u) + v / 2, -v) - np.float32(0.5))


def _cross(u: Floats, v: Floats) -> Floats:
    u, v = np.abs(u), np.abs(v)
    return np.asarray(np.maximum(np.maximum(u, v) - 1, np.minimum(u, v) - np.float32(0.35)))
