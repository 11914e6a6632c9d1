"""An ONNX graph has the logits of its network, in two runtimes that are not ours."""

import json
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quatnet.data.preprocess import normalize
from quatnet.deploy.ir import Affine
from quatnet.deploy.model import Model
from quatnet.deploy.onnx import to_onnx, write_onnx
from quatnet.deploy.weightless import Gather, Maximum, Mix, Rectify
from quatnet.errors import UsageError
from quatnet.nn.layers.shape import GRAY
from tests.deploy import made
from tests.deploy import reference as plain

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
reference = pytest.importorskip("onnx.reference")

ARCHITECTURES = [
    (arch, quaternion) for arch in made.LENETS + made.CONVS + made.NORMALISED for quaternion in (False, True)
]
OTHERS = {
    "whitening": {"arch": "resnet-20", "quaternion": True, "norm": "whitening"},
    "scalar": {"arch": "resnet-20", "quaternion": True, "norm": "scalar"},
    "gray-convolutions": {"arch": "conv-2", "quaternion": True, "shape": (8, 10, 1)},
    "shuffled-signs": {"arch": "conv-2", "quaternion": True, "signs": "shuffled"},
    "colours-without-convolutions": {"arch": "lenet-12", "quaternion": True, "shape": (4, 6, 3)},
    "unpruned": {"arch": "lenet-12", "quaternion": True, "density": 1.0},
}
MODELS = {
    f"{arch}-{'quaternion' if q else 'real'}": {"arch": arch, "quaternion": q} for arch, q in ARCHITECTURES
} | OTHERS


def with_onnxruntime(graph, images):
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs() + session.get_outputs()] == ["images", "logits"]
    return session.run(None, {"images": images})[0]


def with_the_reference(graph, images):
    return reference.ReferenceEvaluator(graph).run(None, {"images": images})[0]


def normalised(model, raw):
    return normalize(raw, model.description.mean, model.description.std)


def assert_same_logits(model, run, count):
    raw = made.images(model, count)
    x = normalised(model, raw)
    logits = model.network.predict(x)
    atol = 1e-5 * max(1, np.abs(logits).max())
    assert np.abs(logits).max() > 0.1
    np.testing.assert_allclose(run(to_onnx(model), x), logits, atol=atol, rtol=0)
    np.testing.assert_allclose(run(to_onnx(model, preprocessing=True), raw), logits, atol=atol, rtol=0)


def operators(graph):
    return Counter(node.op_type for node in graph.graph.node)


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_the_logits_are_those_of_the_network_for_any_number_of_images(settings):
    model = made.model(**settings)
    for count in (1, 5):
        assert_same_logits(model, with_onnxruntime, count)


@settings(max_examples=8)
@given(quaternion=st.booleans(), height=st.integers(4, 9), width=st.integers(4, 9), channels=st.sampled_from([1, 3]))
def test_maps_of_any_size_are_flattened_in_the_order_of_the_weights(quaternion, height, width, channels):
    model = made.model("conv-2", quaternion=quaternion, shape=(height, width, channels))
    assert_same_logits(model, with_onnxruntime, 2)


@pytest.mark.parametrize("name", ["resnet-20-quaternion", "conv-2-quaternion", "lenet-12-quaternion"])
def test_the_reference_of_onnx_has_the_same_logits(name):
    settings = MODELS[name] | {"shape": (6, 8, 3)}
    assert_same_logits(made.model(**settings), with_the_reference, 2)


def test_what_arranges_something_else_than_the_inputs_of_a_product_has_nodes_of_its_own(monkeypatch):
    w, b = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32), np.ones(5, np.float32)
    on_maps = Mix((8, 8, 3), (8, 8, 4), GRAY), Maximum((8, 8, 4), (4, 4, 4), 2), Gather((4, 4, 4), (64,), blocks=4)
    operations = (*on_maps, Rectify((64,), (64,)), Affine((64,), (5,), "fc", w, w != 0, b))
    model = made.model("lenet-12", quaternion=True, shape=(8, 8, 3))
    x = normalised(model, made.images(model, 2))
    monkeypatch.setattr(Model, "operations", operations)
    expected = [plain.run(operations, image) for image in x]
    np.testing.assert_allclose(with_the_reference(to_onnx(model), x), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_the_graph_is_valid_and_made_of_few_ordinary_operators(settings):
    for preprocessing in (False, True):
        model = to_onnx(made.model(**settings), preprocessing=preprocessing)
        onnx.checker.check_model(model, full_check=True)
        found = operators(model)
        assert found["Transpose"] == (0 if settings["arch"] in made.LENETS else 1)
        assert found["Cast"] == found["Mul"] == found["Sub"] == preprocessing
        shapes = {"Slice", "Pad", "Reshape"} if settings["arch"] == "resnet-20" else set()
        computing = {"Conv", "Gemm", "Relu", "MaxPool", "Add", "GlobalAveragePool"}
        assert set(found) <= computing | shapes | {"Transpose", "Flatten", "Cast", "Sub", "Mul"}
        assert (model.opset_import[0].version, len(model.opset_import)) == (13, 1)
        assert model.ir_version <= 8


def test_the_preprocessing_is_that_of_quatnet_bit_for_bit():
    model = made.model("lenet-12", quaternion=False)
    raw = made.images(model, 9)
    graph = to_onnx(model, preprocessing=True)
    graph.graph.output.add().CopyFrom(onnx.helper.make_tensor_value_info("mul_2", onnx.TensorProto.FLOAT, None))
    pixels = reference.ReferenceEvaluator(graph).run(["mul_2"], {"images": raw})[0]
    np.testing.assert_array_equal(pixels, normalised(model, raw))


def test_weights_have_the_names_of_the_layers_and_zeros_where_they_are_pruned():
    model = made.model("resnet-20", quaternion=True)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in to_onnx(model).graph.initializer}
    weights = {name for name in constants if name.endswith(".weight")}
    assert weights == {name for name in model.network.parameters if name.endswith(".weight")}
    assert {name.replace(".weight", ".bias") for name in weights} == {name for name in constants if "bias" in name}
    for name in weights - {"conv1.weight"}:  # which the gray channel is folded into
        quaternion = 4 if model.network.parameters[name].value.ndim == 5 else 1
        assert np.count_nonzero(constants[name]) == quaternion * np.count_nonzero(model.network.parameters[name].mask)


def test_metadata_say_which_network_it_is_and_what_its_logits_mean():
    model = made.model("conv-2", quaternion=True)
    made_of = to_onnx(model)
    metadata = {entry.key: entry.value for entry in made_of.metadata_props}
    assert made_of.producer_name == "quatnet"
    assert (metadata["arch"], json.loads(metadata["quaternion"])) == ("conv-2", True)
    assert json.loads(metadata["class_names"]) == list("abcde")
    assert json.loads(metadata["mean"]) == [0.13, 0.4, 0.5]


@pytest.mark.parametrize("preprocessing", [False, True])
def test_equal_models_give_equal_files(tmp_path, preprocessing):
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    sizes = [write_onnx(path, made.model("resnet-20", quaternion=True), preprocessing=preprocessing) for path in paths]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert sizes == [len(first)] * 2
    assert onnx.load(paths[0]) == to_onnx(made.model("resnet-20", quaternion=True), preprocessing=preprocessing)


def test_without_the_package_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match=r"^ONNX needs .* pip install 'pruned-quaternions\[onnx\]'$"):
        write_onnx(tmp_path / "a.onnx", made.model("lenet-12", quaternion=True))
    assert not list(tmp_path.iterdir())
