"""Tickets: what comes back, how small they are, and that nothing but a whole ticket is read."""

import itertools
import math
import re
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.data.descriptions import (
    CIFAR_MEAN,
    CIFAR_STD,
    FASHION_MNIST_MEAN,
    FASHION_MNIST_STD,
    MNIST_MEAN,
    MNIST_STD,
)
from quatnet.deploy import ticket
from quatnet.deploy.choices import VALUES
from quatnet.deploy.model import Description, Model
from quatnet.deploy.ticket import decode, encode, entropy_bound, quantised, read_ticket, size, write_ticket
from quatnet.deploy.values import varint
from quatnet.errors import RunError, UsageError
from quatnet.nn.architectures import ARCHITECTURES
from quatnet.nn.networks import NORMALISATIONS
from quatnet.settings import ModelSettings
from tests import small
from tests.deploy import made
from tests.deploy.test_mask_codes import mask_at, varint_at
from tests.small import build

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ticket.md"
NETWORKS = [
    *((arch, quaternion, "split") for arch in ("lenet-12", "conv-2", "resnet-20") for quaternion in (False, True)),
    *(("resnet-20", True, norm) for norm in ("whitening", "scalar")),
]


def weights(model):
    return {name: parameter for name, parameter in model.network.parameters.items() if parameter.prunable}


def same_values(a, b):
    a, b = a.network.values(), b.network.values()
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def of_mnist(arch, *, quaternion, kept, seed=0):
    """A network for MNIST with `kept` weights at random."""
    settings = ModelSettings(arch=arch, quaternion=quaternion, seed=3)
    description = Description(settings, (28, 28, 1), tuple("0123456789"), MNIST_MEAN, MNIST_STD)
    network = description.build()
    parameters = network.parameters
    mask = ~parameters.prunable
    chosen = np.random.default_rng(seed).choice(np.flatnonzero(parameters.prunable), kept, replace=False)
    mask[chosen] = True
    parameters.set_mask(mask)
    return Model(description, network)


# what comes back


@pytest.mark.parametrize(("arch", "quaternion", "norm"), NETWORKS)
def test_a_float32_ticket_predicts_bit_for_bit_what_the_network_did(tmp_path, arch, quaternion, norm):
    model = made.model(arch, quaternion=quaternion, norm=norm)
    assert write_ticket(tmp_path / "t", model) == (tmp_path / "t").stat().st_size == size(model)
    back = read_ticket(tmp_path / "t")
    assert back.description == model.description
    assert back.masks == model.masks
    assert same_values(back, model)
    assert back.predict(made.images(model)).tobytes() == model.predict(made.images(model)).tobytes()


@pytest.mark.parametrize("values", VALUES)
def test_a_weight_that_is_left_and_zero_stays_left(values):
    model = made.model("lenet-12", quaternion=True)
    first, second = weights(model).values()
    first.value[first.mask] = 0
    second.value.reshape(-1)[np.flatnonzero(second.mask)[0]] = 0
    back = quantised(model, values)
    assert back.masks == model.masks
    assert not weights(back)["fc1.weight"].value.any()


@pytest.mark.parametrize("quaternion", [False, True])
def test_an_int8_weight_is_at_most_half_a_step_away(quaternion):
    model = made.model("resnet-20", quaternion=quaternion)
    back = quantised(model, "int8")
    for name, weight in weights(model).items():
        step = np.abs(weight.value).max() / 127
        error = np.abs(weights(back)[name].value - weight.value)
        assert 0.3 * step < error.max() <= 0.5 * step * (1 + 1e-5)
    assert back.masks == model.masks


