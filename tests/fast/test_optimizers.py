"""The accelerated optimizers: their state, and where few weights are left."""

import numpy as np
import pytest

from quatnet.fast.optimizers import ChunkedOptimizer
from quatnet.fast.threads import SERIAL
from quatnet.nn.parameters import Parameter, Parameters
from tests.nn.every import OPTIMIZERS, random_mask


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request):
    parameters = Parameters({"weight": Parameter((40,), prunable=True)}, np.dtype("float64"))
    parameters.set_value(np.arange(1.0, 41))
    return ChunkedOptimizer(OPTIMIZERS[request.param](parameters), SERIAL)


def step(optimizer, steps=1):
    random = np.random.default_rng(2)
    for _ in range(steps):
        optimizer.parameters.gradient[...] = random.normal(size=optimizer.parameters.size)
        optimizer.step(0.05)


@pytest.mark.parametrize(("density", "stored"), [(0.9, "all"), (0.2, "left")])
def test_where_few_weights_are_left_their_moments_alone_are_stored(optimizer, density, stored):
    optimizer.parameters.set_mask(random_mask(optimizer.parameters, density))
    step(optimizer)
    sizes = {"all": 40, "left": optimizer.parameters.count_kept()}
    assert {moment.size for moment in optimizer._moments.values()} == {sizes[stored]}
    assert {moment.size for moment in optimizer.moments.values()} == {40}


def test_taking_over_a_state_copies_it(optimizer):
    state = {name: np.ones_like(moment) for name, moment in optimizer.moments.items()}
    optimizer.set_state(state, 3)
    step(optimizer)
    assert all((moment == 1).all() for moment in state.values())


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_a_reset_optimizer_continues_like_a_new_one(optimizer, density):
    optimizer.parameters.set_mask(random_mask(optimizer.parameters, density))
    start, values = optimizer.parameters.value.copy(), []
    for _ in range(2):
        step(optimizer, 3)
        values.append(optimizer.parameters.value.copy())
        optimizer.reset()
        optimizer.parameters.set_value(start)
    assert optimizer.steps == 0
    np.testing.assert_array_equal(*values)
