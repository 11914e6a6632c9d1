"""Image files as network inputs: PNG and JPEG through Pillow, and .npy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quatnet.errors import DataError, UsageError


def read_images(path: Path, shape: tuple[int, int, int], *, invert: bool = False) -> list[tuple[str, np.ndarray]]:
    """Return the images of a file as (name, uint8 or float32 array of `shape` (h, w, c)) pairs.

    A picture is laid on white where it is transparent, converted to the channels of `shape` and resized to its height
    and width (bilinear). An .npy array
    must have the shape (h, w), (h, w, c), (n, h, w) or (n, h, w, c); its images are named PATH[0], PATH[1], ... .

    Raises DataError for a missing or damaged file, UsageError for an array of another shape or type.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix.lower() == ".npy":
        return _read_npy(path, shape, invert)
    return [(str(path), _read_picture(path, shape, invert))]


def check_scale(path: Path, image: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> None:
    """Raise a UsageError for bytes where a network was trained on floats that, by their moments, were not from 0 to 1.

    `mean` and `std` are those of the training images, per channel: values from 0 to 1 with the mean m have a variance
    of at most m (1 - m). The deviation of a constant channel is given as 1.
    """
    pixels = all(0 <= m <= 1 and (s**2 <= m * (1 - m) + 1e-6 or s == 1) for m, s in zip(mean, std, strict=True))
    if image.dtype == np.uint8 and not pixels:
        raise UsageError(
            f"{path}: bytes from 0 to 255 given; the network was trained on floats outside 0 to 1 (mean"
            f" {_numbers(mean)}, standard deviation {_numbers(std)}); an .npy file of floats like those is needed"
        )


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Return raw images as uint8: of floats from 0 to 1, the nearest of 256 values.

    A UsageError for other floats: they are not pixels, and bytes cannot hold them.
    """
    if images.dtype == np.uint8:
        return images
    if images.min(initial=0) < 0 or images.max(initial=0) > 1:
        raise UsageError(f"images: {images.min():g} to {images.max():g} given; C programs read bytes, for 0 to 1")
    pixels: np.ndarray = np.rint(255 * images).astype(np.uint8)
    return pixels


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _read_picture(path: Path, shape: tuple[int, int, int], invert: bool) -> np.ndarray:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise UsageError(f"{path}: reading pictures needs Pillow (extra `plot`); .npy files work without") from None
    height, width, channels = shape
    if channels not in (1, 3):
        raise UsageError(f"{path}: the network reads images of {channels} channels; give them as .npy")
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            if upright.mode.startswith("I"):  # 16 bits, which convert() would clip
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            upright = upright.convert("L" if channels == 1 else "RGB")
            resized = upright.resize((width, height), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable picture ({error})") from None
    image = np.asarray(resized, np.uint8).reshape(shape)
    return 255 - image if invert else image


def _read_npy(path: Path, shape: tuple[int, int, int], invert: bool) -> list[tuple[str, np.ndarray]]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npy file ({error})") from None
    if not isinstance(array, np.ndarray) or not (array.dtype == np.uint8 or array.dtype.kind == "f"):
        kind = getattr(array, "dtype", type(array).__name__)
        raise UsageError(f"{path}: {kind} given; uint8 (0 to 255) or float (0 to 1) is needed")
    stacked = array.ndim == 4 or (array.ndim == 3 and array.shape != shape)
    images = array if stacked else array[None]
    if images.ndim == 3 and shape[2] == 1:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise UsageError(f"{path}: shape {array.shape} given; images of {shape} are needed")
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise UsageError(f"{path}: NaN or infinite values given; finite ones are needed")
    if invert:
        images = 255 - images if images.dtype == np.uint8 else 1 - images
    names = [f"{path}[{index}]" for index in range(len(images))] if stacked else [str(path)]
    return list(zip(names, images, strict=True))