def test_a_float16_weight_is_rounded_to_the_nearest():
    model = made.model("lenet-12", quaternion=True)
    back = quantised(model, "float16")
    for name, weight in weights(model).items():
        np.testing.assert_array_equal(weights(back)[name].value, weight.value.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("values", ["float16", "int8"])
def test_biases_and_normalisations_are_float32_whatever_the_weights_are(values):
    model = made.model("resnet-20", quaternion=True, norm="whitening")
    back = quantised(model, values).network.values()
    for name, value in model.network.values().items():
        assert np.array_equal(back[name], value) == (name not in weights(model))


def test_a_network_of_float64_comes_back_as_float32():
    model = made.model("lenet-12", quaternion=False)
    d = model.description
    double = build("lenet-12", quaternion=False, input_shape=d.input_shape, classes=len(d.class_names), dtype="float64")
    double.load({name: value.astype(np.float64) for name, value in model.network.values().items()})
    double.parameters.set_mask(model.network.parameters.mask.copy())
    back = decode(encode(Model(d, double)))
    assert back.network.parameters.dtype == np.float32
    assert same_values(back, model)


@given(
    st.builds(
        Description,
        settings=st.builds(
            ModelSettings,
            arch=st.sampled_from(["lenet-12", "lenet-300-100"]),
            quaternion=st.booleans(),
            seed=st.integers(0, 2**64 - 1),
            width=st.sampled_from([1.0, 1 / 3, 2.0, 4 / 300]),
            signs=st.sampled_from(["hamilton", "shuffled"]),
            norm=st.sampled_from(list(NORMALISATIONS)),
        ),
        input_shape=st.sampled_from([(4, 1, 1), (2, 2, 1), (3, 8, 1)]),
        class_names=st.lists(st.text(max_size=5), min_size=2, max_size=4).map(tuple) | st.just(("0", "1", "2")),
        mean=st.floats(-1e3, 1e3).map(lambda x: (x,)) | st.just(MNIST_MEAN),
        std=st.floats(1e-3, 1e3).map(lambda x: (x,)) | st.just(MNIST_STD),
    )
)
def test_a_description_comes_back_exactly(description):
    try:
        network = description.build()
    except UsageError:  # a width that does not split
        return
    assert decode(encode(Model(description, network))).description == description


def test_the_usual_normalisations_and_class_names_take_a_byte():
    model = of_mnist("lenet-12", quaternion=False, kept=0)
    other = Model(replace(model.description, mean=(0.1,)), model.network)
    assert size(other) - size(model) == 16
    named = Model(replace(model.description, class_names=tuple("9123456780")), model.network)
    assert size(named) - size(model) == 20


@pytest.mark.parametrize(("mean", "std"), ticket.PIXELS)
def test_every_usual_normalisation_comes_back(mean, std):
    model = made.model("lenet-12", quaternion=False, shape=(2, 2, len(mean)))
    model = Model(replace(model.description, mean=mean, std=std), model.network)
    assert decode(encode(model)).description == model.description


def test_the_tables_of_the_format_have_all_that_there_is():
    assert sorted(ticket.ARCHITECTURES) == sorted(ARCHITECTURES)
    assert sorted(ticket.NORMS) == sorted(NORMALISATIONS)
    assert ticket.PIXELS == (
        (MNIST_MEAN, MNIST_STD), (FASHION_MNIST_MEAN, FASHION_MNIST_STD), (CIFAR_MEAN, CIFAR_STD),
    )  # fmt: skip


# how small it is


def test_the_bound_is_that_of_values_and_entropies():
    model = of_mnist("lenet-12", quaternion=True, kept=100)
    bits = 0.0
    for weight in weights(model).values():
        p = weight.mask.mean()
        bits += weight.size * -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
    for values, count in (("float32", 4), ("float16", 2), ("int8", 1)):
        assert entropy_bound(model, values) == pytest.approx(100 * count + 22 * 4 + bits / 8)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("percent", [10, 3, 1])
@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize(("arch", "all_weights"), [("lenet-300-100", 266_200), ("lenet-12", 9_528)])
def test_a_ticket_is_less_than_15_percent_above_the_bound(arch, all_weights, quaternion, percent, values):
    model = of_mnist(arch, quaternion=quaternion, kept=all_weights * percent // 100)
    assert 1 <= size(model, values) / entropy_bound(model, values) < 1.15


@pytest.mark.parametrize("quaternion", [False, True])
def test_so_is_that_of_a_network_that_was_trained_and_pruned(tmp_path, quaternion):
    train = small.train_settings("mnist-mini", quaternion=quaternion, train_size=500, test_size=100, epochs=1)
    amount = 0.68 if not quaternion else 0.55
    run = small.experiment(tmp_path, train, small.prune_settings(rounds=4, amount=amount))
    for round in range(1, 5):
        model = Model.of(run, round)
        assert 1 <= size(model) / entropy_bound(model) < 1.15
        assert same_values(decode(encode(model)), model)


def test_a_dense_network_is_a_few_bytes_more_than_its_values():
    model = of_mnist("lenet-12", quaternion=False, kept=9528)
    assert size(model) < 4 * 9550 + 30


# what is refused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 2**64}, "seed: 18446744073709551616 given"),
        ({"input_shape": (2**13, 2**12, 1)}, "input_shape: .* at most 16,777,216 numbers"),
        ({"input_shape": (2048, 2048, 1)}, "lenet-12: 50,331,708 real weights; a ticket has at most 33,554,432"),
        ({"width": 1e8}, "width: 1e[+]08 given"),
    ],
)
def test_a_network_beyond_the_limits_is_not_written(tmp_path, change, reason):
    model = made.model("lenet-12", quaternion=False)
    d = model.description
    description = (
        replace(d, **change) if "input_shape" in change else replace(d, settings=replace(d.settings, **change))
    )
    with pytest.raises(UsageError, match=reason):
        write_ticket(tmp_path / "t", Model(description, model.network))
    assert not (tmp_path / "t").exists()


