"""Criteria against a full stable sort of all weights, written as a loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quatnet.pruning.criteria import CRITERIA
from tests.small import build

ROUNDS = 20


@st.composite
def weights(draw):
    """Up to four weights; half the time of few values, so that many magnitudes are equal."""
    shapes = draw(st.lists(hnp.array_shapes(min_dims=2, max_dims=4, max_side=4), min_size=1, max_size=4))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ties = draw(st.booleans())
    values = (generator.integers(-2, 3, shape) if ties else generator.normal(size=shape) for shape in shapes)
    return {f"fc{k}": value.astype(float) for k, value in enumerate(values)}


def prune(parameters, criterion, amount=0.2, seed=0):
    """Prune once, and return the new mask."""
    parameters.set_mask(CRITERIA[criterion](parameters, amount, np.random.default_rng(seed)))
    return parameters.mask.copy()


def naive(parameters, amount, *, layerwise=False):
    """The mask after sorting every weight left by magnitude, weights of equal magnitude in their order."""
    left = {}
    for name, parameter in parameters.items():
        if name.endswith("weight"):
            group = left.setdefault(name if layerwise else "all", [])
            part = parameters.slice(name)
            flat, mask = parameter.value.ravel().tolist(), parameter.mask.ravel().tolist()
            group += [(abs(w), part.start + k) for k, w in enumerate(flat) if mask[k]]
    mask = parameters.mask.copy()
    for group in left.values():
        group.sort(key=lambda entry: entry[0])
        for _, position in group[: round(amount * len(group))]:
            mask[position] = False
    return mask


def pruned(parameters):
    """Names and indices of the pruned entries."""
    return [(name, tuple(index)) for name, p in parameters.items() for index in np.argwhere(~p.mask).tolist()]


@pytest.fixture(params=[False, True], ids=["real", "quaternion"])
def network(request):
    return build("lenet-12", quaternion=request.param, input_shape=(4, 4, 1), classes=3)


@given(weights(), st.sampled_from([0.01, 0.2, 0.5, 0.99]))
def test_global_pruning_is_that_of_a_full_stable_sort_in_every_round(parameters_of, weights, amount):
    parameters = parameters_of(weights)
    for _ in range(8):
        expected = naive(parameters, amount)
        np.testing.assert_array_equal(prune(parameters, "global", amount), expected)


@given(weights(), st.sampled_from([0.01, 0.2, 0.5, 0.99]))
def test_layerwise_pruning_is_that_of_a_stable_sort_of_every_layer(parameters_of, weights, amount):
    parameters = parameters_of(weights)
    for _ in range(8):
        expected = naive(parameters, amount, layerwise=True)
        np.testing.assert_array_equal(prune(parameters, "layerwise", amount), expected)


@pytest.mark.parametrize("criterion", ["global", "random"])
@given(weights=weights())
def test_exactly_a_fifth_of_the_weights_left_goes_in_every_round(parameters_of, criterion, weights):
    parameters = parameters_of(weights)
    left = sum(weight.size for weight in weights.values())
    for k in range(ROUNDS):
        left -= round(0.2 * left)
        prune(parameters, criterion, seed=k)
        assert parameters.count_kept() == left


@given(weights=weights())
def test_exactly_a_fifth_of_every_layer_goes_in_every_layerwise_round(parameters_of, weights):
    parameters = parameters_of(weights)
    left = {f"{name}.weight": weight.size for name, weight in weights.items()}
    for _ in range(ROUNDS):
        left = {name: count - round(0.2 * count) for name, count in left.items()}
        prune(parameters, "layerwise")
        assert {name: int(parameters[name].mask.sum()) for name in left} == left


@pytest.mark.parametrize("criterion", CRITERIA)
@given(weights=weights())
def test_masks_only_shrink(parameters_of, criterion, weights):
    parameters = parameters_of(weights)
    before = parameters.mask.copy()
    for k in range(ROUNDS):
        parameters.set_value(np.random.default_rng(k).normal(size=parameters.size))
        after = prune(parameters, criterion, seed=k)
        assert not (after & ~before).any()
        before = after


@pytest.mark.parametrize("criterion", CRITERIA)
def test_biases_are_exempt_however_small(parameters_of, criterion):
    parameters = parameters_of({"fc1": np.full((4, 4), 5.0), "fc2": np.full((4, 2), 5.0)})
    for k in range(50):
        prune(parameters, criterion, 0.5, seed=k)
    assert parameters.count_kept() <= 1 + 1
    assert all(parameter.mask.all() for name, parameter in parameters.items() if name.endswith("bias"))


def test_of_equal_weights_the_first_in_order_go_first(parameters_of):
    parameters = parameters_of({"fc1": np.array([[2.0, -1, 1]]), "fc2": np.array([[-1.0, 1, 0.5]])})
    prune(parameters, "global", 0.5)
    assert pruned(parameters) == [("fc1.weight", (0, 1)), ("fc1.weight", (0, 2)), ("fc2.weight", (0, 2))]


def test_the_sign_of_a_weight_does_not_matter(parameters_of):
    parameters = parameters_of({"fc1": np.array([[-9.0, 3, -2, 4, 5]])})
    prune(parameters, "global")
    assert pruned(parameters) == [("fc1.weight", (0, 2))]


def test_kept_weights_that_are_zero_go_before_all_others(parameters_of):
    parameters = parameters_of({"fc1": np.array([[1.0, 0, 1, 1, 1]])})
    prune(parameters, "global")
    assert pruned(parameters) == [("fc1.weight", (0, 1))]


def test_global_pruning_may_take_all_from_one_layer(parameters_of):
    parameters = parameters_of({"fc1": np.full((2, 2), 9.0), "fc2": np.full((2, 2), 0.1)})
    prune(parameters, "global", 0.5)
    assert {name for name, _ in pruned(parameters)} == {"fc2.weight"}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_nothing_goes_when_the_part_rounds_to_nothing(parameters_of, criterion):
    parameters = parameters_of({"fc1": np.ones((1, 2))})
    assert prune(parameters, criterion).all()


def test_the_values_are_left_to_the_caller(parameters_of):
    parameters = parameters_of({"fc1": np.arange(10.0).reshape(2, 5)})
    before = parameters.value.copy()
    CRITERIA["global"](parameters, 0.2, np.random.default_rng(0))
    assert parameters.mask.all()
    np.testing.assert_array_equal(parameters.value, before)


@pytest.mark.parametrize("component", range(4))
def test_a_quaternion_may_lose_one_component(parameters_of, component):
    weight = np.ones((4, 2, 2))
    weight[component, 1, 0] = 0.5
    parameters = parameters_of({"fc1": weight})
    prune(parameters, "global", 1 / 16)
    assert pruned(parameters) == [("fc1.weight", (component, 1, 0))]


def test_the_output_layer_is_pruned_as_well(network):
    network.parameters["fc2.weight"].value[...] *= 1e-6
    prune(network.parameters, "global", 0.1)
    assert {name for name, _ in pruned(network.parameters)} == {"fc2.weight"}


def test_no_entry_of_a_network_but_biases_is_exempt(network):
    prune(network.parameters, "global", 1 - 1e-12)
    assert {name for name, p in network.parameters.items() if p.mask.any()} == {"fc1.bias", "fc2.bias"}


# random pruning


def test_random_pruning_of_one_seed_is_the_same(network):
    masks = [CRITERIA["random"](network.parameters, 0.2, np.random.default_rng(7)) for _ in range(2)]
    np.testing.assert_array_equal(*masks)


def test_random_pruning_of_another_seed_is_another(network):
    masks = [CRITERIA["random"](network.parameters, 0.2, np.random.default_rng(seed)) for seed in (7, 8)]
    assert (masks[0] != masks[1]).any()


def test_random_pruning_does_not_look_at_the_weights(network):
    before = CRITERIA["random"](network.parameters, 0.2, np.random.default_rng(7))
    network.parameters.set_value(np.arange(network.parameters.size, dtype=float))
    np.testing.assert_array_equal(CRITERIA["random"](network.parameters, 0.2, np.random.default_rng(7)), before)


def test_random_pruning_takes_every_weight_equally_often(parameters_of):
    draws, part = 2000, 0.2
    parameters = parameters_of({"fc1": np.arange(10.0).reshape(2, 5), "fc2": np.arange(10.0).reshape(5, 2)})
    gone = sum(~CRITERIA["random"](parameters, part, np.random.default_rng(seed)) for seed in range(draws))
    deviation = np.sqrt(draws * part * (1 - part))
    assert (np.abs(gone[parameters.prunable] - draws * part) < 5 * deviation).all()


# PyTorch


def torch_masks(parameters, rounds):
    """The masks of PyTorch's iterated global pruning of these weights, as flat arrays."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.nn.utils import prune as torch_prune

    modules = []
    for parameter in parameters.values():
        if parameter.prunable:
            module = torch.nn.Module()
            module.weight = torch.nn.Parameter(torch.from_numpy(parameter.value.copy()))
            modules.append(module)
    for _ in range(rounds):
        pairs = [(module, "weight") for module in modules]
        torch_prune.global_unstructured(pairs, torch_prune.L1Unstructured, amount=0.2)
        yield np.concatenate([module.weight_mask.numpy().ravel() != 0 for module in modules])


@pytest.mark.torch
def test_the_masks_of_twenty_rounds_are_pytorchs(network):
    parameters = network.parameters
    for expected in torch_masks(parameters, ROUNDS):
        np.testing.assert_array_equal(prune(parameters, "global")[parameters.prunable], expected)


@pytest.mark.torch
@pytest.mark.parametrize("size", range(1, 60, 7))
def test_the_counts_of_twenty_rounds_are_pytorchs_even_where_a_fifth_is_no_whole_number(parameters_of, size):
    parameters = parameters_of({"fc1": np.random.default_rng(size).normal(size=(size, 3))}, "float32")
    for expected in torch_masks(parameters, ROUNDS):
        prune(parameters, "global")
        assert parameters.count_kept() == expected.sum()
