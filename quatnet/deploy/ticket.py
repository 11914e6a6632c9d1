"""The ticket: the smallest file that restores a trained, pruned network (its format: docs/ticket.md).

What is not stored follows from the architecture: the names and shapes of all parameters, and their order. A network of
float64 is stored as float32.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np

from quatnet.deploy import mask_codes
from quatnet.deploy.choices import VALUES
from quatnet.deploy.model import Description, Model
from quatnet.deploy.values import BYTES, HIGHEST, Reader, check, encode_weights, read_weights, varint
from quatnet.errors import RunError, UsageError
from quatnet.files import write_bytes
from quatnet.nn.architectures import architecture
from quatnet.nn.networks import count_parameters
from quatnet.settings import ModelSettings

MAGIC = b"QNT"
VERSION = 1

# The order of these tables is part of the file format.
ARCHITECTURES = ("lenet-300-100", "lenet-12", "conv-2", "conv-4", "conv-6", "resnet-20", "resnet-18", "vgg-16",
                 "resnet-20-conv")  # fmt: skip
NORMS = ("split", "whitening", "scalar")
PIXELS = (
    ((0.1307,), (0.3081,)),
    ((0.2860,), (0.3530,)),
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)
"""(mean, std) of MNIST, Fashion-MNIST and both CIFARs: numbers 1 to 3 in a file, in which 0 means that they follow."""

QUATERNION, SHUFFLED, WIDTH, NAMES = 1 << 2, 1 << 3, 1 << 6, 1 << 7
"""Flags; bits 0 and 1 are the index of the values, bits 4 and 5 that of the norm."""

# So that a file of a few bytes cannot ask for gigabytes.
MOST_WEIGHTS = 2**25
MOST_INPUTS = 2**24
MOST_CLASSES = 2**16


def write_ticket(path: Path, model: Model, values: str = "float32") -> int:
    """Write a ticket, and return its size in bytes.

    `values` is how the weights left are stored: float32, bit for bit; float16; or int8, with a float32 scale per
    weight. Biases, normalisations and their statistics are float32 always.

    Raises UsageError for other `values`, a number that they cannot hold, or a network beyond the limits of the format.
    """
    content = encode(model, values)
    write_bytes(Path(path), content)
    return len(content)


def read_ticket(path: Path) -> Model:
    """Return the model in a ticket, with its masks; a RunError if the file is missing, damaged, or no ticket."""
    try:
        return decode(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not a readable ticket ({error})") from None


def size(model: Model, values: str = "float32") -> int:
    """Return the size of a model's ticket in bytes."""
    return len(encode(model, values))


def quantised(model: Model, values: str) -> Model:
    """Return the model that comes back from a ticket with these values."""
    return decode(encode(model, values))


def entropy_bound(model: Model, values: str = "float32") -> float:
    """Return the bytes of all values, and of the masks if each weight's entries were left at random.

    4, 2 or 1 bytes for each weight left, 4 for each other value, and n H(density) / 8 for each mask.
    """
    check(values)
    parameters, statistics = model.network.parameters, model.network.statistics
    others = parameters.size - int(parameters.prunable.sum()) + statistics.size
    bits = sum(mask_codes.entropy(p.mask) for p in parameters.values() if p.prunable)
    return BYTES[values] * parameters.count_kept() + 4 * others + bits / 8


def encode(model: Model, values: str = "float32") -> bytes:
    """Return the content of a ticket; errors as `write_ticket`."""
    check(values)
    network = model.network
    if not np.isfinite(network.flat().astype(np.float32)).all():
        raise UsageError("the network has a value that is not a finite float32")
    parts = [_encode_description(model.description, values)]
    for name, parameter in network.parameters.items():
        value = parameter.value.astype("<f4")
        if parameter.prunable:
            parts.append(mask_codes.encode(parameter.mask))
            try:
                parts.append(encode_weights(value[parameter.mask], values))
            except ValueError as error:
                raise UsageError(f"values: {values} given; {name} has {error}") from None
        else:
            parts.append(value.tobytes())
    parts.append(network.statistics.value.astype("<f4").tobytes())
    return sealed(MAGIC, VERSION, b"".join(parts))


def decode(content: bytes) -> Model:
    """Return the model of a ticket's content; a ValueError that says what is wrong with it."""
    reader = opened(MAGIC, VERSION, content, "ticket")
    description, values = _read_description(reader)
    network = description.build()
    parameters = network.parameters
    value, mask = np.zeros(parameters.size, np.float32), np.ones(parameters.size, np.bool_)
    for name, parameter in parameters.items():
        part = parameters.slice(name)
        if parameter.prunable:
            mask[part] = mask_codes.read(reader, parameter.shape).ravel()
            left = np.flatnonzero(mask[part])
            value[part][left] = read_weights(reader, left.size, values)
        else:
            value[part] = reader.array("<f4", parameter.size)
    flat = np.concatenate([value, reader.array("<f4", network.statistics.size)])
    reader.end()
    if not np.isfinite(flat).all():
        raise ValueError("a value that is not finite")
    parameters.set_mask(mask)
    network.set_flat(flat)
    return Model(description, network)