def test_weights_that_float16_cannot_hold_and_unknown_values_are_not_written(tmp_path):
    model = made.model("lenet-12", quaternion=False)
    with pytest.raises(UsageError, match="'int4' given; allowed are float32, float16, int8"):
        write_ticket(tmp_path / "t", model, "int4")
    weights(model)["fc2.weight"].value[...] = 1e5  # the largest float16 is 65504
    with pytest.raises(UsageError, match=r"float16 given; fc2.weight has a weight of 100000"):
        write_ticket(tmp_path / "t", model, "float16")
    write_ticket(tmp_path / "t", model, "int8")
    model.network.parameters["fc1.bias"].value[3] = np.inf
    with pytest.raises(UsageError, match="not a finite float32"):
        write_ticket(tmp_path / "t", model, "int8")


def refused(path, content):
    """The reason for which a file is refused."""
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_ticket(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_ticket_that_is_cut_anywhere_is_refused(tmp_path):
    content = encode(example())
    for length in range(len(content)):
        with pytest.raises(ValueError, match="early" if length > 2 else "does not begin"):
            decode(content[:length])
    assert "its checksum is wrong: it is damaged, or ends early" in refused(tmp_path / "t", content[:-1])


def test_a_ticket_with_any_byte_changed_is_refused():
    content = encode(example())
    for index, change in itertools.product(range(len(content)), range(1, 256)):
        broken = bytearray(content)
        broken[index] ^= change
        with pytest.raises(ValueError, match="checksum" if index > 3 else r"does not begin|format has version"):
            decode(bytes(broken))


def resealed(content):
    return content + zlib.crc32(content).to_bytes(4, "little")


@pytest.mark.parametrize("values", VALUES)
def test_a_ticket_that_is_wrong_in_spite_of_its_checksum_is_refused_or_a_model(values):
    content = encode(example(), values)[:-4]
    refusals = 0
    for index, bit in itertools.product(range(4, len(content)), range(8)):
        broken = bytearray(content)
        broken[index] ^= 1 << bit
        try:
            assert isinstance(decode(resealed(bytes(broken))), Model)
        except ValueError:
            refusals += 1
    assert refusals > 50


@pytest.mark.parametrize("length", [-1, 1])
def test_a_whole_ticket_of_a_wrong_length_is_refused(tmp_path, length):
    content = encode(example())[:-4]
    content = content[:length] if length < 0 else content + bytes(length)
    assert re.search("ends early|has 1 bytes after its end", refused(tmp_path / "t", resealed(content)))


SIZES = st.sampled_from([0, 1, 2, 3, 4, 8, 32, 5000, 2**20, 2**40, 2**64 - 1])


@given(
    arch=st.integers(0, 9),
    flags=st.integers(0, 127),
    width=st.sampled_from([1.0, 1 / 16, 0.0, -1.0, 1e-300, 1e300, math.inf, math.nan]),
    numbers=st.tuples(*[SIZES] * 5),
    rest=st.binary(max_size=40),
)
def test_any_description_is_refused_or_a_model(arch, flags, width, numbers, rest):
    content = b"QNT\x01" + bytes([arch, flags]) + (np.float64(width).tobytes() if flags & 64 else b"")
    content += b"".join(map(varint, numbers)) + rest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ticket, "MOST_WEIGHTS", 2**18)
        with suppress(ValueError):
            assert isinstance(decode(resealed(content)), Model)


WIDE = [bytes([arch, 64]) + np.float64(1e6).tobytes() for arch in range(8)]
LARGE = [(0, 2**12, 2**12, 1, 10), (0, 2**40, 1, 1, 10), (0, 1, 1, 1, 2**40)]


@pytest.mark.parametrize(
    ("head", "numbers"), [*((b"\0\0", n) for n in LARGE), *((w, (0, 32, 32, 3, 10)) for w in WIDE)]
)
def test_a_small_file_that_asks_for_much_memory_gets_none(tmp_path, head, numbers):
    content = resealed(b"QNT\x01" + head + b"".join(map(varint, numbers)))
    assert len(content) <= 24
    tracemalloc.start()
    started = time.thread_time()
    reason = refused(tmp_path / "t", content)
    seconds, peak = time.thread_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "at most" in reason
    assert seconds < 0.1
    assert peak < 1 << 20


def test_a_missing_file_and_other_files_are_refused(tmp_path):
    with pytest.raises(RunError, match="No such file"):
        read_ticket(tmp_path / "t")
    assert "does not begin like a ticket" in refused(tmp_path / "t", b"")
    assert "does not begin like a ticket" in refused(tmp_path / "t", b"PK\3\4" + bytes(100))
    assert "its format has version 2" in refused(tmp_path / "t", resealed(b"QNT\2" + bytes(40)))


