"""A compiled network equals the masked network in every layout, for one image and for many."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st

from quatnet.data.preprocess import normalize
from quatnet.deploy import inference, latency, layouts
from quatnet.deploy.choices import LAYOUTS
from quatnet.deploy.inference import OneThread, compile_model
from quatnet.deploy.ir import Affine, Window, operations_of, products
from quatnet.deploy.layouts import Layout, layouts_of
from quatnet.errors import UsageError
from quatnet.fast import blas
from quatnet.quaternion import SIGN
from tests.deploy import made, reference

NETWORKS = [
    *((arch, quaternion, "split") for arch in made.LENETS + made.CONVS + made.NORMALISED for quaternion in (0, 1)),
    *((arch, True, norm) for arch in made.NORMALISED for norm in ("whitening", "scalar")),
]


@pytest.fixture(autouse=True)
def short_measurements(monkeypatch):
    monkeypatch.setattr(latency, "BURST_SECONDS", 1e-9)
    monkeypatch.setattr(inference, "MEASURED_SECONDS", 1e-9)


def pruned(arch, density, **settings):
    model = made.model(arch, density=density or 1.0, **settings)
    if density == 0:
        model.network.parameters.set_mask(~model.network.parameters.prunable)
    return model


def inputs(model, images):
    return normalize(images, model.description.mean, model.description.std)


def threads_of_blas():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("density", [1.0, 0.3, 0.03, 0.0])
@pytest.mark.parametrize(("arch", "quaternion", "norm"), NETWORKS)
def test_all_layouts_give_the_outputs_of_the_network(arch, quaternion, norm, density):
    model = pruned(arch, density, quaternion=bool(quaternion), norm=norm)
    images = made.images(model, 3)
    x = inputs(model, images)
    operations = operations_of(model.network)
    expected = np.array([reference.run(operations, image) for image in x])
    probabilities = model.predict(images)
    many = np.arange(64) % 3
    tolerance = 1e-5 * np.abs(expected).max()
    for layout in ("auto", *LAYOUTS):
        if arch in made.NORMALISED and layout in ("packed", "stacked"):
            continue  # that would be dense: their only dense layer is real
        compiled = compile_model(model, layout=layout, batch=3 if layout == "auto" else 1)
        one_by_one = np.concatenate([compiled.logits(x[k : k + 1]) for k in range(3)])
        np.testing.assert_allclose(one_by_one, expected, atol=tolerance, rtol=0, err_msg=layout)
        np.testing.assert_allclose(compiled.logits(x), expected, atol=tolerance, rtol=0, err_msg=layout)
        np.testing.assert_allclose(compiled.predict(images[:1]), probabilities[:1], atol=1e-5, rtol=0, err_msg=layout)
        np.testing.assert_allclose(compiled.predict(images), probabilities, atol=1e-5, rtol=0, err_msg=layout)
        assert compiled.logits(x[:0]).shape == compiled.predict(images[:0]).shape == (0, 5)
        if layout == "auto":
            np.testing.assert_allclose(compiled.predict(images[many]), probabilities[many], atol=1e-5, rtol=0)


@given(
    mask=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=3, max_size=3),
    quaternion=st.booleans(),
    count=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_a_dense_layer_with_any_mask_is_its_formula_in_every_layout(mask, quaternion, count, seed):
    random = np.random.default_rng(seed)
    mask = np.array(mask)
    if quaternion:
        mask = np.stack([mask, mask[::-1], mask & mask[:, ::-1], ~mask])
    inputs, outputs = (12, 16) if quaternion else (3, 4)
    weight = (random.normal(size=mask.shape) * mask).astype(np.float32)
    bias = random.normal(size=outputs).astype(np.float32)
    product = Affine((inputs,), (outputs,), "fc", weight, mask, bias, signs=SIGN if quaternion else None)
    x = random.normal(size=(count, inputs)).astype(np.float32)
    for layout in layouts_of(product):
        y = layout.many(x)
        np.testing.assert_allclose(y, x @ reference.real(product) + bias, atol=1e-5)
        np.testing.assert_allclose([layout.one(image) for image in x], y, atol=1e-5)


@pytest.mark.parametrize(("stride", "padding", "kernel"), [(1, 0, 1), (2, 1, 3), (1, 1, 3), (2, 0, 2), (3, 2, 3)])
def test_a_convolution_of_any_stride_and_padding_is_its_formula_in_every_layout(stride, padding, kernel):
    random = np.random.default_rng(0)
    mask = random.random((kernel, kernel, 5, 6)) < 0.3
    weight = (random.normal(size=mask.shape) * mask).astype(np.float32)
    bias, scale = random.normal(size=(2, 6)).astype(np.float32)
    h, w = ((length + 2 * padding - kernel) // stride + 1 for length in (6, 8))
    window = Window(kernel, stride, padding)
    product = Affine((6, 8, 5), (h, w, 6), "conv", weight, mask, bias, scale, window=window)
    x = random.normal(size=(7, 6, 8, 5)).astype(np.float32)
    expected = [reference.one(product, image) for image in x]
    for layout in layouts_of(product):
        np.testing.assert_allclose(layout.many(x), expected, atol=1e-4, err_msg=layout.name)


def test_columns_of_many_images_are_made_group_by_group(monkeypatch):
    convolution = products(operations_of(made.model("conv-2", quaternion=False).network))[0]
    x = np.random.default_rng(0).normal(size=(5, *convolution.input_shape)).astype(np.float32)
    whole = next(p for p in layouts_of(convolution) if p.name == "csr").many(x)
    monkeypatch.setattr(layouts, "COLUMN_BYTES", 2 * 4 * 16 * 16 * 27)
    np.testing.assert_array_equal(next(p for p in layouts_of(convolution) if p.name == "csr").many(x), whole)


def test_csr_needs_no_private_function_of_scipy(monkeypatch):
    model = made.model("lenet-12", quaternion=True)
    x = inputs(model, made.images(model, 1))
    usual = compile_model(model, layout="csr").logits(x)
    monkeypatch.setattr(layouts, "csr_matvec", None)
    np.testing.assert_allclose(compile_model(model, layout="csr").logits(x), usual, atol=1e-6)


def test_a_layer_that_cannot_have_the_layout_is_dense():
    real, quaternion = (made.model("conv-2", quaternion=q) for q in (False, True))
    assert set(compile_model(real, layout="csr").layouts.values()) == {"csr"}
    assert set(compile_model(real, layout="stacked").layouts.values()) == {"dense"}
    stacked = compile_model(quaternion, layout="stacked").layouts
    assert stacked == {"conv1": "dense", "conv2": "dense", "fc1": "stacked", "fc2": "stacked", "fc3": "dense"}
    winograd = compile_model(quaternion, layout="winograd").layouts
    assert {name for name, layout in winograd.items() if layout == "winograd"} == {"conv1", "conv2"}


def test_packed_keeps_the_pixels_that_are_read():
    model = made.model("lenet-12", quaternion=False, density=0.03)
    kept = model.network.parameters["fc1.weight"].mask.any(axis=1).sum()
    compiled = compile_model(model, layout="packed")
    assert compiled.layouts["fc1"] == "packed"
    assert compiled.nbytes < 4 * 13 * kept + 8 * kept + 4 * 12 * 5 + 4 * (12 + 5)
    assert compiled.nbytes < compile_model(model, layout="dense").nbytes / 2


def test_csr_keeps_eight_bytes_for_a_weight_and_four_for_a_neuron_twice():
    model = made.model("lenet-12", quaternion=False, density=0.5)
    weights = sum(np.count_nonzero(p.value) for p in model.network.parameters.values() if p.prunable)
    assert compile_model(model, layout="csr").nbytes == 8 * weights + 4 * (12 + 1 + 12) + 4 * (5 + 1 + 5)


def counting(layout, one, many):
    """Return a product that takes time in proportion to the given numbers."""

    def busy(count):
        return lambda x: np.full(1, sum(range(count)))

    return Layout(layout, busy(one), busy(many), (), 0)


@pytest.mark.parametrize(("batch", "fastest"), [(1, "packed"), (8, "csr")])
def test_auto_takes_what_is_fastest_for_the_number_of_images(monkeypatch, batch, fastest):
    candidates = [counting("dense", 9000, 9000), counting("packed", 10, 9000), counting("csr", 9000, 10)]
    monkeypatch.setattr(inference, "layouts_of", lambda product: candidates)
    compiled = compile_model(made.model("lenet-12", quaternion=False), batch=batch)
    assert compiled.layouts == {"fc1": fastest, "fc2": fastest}


@pytest.mark.parametrize("count", [1, 3])
def test_bytes_and_fractions_are_the_same_images_and_stay_what_they_are(count):
    model = made.model("conv-2", quaternion=True)
    compiled = compile_model(model, layout="csr")
    images = made.images(model, count)
    fractions = (images / 255).astype(np.float32)
    x = inputs(model, images)
    before = images.copy(), fractions.copy(), x.copy()
    np.testing.assert_allclose(compiled.predict(images), compiled.predict(fractions), atol=1e-6)
    compiled.logits(x)
    for array, copy in zip((images, fractions, x), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("count", [1, 3])
def test_inputs_may_be_doubles_and_lie_apart(count):
    model = made.model("lenet-12", quaternion=True)
    compiled = compile_model(model, layout="csr")
    images = made.images(model, 2 * count)
    x = inputs(model, images)
    expected = model.network.predict(x[::2])
    np.testing.assert_allclose(compiled.logits(x.astype(np.float64)[::2]), expected, atol=1e-5)
    columns_first = np.asfortranarray(images)[::2]
    np.testing.assert_allclose(compiled.predict(columns_first), model.predict(images[::2]), atol=1e-6)
    np.testing.assert_allclose(compiled.logits(np.asfortranarray(x)[::2]), expected, atol=1e-5)


def test_grayscale_images_of_a_quaternion_conv_net():
    model = made.model("conv-2", quaternion=True, shape=(8, 8, 1))
    images = made.images(model, 3)
    compiled = compile_model(model, layout="csr")
    for some in (images, images[:1]):
        np.testing.assert_allclose(compiled.predict(some), model.predict(some), atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_probabilities_of_large_logits_are_finite(count):
    model = made.model("lenet-12", quaternion=False)
    model.network.parameters["fc2.bias"].value[:] = 0, 1000, 500, -1000, 0
    probabilities = compile_model(model, layout="dense").predict(made.images(model, count))
    np.testing.assert_array_equal(probabilities, [[0, 1, 0, 0, 0]] * count)


def test_more_images_than_are_taken_at_a_time(monkeypatch):
    monkeypatch.setattr(inference, "EVALUATION_BATCH", 4)
    model = made.model("lenet-12", quaternion=True)
    images = made.images(model, 10)
    compiled = compile_model(model, layout="csr")
    np.testing.assert_allclose(compiled.predict(images), model.predict(images), atol=1e-6)
    x = inputs(model, images)
    np.testing.assert_allclose(compiled.logits(x), model.network.predict(x), atol=1e-5)


def test_wrong_arguments_are_named():
    model = made.model("lenet-12", quaternion=False)
    with pytest.raises(UsageError, match=r"layout: 'coo' given; allowed are auto, dense, packed, csr"):
        compile_model(model, layout="coo")
    with pytest.raises(UsageError, match="batch: 0 given; 1 or more is needed"):
        compile_model(model, batch=0)
    compiled = compile_model(model, layout="dense")
    for call in (compiled.predict, compiled.logits):
        with pytest.raises(UsageError, match=r"images: shape \(1, 8, 9, 1\) given; \(n, 8, 8, 1\) is needed"):
            call(np.zeros((1, 8, 9, 1), np.float32))


@pytest.mark.parametrize("layout", ["csr", "winograd"])
def test_threads_do_not_disturb_each_other(layout):
    model = made.model("conv-2", quaternion=True)
    compiled = compile_model(model, layout=layout)
    batches = [made.images(model, 1 + k % 3, seed=k) for k in range(24)]
    alone = [compiled.predict(images) for images in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compiled.predict, batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("count", [1, 3])
def test_large_products_run_on_one_thread_of_blas(monkeypatch, count):
    seen = []
    spy = Layout(
        "dense",
        lambda x: seen.append(threads_of_blas()) or x[:5],
        lambda x: seen.append(threads_of_blas()) or x[:, :5],
        constants=(),
        work=1 << 20,
    )
    monkeypatch.setattr(inference, "layouts_of", lambda p: [spy] if p.name == "fc2" else layouts_of(p))
    compiled = compile_model(made.model("lenet-12", quaternion=False), layout="dense")
    with blas.threads(2):
        if threads_of_blas() != {2}:
            pytest.skip("BLAS has one thread here")
        compiled.logits(np.zeros((count, 8, 8, 1), np.float32))
        assert seen == [{1}]
        assert threads_of_blas() == {2}


def test_overlapping_blocks_of_one_thread_give_the_others_back():
    guard = OneThread()
    with blas.threads(2):
        before = threads_of_blas()
        guard.__enter__()
        guard.__enter__()
        guard.__exit__(None, None, None)
        assert threads_of_blas() == {1}
        guard.__exit__(None, None, None)
        assert threads_of_blas() == before