def sealed(magic: bytes, version: int, body: bytes) -> bytes:
    """Return a file: magic, one byte of version, the body, and the CRC-32 of all this."""
    content = magic + bytes([version]) + body
    return content + zlib.crc32(content).to_bytes(4, "little")


def opened(magic: bytes, version: int, content: bytes, kind: str) -> Reader:
    """Return a reader of a file's body; a ValueError if the file is not whole, or not a `kind` of this version."""
    if content[: len(magic)] != magic:
        raise ValueError(f"it does not begin like a {kind}")
    if len(content) < len(magic) + 5:
        raise ValueError("it ends early")
    if content[len(magic)] != version:
        raise ValueError(f"its format has version {content[len(magic)]}; this quatnet reads version {version}")
    if zlib.crc32(content[:-4]).to_bytes(4, "little") != content[-4:]:
        raise ValueError("its checksum is wrong: it is damaged, or ends early")
    return Reader(content[len(magic) + 1 : -4])


def check_limits(arch: str, width: float, input_shape: tuple[int, int, int], classes: int) -> None:
    """Raise a UsageError for a network that is larger than a file may ask for."""
    if not 0 < width <= MOST_INPUTS:
        raise UsageError(f"width: {width:g} given; more than 0 and at most {MOST_INPUTS} is needed")
    if math.prod(input_shape) > MOST_INPUTS:
        raise UsageError(f"input_shape: {input_shape} given; a ticket has at most {MOST_INPUTS:,} numbers per image")
    if classes > MOST_CLASSES:
        raise UsageError(f"classes: {classes:,} given; a ticket has at most {MOST_CLASSES:,}")
    if (weights := count_parameters(arch, False, input_shape, classes, width)[0]) > MOST_WEIGHTS:
        raise UsageError(f"{arch}: {weights:,} real weights; a ticket has at most {MOST_WEIGHTS:,}")


def _encode_description(d: Description, values: str) -> bytes:
    s, classes = d.settings, len(d.class_names)
    arch = architecture(s.arch).name
    check_limits(arch, s.width, d.input_shape, classes)
    if s.seed > HIGHEST:
        raise UsageError(f"seed: {s.seed} given; a ticket holds seeds below 2^64")
    flags = VALUES.index(values) | QUATERNION * s.quaternion | SHUFFLED * (s.signs == "shuffled")
    flags |= NORMS.index(s.norm) << 4 | WIDTH * (s.width != 1) | NAMES * (d.class_names != _numbers(classes))
    parts = [bytes([ARCHITECTURES.index(arch), flags])]
    if flags & WIDTH:
        parts.append(_doubles(s.width))
    parts += [varint(number) for number in (s.seed, *d.input_shape, classes)]
    if flags & NAMES:
        for text in (name.encode() for name in d.class_names):
            parts += [varint(len(text)), text]
    if (d.mean, d.std) in PIXELS:
        parts.append(bytes([PIXELS.index((d.mean, d.std)) + 1]))
    else:
        parts.append(bytes([0]) + _doubles(*d.mean, *d.std))
    return b"".join(parts)


def _read_description(reader: Reader) -> tuple[Description, str]:
    arch, flags = reader.byte(), reader.byte()
    values, norm = flags & 3, flags >> 4 & 3
    if arch >= len(ARCHITECTURES) or values >= len(VALUES) or norm >= len(NORMS):
        raise ValueError(f"an unknown architecture or unknown flags ({arch}, {flags})")
    width = float(reader.array("<f8", 1)[0]) if flags & WIDTH else 1.0
    seed, h, w, channels, classes = (reader.varint() for _ in range(5))
    check_limits(ARCHITECTURES[arch], width, (h, w, channels), classes)
    names = _numbers(classes)
    if flags & NAMES:
        names = tuple(reader.take(reader.varint()).decode() for _ in range(classes))
    settings = ModelSettings(
        arch=ARCHITECTURES[arch],
        quaternion=bool(flags & QUATERNION),
        seed=seed,
        width=width,
        signs="shuffled" if flags & SHUFFLED else "hamilton",
        norm=NORMS[norm],
    )
    return Description(settings, (h, w, channels), names, *_read_pixels(reader, channels)), VALUES[values]


def _read_pixels(reader: Reader, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    index = reader.byte()
    if index > len(PIXELS):
        raise ValueError(f"an unknown normalisation of pixels ({index})")
    if index:
        mean, std = PIXELS[index - 1]
        if len(mean) != channels:
            raise ValueError(f"a normalisation of {len(mean)} channels for {channels}")
        return mean, std
    both = reader.array("<f8", 2 * channels)
    if not np.isfinite(both).all() or (both[channels:] <= 0).any():
        raise ValueError("a mean or a deviation of pixels that is none")
    return tuple(both[:channels].tolist()), tuple(both[channels:].tolist())


def _doubles(*numbers: float) -> bytes:
    return np.array(numbers, "<f8").tobytes()


def _numbers(classes: int) -> tuple[str, ...]:
    """Return the names 0, 1, 2 ..., which a file need not hold."""
    return tuple(str(k) for k in range(classes))