# the document


def example():
    """The ticket of docs/ticket.md: a quaternion lenet-12 of a third of its width, for images of 4 x 8 pixels."""
    settings = ModelSettings(arch="lenet-12", quaternion=True, seed=300, width=1 / 3)
    description = Description(settings, (4, 8, 1), ("0", "1"), (0.5,), (0.25,))
    network = description.build()
    parameters = network.parameters
    flat = np.zeros(parameters.size, np.float32)
    flat[[5, 6, 30]] = 0.5, -1.25, 0
    flat[32:36] = 0, 0.25, -0.25, 1
    flat[[37, 39, 40, 41, 42]] = 2, -2, 3, -3, 1.5
    flat[44:46] = -1, 1
    mask = flat != 0
    mask[30] = True
    parameters.set_mask(mask | ~parameters.prunable)
    parameters.set_value(flat)
    return Model(description, network)


def dumped(content):
    """A hex dump, 16 bytes a line."""
    lines = (content[k : k + 16] for k in range(0, len(content), 16))
    return "".join(f"{16 * k:04x}  {line.hex(' ')}\n" for k, line in enumerate(lines))


def in_page(number):
    """The bytes of a dump in the document, counted from 0."""
    return re.findall(r"```text\n((?:[0-9a-f]{4}  [0-9a-f ]+\n)+)```", PAGE.read_text())[number]


@pytest.mark.parametrize(("number", "values"), [(0, "float32"), (1, "int8")])
def test_the_dump_in_the_document_is_that_of_the_example(number, values):
    assert in_page(number) == dumped(encode(example(), values))


def decoded_by_the_page(content):
    """Read the values of a ticket of the example's networks by sections 1 and 2 of the document, and nothing else."""
    assert content[:4] == b"QNT\x01"
    assert int.from_bytes(content[-4:], "little") == zlib.crc32(content[:-4])
    arch, flags, offset = content[4], content[5], 6
    width, offset = (struct.unpack_from("<d", content, offset)[0], offset + 8) if flags & 64 else (1.0, offset)
    numbers = []
    for _ in range(5):
        number, offset = varint_at(content, offset)
        numbers.append(number)
    _seed, height, columns, channels, classes = numbers
    assert flags & 0b10110000 == 0  # no names of classes, norm split
    assert content[offset] == 0  # the pixels' normalisation follows
    mean, std = struct.unpack_from("<2d", content, offset + 1)
    offset += 17
    assert (arch, channels, mean, std) == (1, 1, 0.5, 0.25)  # lenet-12
    pixels, hidden = height * columns, round(12 * width)
    first = pixels * hidden // (4 if flags & 4 else 1)
    values = {}
    for name, entries in (("fc1", first), ("fc2", hidden * classes)):
        mask, offset = mask_at(content, offset, entries)
        places = [place for place, left in enumerate(mask) if left]
        scale, width_of_one, letter = 1.0, *((4, "f"), (2, "e"), (1, "b"))[flags & 3]
        if letter == "b":
            (scale,) = struct.unpack_from("<f", content, offset)
            offset += 4
        stored = struct.unpack_from(f"<{len(places)}{letter}", content, offset)
        offset += width_of_one * len(places)
        weight = [0.0] * entries
        for place, value in zip(places, stored, strict=True):
            weight[place] = scale * value
        biases = hidden if name == "fc1" else classes
        values[f"{name}.weight"], values[f"{name}.mask"] = weight, mask
        values[f"{name}.bias"] = list(struct.unpack_from(f"<{biases}f", content, offset))
        offset += 4 * biases
    assert offset == len(content) - 4
    return values


@pytest.mark.parametrize("number", [0, 1])
def test_a_reader_made_from_the_document_alone_restores_the_example(number):
    read = decoded_by_the_page(bytes.fromhex(re.sub(r"(?m)^\w{4}  ", "", in_page(number))))
    tolerance = 1.25 / 254 if number else 0
    for name, parameter in example().network.parameters.items():
        if parameter.prunable:
            assert read[name.replace("weight", "mask")] == parameter.mask.ravel().tolist()
        np.testing.assert_allclose(read[name], parameter.value.ravel(), rtol=0, atol=tolerance * 3)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("density", [0.02, 0.5, 0.95])
def test_it_restores_any_lenet_12_as_quatnet_does(values, quaternion, density):
    model = of_mnist("lenet-12", quaternion=quaternion, kept=round(density * (2472 if quaternion else 9528)))
    model = Model(replace(model.description, mean=(0.5,), std=(0.25,)), model.network)
    content = encode(model, values)
    read, back = decoded_by_the_page(content), decode(content)
    for name, value in back.network.values().items():
        np.testing.assert_allclose(read[name], value.ravel(), rtol=1e-6, atol=0)
