"""Shrunk operations give the outputs of the whole ones, and have no channel that the logits do not depend on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quatnet.deploy.ir import Add, Affine, Window, map_products, operations_of, products
from quatnet.deploy.shrink import shrink
from quatnet.deploy.weightless import Gather, Maximum, Mean, Rectify
from quatnet.quaternion import SIGN
from tests.deploy import made, reference
from tests.deploy.test_ir import NETWORKS, inputs

DENSITIES = (0.3, 0.03, 0.003)


def double(operations):
    """The same operations with float64 arrays."""

    def one(product):
        scale = None if product.scale is None else product.scale.astype(np.float64)
        weight, bias = product.weight.astype(np.float64), product.bias.astype(np.float64)
        return replace(product, weight=weight, bias=bias, scale=scale)

    return map_products(one, operations)


def widths(steps):
    return [step.output_shape[-1] for step in products(steps)]


def assert_same_outputs(smaller, steps, x, tolerance):
    expected = np.array([reference.run(steps, image) for image in x])
    found = np.array([reference.run(smaller, image) for image in x])  # which checks all shapes
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


# all architectures


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize(("arch", "quaternion", "norm"), [*NETWORKS, ("vgg-16", True, "whitening")])
def test_the_outputs_are_the_same_to_rounding(arch, quaternion, norm, density):
    model = made.model(arch, quaternion=bool(quaternion), norm=norm, density=density)
    x, steps = inputs(model, 2), operations_of(model.network)
    assert_same_outputs(shrink(double(steps)), double(steps), x, 1e-12)
    smaller = shrink(steps)
    assert_same_outputs(smaller, steps, x, 1e-6)
    assert all(step.bias.dtype == step.weight.dtype == np.float32 for step in products(smaller))
    if density == min(DENSITIES):
        assert sum(step.weight.size for step in products(smaller)) < sum(step.weight.size for step in products(steps))


@pytest.mark.parametrize("density", [0.1, 0.03, 0.01])
@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
def test_the_neurons_left_of_a_lenet_are_those_of_a_plain_search(quaternion, density):
    steps = operations_of(made.model("lenet-300-100", quaternion=quaternion, density=density).network)
    first, second, last = (step.mask for step in products(steps))
    if quaternion:
        first, second, last = first.any(axis=0), second.any(axis=0), last.reshape(4, -1, last.shape[-1]).any(axis=0)
    neurons, before = [set(range(first.shape[1])), set(range(second.shape[1]))], None
    while before != neurons:
        before = [set(layer) for layer in neurons]
        neurons[0] = {j for j in neurons[0] if first[:, j].any() and any(second[j, k] for k in neurons[1])}
        neurons[1] = {k for k in neurons[1] if any(second[j, k] for j in neurons[0]) and last[k].any()}
    assert widths(shrink(steps))[:-1] == [len(layer) * (4 if quaternion else 1) for layer in neurons]
    assert 0 < len(neurons[1]) < second.shape[1] or density == 0.1


def test_residual_sums_keep_all_their_channels_and_blocks_lose_those_inside():
    steps = operations_of(made.model("resnet-20", quaternion=False, density=0.003).network)
    smaller = shrink(steps)
    for found, whole in zip(smaller, steps, strict=True):
        assert (found.input_shape, found.output_shape) == (whole.input_shape, whole.output_shape)
    bodies = [(a.body, b.body) for a, b in zip(smaller, steps, strict=True) if isinstance(a, Add)]
    assert all(found[0].output_shape[-1] < whole[0].output_shape[-1] for found, whole in bodies)


@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
@pytest.mark.parametrize("arch", ["lenet-300-100", "conv-4", "resnet-20"])
def test_a_network_without_any_weight_keeps_one_channel_of_each_layer(arch, quaternion):
    model = made.model(arch, quaternion=quaternion, density=1)
    model.network.parameters.set_mask(~model.network.parameters.prunable)
    steps = double(operations_of(model.network))
    smaller = shrink(steps)
    assert_same_outputs(smaller, steps, inputs(model, 1), 1e-12)
    chains = [step.body for step in smaller if isinstance(step, Add)] or [smaller]
    assert {width for chain in chains for width in widths(chain)[:-1]} == {4 if quaternion else 1}


def test_dense_networks_stay_as_they_are():
    steps = operations_of(made.model("conv-2", quaternion=True, density=1).network)
    for found, whole in zip(shrink(steps), steps, strict=True):
        assert (found.input_shape, found.output_shape) == (whole.input_shape, whole.output_shape)
        if isinstance(whole, Affine):
            np.testing.assert_array_equal(found.weight, whole.weight)
            np.testing.assert_array_equal(found.bias, whole.bias)


# chains made by hand


def dense(shape, outputs, *, quaternion=False, keep=1.0, seed=0):
    random, inputs = np.random.default_rng(seed), shape[0]
    size = (4, inputs // 4, outputs // 4) if quaternion else (inputs, outputs)
    mask = random.random(size) < keep
    return Affine(
        shape, (outputs,), "fc", random.normal(size=size) * mask, mask, random.normal(size=outputs),
        scale=random.normal(size=outputs), signs=SIGN if quaternion else None,
    )  # fmt: skip


def conv(shape, outputs, *, kernel=3, padding=1, stride=1, quaternion=False, keep=1.0, seed=0):
    random, (h, w, inputs) = np.random.default_rng(seed), shape
    size = (4, kernel, kernel, inputs // 4, outputs // 4) if quaternion else (kernel, kernel, inputs, outputs)
    mask = random.random(size) < keep
    after = (*((side + 2 * padding - kernel) // stride + 1 for side in (h, w)), outputs)
    return Affine(
        shape, after, "conv", random.normal(size=size) * mask, mask, random.normal(size=outputs),
        scale=random.normal(size=outputs), signs=SIGN if quaternion else None, window=Window(kernel, stride, padding),
    )  # fmt: skip


def relu(shape):
    return Rectify(shape, shape)


def without(step, where):
    """The step without the weights at an index."""
    mask = step.mask.copy()
    mask[where] = False
    return replace(step, mask=mask, weight=step.weight * mask)


def check(steps):
    """Shrink, compare the outputs, and return the widths."""
    x = np.random.default_rng(9).normal(size=(3, *steps[0].input_shape))
    smaller = shrink(steps)
    assert_same_outputs(smaller, steps, x, 1e-12)
    return widths(smaller)


@pytest.mark.parametrize("active", [True, False], ids=["with ReLU", "without"])
@pytest.mark.parametrize("bias", [0.7, -0.7])
def test_a_neuron_that_nothing_writes_goes_into_the_next_bias(bias, active):
    first, second = without(dense((5,), 4), np.s_[:, 2]), dense((4,), 3, seed=1)
    first.bias[2] = bias
    assert check((first, relu((4,)), second) if active else (first, second)) == [3, 3]


def test_a_neuron_that_nothing_reads_goes():
    assert check((dense((5,), 4), relu((4,)), without(dense((4,), 3, seed=1), np.s_[1]))) == [3, 3]


def test_what_is_only_read_by_what_goes_itself_goes_as_well():
    first, second, third = dense((5,), 4), without(dense((4,), 4, seed=1), np.s_[0, 1:]), dense((4,), 3, seed=2)
    assert check((first, second, without(third, np.s_[0]))) == [3, 3, 3]


def test_what_only_reads_constants_is_constant():
    first, second, third = without(dense((5,), 4), np.s_[:, 0]), dense((4,), 4, seed=1), dense((4,), 3, seed=2)
    assert check((first, relu((4,)), without(second, np.s_[1:, 0]), relu((4,)), third)) == [3, 3, 3]


@pytest.mark.parametrize("left", range(4))
def test_a_quaternion_goes_only_when_all_four_components_may(left):
    first, second = dense((8,), 8, quaternion=True), dense((8,), 3, seed=1)
    unread = np.arange(1, 8, 2)
    assert check((first, relu((8,)), without(second, unread))) == [4, 3]
    assert check((first, relu((8,)), without(second, np.delete(unread, left)))) == [8, 3]


@pytest.mark.parametrize(("bias", "padding", "width"), [(0.7, 1, 4), (0.7, 0, 3), (-0.7, 1, 3), (-0.7, 0, 3)], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_a_constant_map_goes_unless_a_border_of_zeros_is_put_around_it(bias, padding, width, stride):
    first = without(conv((6, 7, 2), 4), np.s_[..., 1])
    first.bias[1] = bias
    assert check((first, relu((6, 7, 4)), conv((6, 7, 4), 3, padding=padding, stride=stride, seed=1))) == [width, 3]


@pytest.mark.parametrize("blocks", [1, 4])
def test_a_map_goes_when_none_of_its_pixels_is_read(blocks):
    first = conv((2, 3, 4), 8, quaternion=blocks == 4)
    last = dense((48,), 3, seed=1)
    numbers = np.broadcast_to(np.arange(8) % (8 // blocks), (2, 3, 8))
    pixels = np.concatenate([part.ravel() for part in np.split(numbers, blocks, axis=-1)]) == 1
    steps = (first, relu((2, 3, 8)), Gather((2, 3, 8), (48,), blocks=blocks))
    assert check((*steps, without(last, pixels))) == [8 - blocks, 3]
    pixels[np.flatnonzero(pixels)[-1]] = False
    assert check((*steps, without(last, pixels))) == [8, 3]


def test_a_constant_map_goes_through_pooling_and_the_mean_over_pixels():
    first = without(conv((5, 4, 2), 3), np.s_[..., 2])
    pooled = (Maximum((5, 4, 3), (2, 2, 3), 2), relu((2, 2, 3)), Mean((2, 2, 3), (3,)))
    assert check((first, *pooled, dense((3,), 2, seed=1))) == [2, 2]


@st.composite
def chains(draw):
    """Convolutions and dense layers of few weights left, real or quaternion, the last one real."""
    quaternion = draw(st.booleans())
    unit = 4 if quaternion else 1
    seeds, widths = st.integers(0, 2**32 - 1), st.integers(1, 4).map(lambda k: unit * k)
    density, steps = st.sampled_from([0, 0.05, 0.2, 0.5]), []
    shape = (draw(st.integers(3, 6)), draw(st.integers(3, 6)), draw(widths))

    def common():
        return {"quaternion": quaternion, "keep": draw(density), "seed": draw(seeds)}

    def add(step):
        nonlocal shape
        steps.append(step)
        shape = step.output_shape

    for _ in range(draw(st.integers(0, 3))):
        kernel, padding = draw(st.integers(1, 3)), draw(st.integers(0, 1))
        if min(shape[:2]) + 2 * padding >= kernel:
            add(conv(shape, draw(widths), kernel=kernel, padding=padding, stride=draw(st.integers(1, 2)), **common()))
        if draw(st.booleans()):
            add(relu(shape))
        if min(shape[:2]) > 1 and draw(st.booleans()):
            add(Maximum(shape, (shape[0] // 2, shape[1] // 2, shape[2]), 2))
    if draw(st.booleans()):
        add(Mean(shape, shape[2:]))
    else:
        add(Gather(shape, (int(np.prod(shape)),), blocks=unit))
    for _ in range(draw(st.integers(0, 2))):
        add(dense(shape, draw(widths), **common()))
        if draw(st.booleans()):
            add(relu(shape))
    add(dense(shape, 3, keep=draw(density), seed=draw(seeds)))
    return tuple(steps)


@settings(max_examples=200)
@given(chains())
def test_whatever_the_chain_the_outputs_are_the_same_and_the_second_time_nothing_goes(steps):
    assert check(steps) == check(shrink(steps))
