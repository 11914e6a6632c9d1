"""The operations of a network give its logits, whatever the architecture, the algebra and the normalisation."""

import numpy as np
import pytest

from quatnet.data.preprocess import normalize
from quatnet.deploy.ir import operations_of, products
from quatnet.deploy.weightless import Gather
from tests.deploy import made, reference

NETWORKS = [
    *((arch, quaternion, "split") for arch in made.LENETS + made.CONVS + made.NORMALISED for quaternion in (0, 1)),
    *(("resnet-20", True, norm) for norm in ("whitening", "scalar")),
]


def inputs(model, count=3):
    d = model.description
    return normalize(made.images(model, count), d.mean, d.std)


@pytest.mark.parametrize(("arch", "quaternion", "norm"), NETWORKS)
def test_the_operations_give_the_logits_of_the_network(arch, quaternion, norm):
    model = made.model(arch, quaternion=bool(quaternion), norm=norm)
    x = inputs(model)
    logits = model.network.predict(x)
    operations = operations_of(model.network)
    stepped = np.array([reference.run(operations, image) for image in x])
    assert np.abs(logits).max() > 0.1
    np.testing.assert_allclose(stepped, logits, atol=2e-5 * max(1, np.abs(logits).max()), rtol=0)


def test_a_grayscale_image_becomes_quaternions_without_imaginary_part():
    model = made.model("conv-2", quaternion=True, shape=(8, 8, 1))
    x = inputs(model)
    operations = operations_of(model.network)
    assert isinstance(operations[0], Gather)
    np.testing.assert_allclose(
        [reference.run(operations, image) for image in x], model.network.predict(x), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("norm", ["split", "scalar", "whitening"])
def test_folding_keeps_quaternion_weights_and_their_number_unless_a_matrix_takes_them_apart(norm):
    model = made.model("resnet-20", quaternion=True, norm=norm)
    convolutions = [product for product in products(operations_of(model.network)) if product.window]
    assert all(product.quaternion == (norm != "whitening") for product in convolutions)
    assert all((product.scale is not None) == (norm == "split") for product in convolutions)
    kept = sum(product.mask.sum() for product in convolutions)
    own = sum(count for name, count in model.masks.counts().items() if "conv" in name)
    assert kept == own if norm != "whitening" else kept > 4 * own
    assert all(not product.weight[~product.mask].any() for product in convolutions)


def test_shuffled_signs_are_those_of_the_seed():
    model = made.model("lenet-12", quaternion=True, signs="shuffled", seed=3)
    x = inputs(model)
    operations = operations_of(model.network)
    assert operations[1].signs != made.model("lenet-12", quaternion=True).network.layers.layers["fc1"].signs
    np.testing.assert_allclose(
        [reference.run(operations, image) for image in x], model.network.predict(x), atol=1e-5, rtol=0
    )


def test_operations_are_copies():
    model = made.model("lenet-12", quaternion=False)
    operations = operations_of(model.network)
    before = operations[1].weight.copy()
    model.network.parameters.value[...] = 0
    np.testing.assert_array_equal(operations[1].weight, before)


def test_a_real_weight_of_quaternions_keeps_four_entries_for_each():
    for product in products(operations_of(made.model("lenet-12", quaternion=True).network)):
        assert np.count_nonzero(product.real_mask) == product.mask.sum() * (4 if product.quaternion else 1)
