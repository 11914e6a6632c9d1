"""The network in C: strictly C99, it gives the logits of the network in NumPy, and finds its own mistakes."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quatnet.data.preprocess import normalize
from quatnet.deploy.c import accuracy, main_source, write_c
from quatnet.deploy.c import plan as plans
from quatnet.deploy.c.packing import _sparse
from quatnet.deploy.c.text import array, string
from quatnet.deploy.ir import map_products, operations_of
from quatnet.deploy.model import Model
from quatnet.deploy.shrink import shrink
from quatnet.errors import UsageError
from tests.deploy import made, reference

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover")

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def gcc(*arguments, program="gcc"):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    return done.stdout


def logits_of(model, images):
    d = model.description
    return model.network.predict(normalize(images, d.mean, d.std))


def export(folder, model, images, **options):
    return write_c(folder, model, test_images=images, **options)


class Library:
    """An exported network, compiled and loaded."""

    def __init__(self, source, name="network", flags=("-O2",)):
        library = source.with_suffix(".so")
        gcc(*STRICT, *flags, "-shared", "-fPIC", f"-D{name.upper()}_SELF_TEST", "-o", library, source)
        self.library, self.name = ctypes.CDLL(str(library)), name

    def __getattr__(self, function):
        return getattr(self.library, f"{self.name}_{function}")

    def logits(self, images, classes=5, function="run"):
        y = np.full((len(images), classes), np.nan, np.float32)
        for image, row in zip(np.ascontiguousarray(images), y, strict=True):
            getattr(self, function)(ctypes.c_void_p(image.ctypes.data), ctypes.c_void_p(row.ctypes.data))
        return y

    def classes(self, images):
        return [self.classify(ctypes.c_void_p(image.ctypes.data)) for image in images]


def assert_close(y, expected):
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


def without(model, layer):
    """Return a model without any weights in a layer."""
    mask = model.network.parameters.mask.copy()
    mask[model.network.parameters.slice(layer)] = False
    model.network.parameters.set_mask(mask)
    return model


def four_channels():
    """Images that are quaternions already."""
    description = replace(made.model("lenet-12", quaternion=True).description, input_shape=(6, 6, 4))
    description = replace(description, mean=(0.1, 0.2, 0.3, 0.4), std=(0.4, 0.3, 0.2, 0.1))
    return Model(description, description.build())


NETWORKS = {
    **{
        f"{arch}-{'quaternion' if q else 'real'}": lambda arch=arch, q=q: made.model(arch, quaternion=q, density=0.1)
        for arch in made.LENETS + made.CONVS + made.NORMALISED
        for q in (False, True)
    },
    "scalar": lambda: made.model("resnet-20", quaternion=True, norm="scalar", density=0.02),
    "whitening": lambda: made.model("resnet-20", quaternion=True, norm="whitening", density=0.02),
    "whitening-projection": lambda: made.model("resnet-18", quaternion=True, norm="whitening", density=0.1),
    "unpruned": lambda: made.model("lenet-300-100", quaternion=False, density=1),
    "unpruned-quaternion": lambda: made.model("lenet-300-100", quaternion=True, density=1),
    "unpruned-convolutions": lambda: made.model("conv-2", quaternion=False, density=1, shape=(9, 9, 3)),
    "unpruned-quaternion-convolutions": lambda: made.model("conv-2", quaternion=True, density=1, shape=(9, 9, 3)),
    "a-few": lambda: made.model("lenet-300-100", quaternion=False, density=0.002),
    "far-apart": lambda: made.model("lenet-12", quaternion=True, density=0.002, shape=(64, 64, 1)),
    "long-rows": lambda: made.model("lenet-12", quaternion=True, density=0.35, shape=(64, 64, 1)),
    "empty-layer": lambda: without(made.model("lenet-300-100", quaternion=True, density=0.1), "fc2.weight"),
    "empty-convolution": lambda: without(made.model("conv-2", quaternion=True), "conv1.weight"),
    "nothing-left": lambda: made.model("lenet-12", quaternion=False, density=1e-9),
    "shuffled": lambda: made.model("lenet-12", quaternion=True, signs="shuffled", seed=3),
    "shuffled-convolutions": lambda: made.model("conv-2", quaternion=True, signs="shuffled", seed=3),
    "gray": lambda: made.model("conv-2", quaternion=False, shape=(8, 10, 1)),
    "gray-quaternion": lambda: made.model("conv-2", quaternion=True, shape=(8, 10, 1)),
    "gray-whitening": lambda: made.model("resnet-20", quaternion=True, norm="whitening", density=0.01, shape=(8, 8, 1)),
    "colour": lambda: made.model("lenet-12", quaternion=False, shape=(7, 5, 3)),
    "colour-quaternion": lambda: made.model("lenet-12", quaternion=True, shape=(7, 5, 3)),
    "two-channels": lambda: made.model("lenet-12", quaternion=True, shape=(6, 6, 2)),
    "four-channels": four_channels,
}


@pytest.mark.parametrize("key", NETWORKS)
def test_the_logits_are_those_of_numpy(key, tmp_path):
    model = NETWORKS[key]()
    images = made.images(model)
    images[1] = 0
    files = export(tmp_path, model, images)
    network = Library(files.source)
    expected = logits_of(model, images)
    assert_close(network.logits(images), expected)
    assert_close(
        network.logits(normalize(images, model.description.mean, model.description.std), 5, "run_float"), expected
    )
    assert network.classes(images) == network.logits(images).argmax(axis=1).tolist() == expected.argmax(axis=1).tolist()
    assert network.self_test() == 0


CHECKED = ("lenet-12-real", "far-apart", "unpruned-quaternion", "conv-2-quaternion", "resnet-18-real")


@pytest.mark.parametrize("key", [*CHECKED, "resnet-20-quaternion", "gray-whitening"])
def test_no_byte_is_read_or_written_beside_an_array(key, tmp_path):
    model = NETWORKS[key]()
    images = made.images(model)
    program = build_main(tmp_path, export(tmp_path, model, images).source, SANITIZED)
    done = subprocess.run([program], input=images.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    first, *lines = done.stdout.decode().splitlines()
    assert first == "self-test: passed"
    expected = logits_of(model, images)
    assert [line.split()[0] for line in lines] == ["abcde"[k] for k in expected.argmax(axis=1)]
    assert_close(np.array([line.split()[1:] for line in lines], np.float32), expected)


def build_main(folder, source, flags, name="network"):
    (folder / "main.c").write_text(main_source(name))
    gcc(*STRICT, *flags, f"-D{name.upper()}_SELF_TEST", "-o", folder / "main", source, folder / "main.c")
    return folder / "main"


def in_8_bits(product):
    """A product with weights that are whole multiples, at most 127, of a float32 for each output."""
    unit = np.abs(product.weight).reshape(-1, product.weight.shape[-1]).max(axis=0) / np.float32(127)
    unit = np.where(unit == 0, np.float32(1), unit)
    return replace(product, weight=np.round(product.weight / unit) * unit)


@pytest.mark.parametrize("key", ["lenet-300-100-real", "unpruned-quaternion", "resnet-20-quaternion", "whitening"])
def test_weights_of_8_bits_give_what_rounded_weights_give(key, tmp_path):
    model = NETWORKS[key]()
    images = made.images(model, 2)
    x = normalize(images, model.description.mean, model.description.std)
    rounded = map_products(in_8_bits, shrink(operations_of(model.network)))
    expected = np.array([reference.run(rounded, image) for image in x])
    network = Library(export(tmp_path, model, images, values="int8").source)
    np.testing.assert_allclose(network.logits(images), expected, rtol=0, atol=3e-5 * max(1, np.abs(expected).max()))
    assert network.self_test() == 0


@pytest.mark.parametrize("values", ["float32", "int8"])
def test_the_accuracy_is_that_of_the_compiled_network(values, tmp_path):
    model = made.model("lenet-12", quaternion=True)
    images = made.images(model, 400)
    classes = Library(export(tmp_path, model, images, values=values).source).classes(images)
    labels = (np.array(classes) + (np.arange(400) % 3 == 0)) % 5
    assert accuracy(model, values, images, labels) == 100 * np.mean(classes == labels) == 66.5
    with pytest.raises(UsageError, match="values: 'int4' given"):
        accuracy(model, "int4", images, labels)


def test_the_self_test_names_the_first_image_that_fails(tmp_path):
    model = made.model("lenet-12", quaternion=True, density=0.5)
    source = export(tmp_path, model, made.images(model)).source
    text = source.read_text()
    (weights,) = re.findall(r"fc1_weight\[\d+\] = {\n(.*?)};", text, re.DOTALL)
    first, *rest = weights.split()
    source.write_text(text.replace(weights, " ".join([f"{float(first[:-2]) + 0.01:.9g}f,", *rest])))
    assert Library(source).self_test() == 1

    wrong = export(tmp_path / "wrong", model, made.images(model)).source
    rows = wrong.read_text().partition("test_logits")
    third = rows[2].split("{")[4]
    value = third.split(",")[0].strip()
    wrong.write_text(rows[0] + rows[1] + rows[2].replace(value, "nan_()", 1).replace("nan_()", "1e3f"))
    assert Library(wrong).self_test() == 3


def test_only_a_few_test_images_are_taken_and_none_into_a_plain_build(tmp_path):
    model = made.model("lenet-12", quaternion=False)
    images = made.images(model, 9)
    source = export(tmp_path, model, images).source
    assert "test_images[4][64]" in source.read_text()
    gcc(*STRICT, "-c", "-o", tmp_path / "plain.o", source)
    assert "self_test" not in gcc(tmp_path / "plain.o", program="nm")
    assert "test_images" not in gcc(tmp_path / "plain.o", program="nm")


@pytest.mark.parametrize("key", ["lenet-300-100-quaternion", "unpruned", "resnet-20-quaternion", "conv-4-real"])
def test_nothing_but_the_compilers_own_functions_is_called_and_all_names_have_the_prefix(key, tmp_path):
    model = NETWORKS[key]()
    source = export(tmp_path, model, made.images(model), name="My_net2").source
    assert re.findall(r"#include.*", source.read_text()) == ['#include "My_net2.h"']
    gcc(*STRICT, "-O2", "-c", "-o", tmp_path / "net.o", source)
    undefined = gcc("-u", tmp_path / "net.o", program="nm").split()[1::2]
    assert set(undefined) <= {"memset", "memcpy"}
    defined = [line.split()[2] for line in gcc("-g", "--defined-only", tmp_path / "net.o", program="nm").splitlines()]
    assert sorted(defined) == [f"My_net2_{name}" for name in ("classes", "classify", "run", "run_float")]


@pytest.mark.parametrize("key", ["lenet-300-100-real", "unpruned-quaternion", "resnet-20-quaternion"])
@pytest.mark.parametrize("values", ["float32", "int8"])
def test_ram_and_flash_are_those_of_the_compiled_arrays(key, values, tmp_path):
    model = NETWORKS[key]()
    files = export(tmp_path, model, made.images(model), values=values)
    gcc("-std=c99", "-O0", "-c", "-o", tmp_path / "net.o", files.source)
    rows = [line.split() for line in gcc("-S", tmp_path / "net.o", program="nm").splitlines()]
    sizes = {name: (kind, int(size, 16)) for _, size, kind, name in (row for row in rows if len(row) == 4)}
    assert sizes["memory"] == ("b", files.ram)
    read_only = [size for kind, size in sizes.values() if kind == "r"]
    assert sum(read_only) == files.flash + sum(sizes[name][1] for name in sizes if name.endswith("_window"))
    header = files.header.read_text()
    assert f"#define NETWORK_RAM {files.ram}\n" in header
    assert f"#define NETWORK_FLASH {files.flash}\n" in header


def test_arrays_that_are_needed_at_the_same_time_do_not_overlap(tmp_path):
    model = NETWORKS["resnet-18-quaternion"]()
    plan = plans.Plan(operations_of(model.network), np.zeros(3, np.float32), int8=False)
    arrays = {id(array): array for call in plan.calls for array in call.arrays if array is not plan.logits}.values()
    used = {id(a): [k for k, call in enumerate(plan.calls) if a in call.arrays] for a in arrays}
    assert max(a.place + a.size for a in arrays) == plan.memory < sum(a.size for a in arrays) / 3
    for a in arrays:
        for b in arrays:
            apart = a.place + a.size <= b.place or b.place + b.size <= a.place
            assert a is b or apart or max(used[id(a)]) < min(used[id(b)]) or max(used[id(b)]) < min(used[id(a)])


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_the_header_is_one_of_cpp_too(tmp_path):
    model = made.model("lenet-12", quaternion=False)
    files = export(tmp_path, model, made.images(model))
    gcc(*STRICT, "-c", "-o", tmp_path / "net.o", files.source)
    (tmp_path / "user.cpp").write_text(
        '#include "network.h"\n'
        "int main() { static uint8_t image[NETWORK_PIXELS]; float logits[NETWORK_CLASSES];\n"
        "network_run(image, logits); return network_classes[network_classify(image)][0] == 0; }\n"
    )
    flags = ("-std=c++11", *STRICT[1:])
    gcc(*flags, "-o", tmp_path / "user", tmp_path / "user.cpp", tmp_path / "net.o", program="g++")
    assert subprocess.run([tmp_path / "user"]).returncode == 0


def test_names_of_classes_are_safe_in_c_and_in_its_comments(tmp_path):
    names = ("*/ int x;", 'a "quoted\\" one', "what??/", "é\n", "network_run NETWORK_RAM network.h", "%s", "1\0")
    model = made.model("lenet-12", quaternion=False)
    model = Model(replace(model.description, class_names=names), replace(model.description, class_names=names).build())
    network = Library(export(tmp_path, model, made.images(model), name="net").source, "net")
    table = (ctypes.c_char_p * len(names)).in_dll(network.library, "net_classes")
    assert list(table) == [name.encode().split(b"\0")[0] for name in names]


def test_equal_networks_give_equal_bytes_and_exactly_two_files(tmp_path):
    for folder in ("a", "b"):
        model = made.model("resnet-20", quaternion=True, density=0.01)
        export(tmp_path / folder, model, made.images(model), accuracy=91.5)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["network.c", "network.h"]
    for name in ("network.c", "network.h"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_head_says_what_the_network_is(tmp_path):
    model = made.model("lenet-300-100", quaternion=True, density=0.1)
    text = export(tmp_path, model, made.images(model), accuracy=91.5, values="int8").source.read_text()
    head = text[: text.index("*/")]
    assert re.search(r"Architecture +lenet-300-100, quaternion weights\n", head)
    assert re.search(rf"Weights left +{model.masks.count()} of 18800; with all biases \d+\.\d\d % of", head)
    assert re.search(r"Accuracy +91\.50 %\n", head)
    assert re.search(r"fc1 +quaternion dense +\d+ of \d+ +sparse +\d+ +\d+\n", head)
    assert "8 bits" in head
    plain = export(tmp_path, model, made.images(model)).source.read_text()
    assert re.search(r"Accuracy +not measured\n", plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "2nd"}, "name: '2nd' given"),
        ({"name": "a-b"}, "name: 'a-b' given"),
        ({"name": "a\n"}, "name: "),
        ({"values": "int4"}, "values: 'int4' given; allowed are float32, int8"),
        ({"test_images": np.zeros((1, 8, 8, 1), np.float32)}, "test_images: float32 of shape"),
        ({"test_images": np.zeros((1, 8, 9, 1), np.uint8)}, "test_images: uint8 of shape"),
        ({"test_images": np.zeros((0, 8, 8, 1), np.uint8)}, "test_images: uint8 of shape"),
    ],
)
def test_wrong_arguments_are_named(options, message, tmp_path):
    model = made.model("lenet-12", quaternion=False)
    with pytest.raises(UsageError, match=re.escape(message)):
        write_c(tmp_path, model, **{"test_images": made.images(model), **options})
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_not_finite_is_refused(tmp_path):
    model = made.model("lenet-12", quaternion=False)
    model.network.parameters["fc2.bias"].value[1] = np.nan
    with pytest.raises(UsageError, match=r"model: fc2\.bias"):
        export(tmp_path, model, made.images(model))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    model = made.model("lenet-12", quaternion=False)
    with pytest.raises(UsageError, match=r"folder: .*file"):
        export(tmp_path / "file", model, made.images(model))


@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 900)), elements=st.just(0), fill=st.just(0)),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 899), st.integers(1, 9)), max_size=12),
)
def test_sparse_rows_are_what_their_places_say(rows, weights):
    for row, column, weight in weights:
        rows[row % rows.shape[0], column % rows.shape[1]] = weight
    count, skip, stored = _sparse(rows)
    back, k = np.zeros_like(rows), 0
    for row, number in enumerate(count):
        place = 0
        for _ in range(number):
            place += int(skip[k])
            back[row, place] += stored[k]
            k += 1
    np.testing.assert_array_equal(back, rows)


@pytest.mark.parametrize(("place", "stored"), [(0, 1), (255, 1), (256, 2), (510, 2), (511, 3)])
def test_a_weight_is_put_in_only_where_a_byte_is_too_small(place, stored):
    rows = np.zeros((2, 600), np.float32)
    rows[1, place] = 1
    count, skip, weights = _sparse(rows)
    assert count.tolist() == [0, stored]
    assert len(skip) == len(weights) == stored


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=9))
def test_floats_are_read_as_the_same_floats(numbers):
    values = np.array(numbers, np.float32)
    text = array("x", values)
    words = re.findall(r"(\S+)f,", text)
    np.testing.assert_array_equal(np.array(words, np.float32), values)
    assert all(re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", word) and re.search(r"[.e]", word) for word in words)


@given(st.text())
def test_a_string_literal_has_the_bytes_of_the_text(text):
    literal = string(text)
    assert not set(literal) & set("?*/_\n")
    assert re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), literal[1:-1].encode()) == text.encode()


def test_rows_of_more_weights_than_16_bits_count_are_counted():
    count, skip, weights = _sparse(np.ones((2, 70_000), np.float32))
    assert count.tolist() == [70_000, 70_000]
    assert (len(skip), weights.sum()) == (140_000, 140_000)
    assert "uint32_t" in array("count", count.astype(np.min_scalar_type(70_000)))
