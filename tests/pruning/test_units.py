"""Units: what goes with a channel, from the gradients; and which units go, against a plain loop over sets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.deploy.ir import operations_of, products
from quatnet.deploy.shrink import shrink
from quatnet.errors import UsageError
from quatnet.experiment import start
from quatnet.nn.layers import BatchNorm, WeightLayer
from quatnet.pruning.criteria import CRITERIA
from quatnet.pruning.units import NONE, UNITS
from quatnet.runs import run_name
from quatnet.settings import PruneSettings
from tests import small
from tests.small import build

NETWORKS = {
    "lenet": ("lenet-300-100", 0.08, (4, 4, 1)),
    "conv": ("conv-2", 0.125, (4, 4, 3)),
    "conv, grayscale": ("conv-2", 0.125, (4, 6, 1)),
    "vgg": ("vgg-16", 0.125, (32, 32, 3)),
    "resnet": ("resnet-20", 0.5, (8, 8, 3)),
    "resnet, projections": ("resnet-18", 0.125, (16, 16, 3)),
}
"""Of every layer at least two quaternion channels, and maps on which every weight of a kernel meets a pixel."""

ALGEBRAS = [pytest.param(False, id="real"), pytest.param(True, id="quaternion")]
RANDOM = np.random.default_rng


def network(name="lenet", quaternion=True, norm="split", seed=0):
    arch, width, shape = NETWORKS[name]
    return build(
        arch, quaternion=quaternion, input_shape=shape, classes=3, width=width, norm=norm, dtype="float64", seed=seed
    )


def images(net, count=2, seed=0):
    return RANDOM(seed).normal(size=(count, *net.input_shape))


def prune(net, unit, criterion="global", amount=0.2, seed=0):
    """Prune once, and return the new mask."""
    parameters = net.parameters
    parameters.set_mask(CRITERIA[criterion](parameters, amount, RANDOM(seed), UNITS[unit](net)))
    return parameters.mask.copy()


def channels_left(net):
    """Of every layer but the last, how many outputs have weights left."""
    weights = [p for p in net.parameters.values() if p.prunable]
    return [int(p.mask.any(axis=tuple(range(p.mask.ndim - 1))).sum()) for p in weights[:-1]]


# what belongs to a unit


def behind(net, weight):
    """The bias that makes the outputs of a layer with weights, or the shift of the normalisation after it."""
    leaves = list(net.layers.leaves())
    place = next(k for k, layer in enumerate(leaves) if getattr(layer, "weight", None) is weight)
    after = leaves[place + 1]
    return after.shift if isinstance(after, BatchNorm) else leaves[place].bias


def open_all_relus(net):
    """Make biases and shifts so large that they outweigh what is added to them."""
    for k, (name, parameter) in enumerate(net.parameters.items()):
        if name.endswith(("bias", "shift")):
            parameter.value[...] = 1000 ** (k // 2 + 1) if name.endswith("bias") else 1000


@pytest.mark.parametrize(
    ("name", "quaternion", "norm"),
    [
        *((name, quaternion, "split") for name in NETWORKS for quaternion in (False, True)),
        *(("resnet", True, norm) for norm in ("whitening", "scalar")),
    ],
)
def test_a_channel_takes_exactly_the_weights_that_are_without_effect_when_its_values_are_zero(name, quaternion, norm):
    net = network(name, quaternion, norm)
    open_all_relus(net)
    values, units, x = net.parameters.value.copy(), UNITS["channel"](net), images(net)
    weights = {net.parameters.slice(key).start: p for key, p in net.parameters.items()}
    for layer in units.layers:
        weight = weights[layer.start]
        for channel in {0, weight.shape[-1] - 1}:
            net.parameters.set_value(values)
            weight.value[..., channel] = 0
            behind(net, weight).value.reshape(4 if quaternion else 1, -1)[:, channel] = -1
            logits, backward = net.forward(x)
            backward(RANDOM(1).normal(size=logits.shape))
            without_effect = (net.parameters.gradient == 0) & net.parameters.prunable
            unit = layer.start + channel
            np.testing.assert_array_equal((units.own == unit) | (units.read == unit), without_effect)
            np.testing.assert_array_equal(weight.mask[..., channel], True)
            assert (units.own == unit).sum() == weight.value[..., channel].size


@pytest.mark.parametrize("quaternion", ALGEBRAS)
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("lenet", ["fc1", "fc2"]),
        ("conv", ["conv1", "conv2", "fc1", "fc2"]),
        ("vgg", [f"conv{k}" for k in range(1, 14)]),
        ("resnet", [f"stage{k}-{m}.body.conv1" for k in (1, 2, 3) for m in (1, 2, 3)]),
        ("resnet, projections", [f"stage{k}-{m}.body.conv1" for k in (1, 2, 3, 4) for m in (1, 2)]),
    ],
)
def test_the_output_layer_and_what_meets_in_a_sum_have_no_channels_to_prune(name, layers, quaternion):
    net = network(name, quaternion)
    assert UNITS["channel"](net).layers == tuple(net.parameters.slice(f"{layer}.weight") for layer in layers)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_quaternion_is_its_four_components_and_a_weight_of_the_real_layer_is_alone(name):
    net = network(name)
    units = UNITS["quaternion"](net)
    layers = [layer for layer in net.layers.leaves() if isinstance(layer, WeightLayer)]
    weights = [key for key, p in net.parameters.items() if p.prunable]
    for key, layer in zip(weights, layers, strict=True):
        part = net.parameters.slice(key)
        size = (part.stop - part.start) // 4 if layer.quaternion else part.stop - part.start
        np.testing.assert_array_equal(units.own[part] - part.start, np.arange(part.stop - part.start) % size)
    assert (units.own[~net.parameters.prunable] == NONE).all()
    assert (units.read == NONE).all()


def test_a_real_network_has_no_quaternions():
    with pytest.raises(UsageError, match=r"^unit: quaternion given; a real network has no quaternions$"):
        UNITS["quaternion"](network(quaternion=False))


# which units go


def plain_magnitudes(units, parameters):
    """The root mean square of what is left of each unit, by unit."""
    found = {}
    for unit, value, left in zip(units.own.tolist(), parameters.value.tolist(), parameters.mask, strict=True):
        if left and unit != NONE:
            found.setdefault(unit, []).append(value)
    return {unit: math.sqrt(sum(v * v for v in values) / len(values)) for unit, values in found.items()}


def plain_mask(net, unit, criterion, amount, seed):
    """The next mask: units in order, one after the other, until enough of the weights are gone."""
    parameters, units = net.parameters, UNITS[unit](net)
    scores = plain_magnitudes(units, parameters)
    weights = [parameters.slice(name) for name, p in parameters.items() if p.prunable]
    layers = [[u for u in scores if layer.start <= u < layer.stop] for layer in weights]
    groups = layers if (criterion, unit) == ("layerwise", "quaternion") else [list(scores)]
    if criterion == "random":
        drawn = RANDOM(seed).permutation(parameters.size)
        scores = {u: int(drawn[u]) for u in scores}
    by_score = {u: (score, u) for u, score in scores.items()}
    exempt = {max(layer, key=by_score.get) for layer in layers if layer} if unit == "channel" else set()
    if (criterion, unit) == ("layerwise", "channel"):
        for layer in layers:
            by_score |= {u: (k / len(layer), u) for k, u in enumerate(sorted(layer, key=by_score.get))}
    mask = parameters.mask.copy()
    for group in groups:
        left = mask & parameters.prunable & (np.isin(units.own, group) | (len(groups) == 1))
        gone = np.zeros_like(mask)
        for candidate in sorted(set(group) - exempt, key=by_score.get):
            if gone.sum() >= round(amount * left.sum()):
                break
            gone |= left & ((units.own == candidate) | (units.read == candidate))
        mask &= ~gone
    return mask


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(
    ("unit", "name", "quaternion"),
    [
        ("quaternion", "lenet", True),
        ("channel", "lenet", True),
        ("channel", "conv", False),
    ],
)
@given(seed=st.integers(0, 2**32 - 1), amount=st.sampled_from([0.01, 0.2, 0.5, 0.9]), high=st.sampled_from([2, 1000]))
def test_the_units_that_go_are_those_of_a_plain_loop_in_every_round(
    networks, unit, name, quaternion, criterion, seed, amount, high
):
    net = networks[name, quaternion]
    net.parameters.set_mask(np.ones(net.parameters.size, bool))
    for k in range(3):  # whole numbers, so that sums of squares are exact, and few of them, so that some are equal
        net.parameters.set_value(RANDOM([seed, k]).integers(-high, high + 1, net.parameters.size).astype(float))
        expected = plain_mask(net, unit, criterion, amount, k)
        np.testing.assert_array_equal(prune(net, unit, criterion, amount, k), expected)


@pytest.fixture(scope="module")
def networks():
    return {(name, q): network(name, q) for name in ("lenet", "conv") for q in (False, True)}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_four_components_of_a_quaternion_go_and_stay_together(criterion):
    net = network("conv")
    for k in range(6):
        net.parameters.set_value(RANDOM(k).normal(size=net.parameters.size))
        prune(net, "quaternion", criterion, seed=k)
        for name in ("conv1", "conv2", "fc1", "fc2"):
            mask = net.parameters[f"{name}.weight"].mask
            assert (mask == mask[0]).all()
        assert k or 0 < net.parameters["fc3.weight"].mask.sum() < net.parameters["fc3.weight"].size


@pytest.mark.parametrize("criterion", ["global", "random"])
def test_at_most_a_part_of_one_quaternion_more_goes_than_the_amount(criterion):
    net = network("conv")
    for k in range(20):
        before = net.parameters.count_kept()
        prune(net, "quaternion", criterion, seed=k)
        assert 0 <= before - net.parameters.count_kept() - round(0.2 * before) < 4


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("quaternion", ALGEBRAS)
@pytest.mark.parametrize("name", ["lenet", "conv", "resnet"])
def test_masks_only_shrink_until_one_channel_of_every_layer_is_left_and_then_stay(name, quaternion, criterion):
    net = network(name, quaternion)
    units, before = UNITS["channel"](net), net.parameters.mask.copy()
    for k in range(8):
        net.parameters.set_value(RANDOM(k).normal(size=net.parameters.size))
        after = prune(net, "channel", criterion, 0.6, seed=k)
        assert not (after & ~before).any()
        gone = before.sum() - after.sum()
        assert gone >= round(0.6 * (before & net.parameters.prunable).sum()) or len(np.unique(units.own[after])) == (
            len(units.layers) + (units.own == NONE).any()
        )
        before = after
    assert [len(np.unique(units.own[layer][after[layer]])) for layer in units.layers] == [1] * len(units.layers)
    np.testing.assert_array_equal(prune(net, "channel", criterion), after)
    assert np.abs(net.predict(images(net))).max() > 0


@pytest.mark.parametrize("unit", ["quaternion", "channel"])
def test_of_equal_units_the_first_in_order_go_first(unit):
    net = network()
    net.parameters.set_value(np.ones(net.parameters.size))
    units = UNITS[unit](net)
    first = prune(net, unit, amount=1e-2)
    gone = np.unique(units.own[~first & (units.own != NONE) & (units.own < net.parameters.slice("fc2.weight").start)])
    np.testing.assert_array_equal(gone, np.arange(gone.size))
    assert gone.size > 0


@pytest.mark.parametrize(("size", "goes"), [(0.99, "fc3.weight"), (1.01, "fc1.weight")])
def test_a_quaternion_counts_as_half_its_norm_next_to_a_real_weight(size, goes):
    net = network()
    net.parameters.set_value(np.full(net.parameters.size, 9.0))
    net.parameters["fc1.weight"].value[:, 1, 2] = 1, -1, 1, -1
    net.parameters["fc3.weight"].value[3, 1] = size
    prune(net, "quaternion", amount=1 / net.parameters.count_kept())
    assert [name for name, p in net.parameters.items() if not p.mask.all()] == [goes]


def test_a_channel_counts_as_the_root_mean_square_of_what_is_left_of_it():
    net = network(quaternion=False)
    net.parameters.set_value(np.full(net.parameters.size, 5.0))
    weight = net.parameters["fc2.weight"]
    weight.value[:, 1] = 4
    weight.value[:, 2] = [99, *[3] * 23]
    mask = np.ones(net.parameters.size, bool)
    mask[net.parameters.slice("fc1.weight")].reshape(16, 24)[:, 0] = False
    mask[net.parameters.slice("fc2.weight")].reshape(24, 8)[0] = False  # and with it the 99
    net.parameters.set_mask(mask)
    prune(net, "channel", amount=1e-2)
    assert weight.mask[1:].all(axis=0).tolist() == [k != 2 for k in range(8)]


def test_layerwise_the_same_part_of_the_channels_of_every_layer_goes():
    net = network("conv", quaternion=False)
    scale = {"conv1": 1e-3, "conv2": 1, "fc1": 1e3, "fc2": 10}
    for name, factor in scale.items():
        net.parameters[f"{name}.weight"].value[...] *= factor
    prune(net, "channel", "layerwise", 0.75)
    left = np.array(channels_left(net)) / [8, 8, 32, 32]
    assert np.ptp(left) <= 1 / 8
    assert 0.3 < left.min() < 0.6


def test_random_channels_do_not_depend_on_the_weights_but_on_the_seed():
    masks = []
    for seed, draw in ((0, 5), (1, 5), (0, 6)):
        net = network("conv", seed=seed)
        masks.append(prune(net, "channel", "random", 0.3, seed=draw))
    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()


# what remains


@pytest.mark.parametrize("quaternion", ALGEBRAS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_logits_do_not_depend_on_the_biases_of_channels_that_are_gone(name, quaternion):
    net = network(name, quaternion)
    units = UNITS["channel"](net)
    prune(net, "channel", amount=0.5)
    before = net.predict(images(net))
    weights = {net.parameters.slice(key).start: p for key, p in net.parameters.items()}
    for layer in units.layers:
        weight = weights[layer.start]
        gone = np.flatnonzero(~weight.mask.any(axis=tuple(range(weight.mask.ndim - 1))))
        behind(net, weight).value.reshape(4 if quaternion else 1, -1)[:, gone] = RANDOM(2).uniform(1, 9, gone.size)
    np.testing.assert_array_equal(net.predict(images(net)), before)


@pytest.mark.parametrize("quaternion", ALGEBRAS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_shrunk_network_has_the_channels_that_are_left_and_all_of_their_weights(name, quaternion):
    net = network(name, quaternion)
    prune(net, "channel", amount=0.5)
    whole, shrunk = products(operations_of(net)), products(shrink(operations_of(net)))
    assert all(step.mask.all() for step in shrunk)
    assert sum(step.mask.sum() for step in shrunk) == net.parameters.count_kept()
    assert [step.weight.shape[-1] for step in shrunk[:-1]] == channels_left(net)
    assert sum(step.bias.size for step in shrunk) < sum(step.bias.size for step in whole)


# settings and experiments


def test_quaternions_of_a_real_network_are_an_error_before_anything_is_trained(tmp_path):
    settings = small.train_settings(small.write(tmp_path / "small.npz"), quaternion=False)
    with pytest.raises(UsageError) as caught:
        start(tmp_path / "runs", settings, small.prune_settings(unit="quaternion"))
    assert str(caught.value) == (
        "unit: quaternion given; a real network has no quaternions, only weight and channel"
    )  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_single_weights_make_no_other_run_and_other_units_do(small_set):
    train = small.train_settings(small_set)
    names = {run_name(train, PruneSettings(**unit)) for unit in ({}, {"unit": "weight"})}
    assert names == {run_name(train, None)}
    assert PruneSettings(unit="channel").non_defaults() == {"unit": "channel"}


@pytest.mark.parametrize("protocol", ["imp", "paper"])
@pytest.mark.parametrize(("unit", "left"), [("quaternion", [84, 67, 52]), ("channel", [84, 56, 28])])
def test_an_experiment_prunes_the_unit_of_its_settings(tmp_path, small_set, unit, left, protocol):
    run = small.experiment(
        tmp_path, small.train_settings(small_set), small.prune_settings(unit=unit, protocol=protocol)
    )
    found = [result.kept_weights for result in run.results()]
    assert all(0 <= expected - kept < 4 for expected, kept in zip(left, found, strict=True))
