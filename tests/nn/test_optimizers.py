"""Adam and SGD against formulas in float64, entry by entry, and the invariant that pruned weights stay exactly 0."""

import numpy as np
import pytest

from quatnet.nn.optimizers import SGD, Adam
from quatnet.nn.parameters import Parameter, Parameters
from tests.nn.every import OPTIMIZERS

RATE = 0.05


def make_parameters(weights, biases=3, dtype="float64"):
    named = {
        "fc.weight": Parameter((weights,), prunable=True),
        "fc.bias": Parameter((biases,), prunable=False),
    }
    parameters = Parameters(named, np.dtype(dtype))
    parameters.set_value(np.random.default_rng(1).normal(size=parameters.size))
    return parameters


def gradients(size, steps, seed=2):
    return np.random.default_rng(seed).normal(size=(steps, size))


def train(optimizer, all_gradients):
    for gradient in all_gradients:
        optimizer.parameters.gradient[...] = gradient
        optimizer.step(RATE)
    return optimizer.parameters.value


def naive_adam(w, all_gradients, rate, beta1, beta2, epsilon, decay):
    """Kingma and Ba 2015, algorithm 1, for one entry."""
    m = v = 0.0
    for t, g in enumerate(all_gradients, start=1):
        g = g + decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return w


def naive_sgd(w, all_gradients, rate, momentum, decay):
    u = 0.0
    for g in all_gradients:
        u = momentum * u + g + decay * w
        w = w - rate * u
    return w


@pytest.fixture(params=OPTIMIZERS)
def make_optimizer(request):
    return OPTIMIZERS[request.param]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_ten_steps_of_adam_follow_the_formula(decay):
    parameters = make_parameters(10)
    start, all_gradients = parameters.value.copy(), gradients(parameters.size, 10)
    found = train(Adam(parameters, weight_decay=decay), all_gradients)
    expected = [naive_adam(w, g, RATE, 0.9, 0.999, 1e-8, decay) for w, g in zip(start, all_gradients.T, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_adams_betas_and_epsilon_are_those_given():
    parameters = make_parameters(4)
    start, all_gradients = parameters.value.copy(), gradients(parameters.size, 10)
    found = train(Adam(parameters, beta1=0.5, beta2=0.7, epsilon=0.3), all_gradients)
    expected = [naive_adam(w, g, RATE, 0.5, 0.7, 0.3, 0) for w, g in zip(start, all_gradients.T, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_ten_steps_of_sgd_follow_the_formula(momentum, decay):
    parameters = make_parameters(10)
    start, all_gradients = parameters.value.copy(), gradients(parameters.size, 10)
    found = train(SGD(parameters, momentum=momentum, weight_decay=decay), all_gradients)
    expected = [naive_sgd(w, g, RATE, momentum, decay) for w, g in zip(start, all_gradients.T, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_the_rate_may_change_from_step_to_step():
    parameters = make_parameters(4)
    start, optimizer = parameters.value.copy(), SGD(parameters)
    for rate in (0.1, 0.01):
        parameters.gradient.fill(1)
        optimizer.step(rate)
    np.testing.assert_allclose(parameters.value, start - 0.11, rtol=1e-14)


def test_pruned_weights_are_exactly_zero_after_every_step(make_optimizer):
    parameters = make_parameters(10)
    mask = np.arange(parameters.size) % 2 == 0
    mask[-3:] = True
    parameters.set_mask(mask)
    optimizer = make_optimizer(parameters)
    for gradient in gradients(parameters.size, 6):
        parameters.gradient[...] = gradient
        optimizer.step(RATE)
        assert (parameters.value[~mask] == 0.0).all()
        assert (parameters.value[mask] != 0.0).all()


def test_weights_pruned_in_the_middle_of_training_are_exactly_zero_from_then_on(make_optimizer):
    parameters = make_parameters(40)
    optimizer = make_optimizer(parameters)
    mask = np.ones(parameters.size, bool)
    for pruned_now in (slice(0, 10), slice(10, 30), slice(30, 40)):
        train(optimizer, gradients(parameters.size, 3))
        mask[pruned_now] = False
        parameters.set_mask(mask)
        optimizer.mask_state()
        for gradient in gradients(parameters.size, 3, seed=3):
            train(optimizer, [gradient])
            assert (parameters.value[~mask] == 0.0).all()


def test_pruned_weights_do_not_change_the_others(make_optimizer):
    whole, pruned = make_parameters(10), make_parameters(10)
    mask = np.ones(13, bool)
    mask[:5] = False
    pruned.set_mask(mask)
    all_gradients = gradients(13, 5)
    np.testing.assert_array_equal(
        train(make_optimizer(pruned), all_gradients)[mask], train(make_optimizer(whole), all_gradients)[mask]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_moments_keep_the_dtype(make_optimizer, dtype):
    parameters = make_parameters(4, dtype=dtype)
    optimizer = make_optimizer(parameters)
    train(optimizer, gradients(parameters.size, 2))
    assert {a.dtype for a in (parameters.value, *optimizer.moments.values())} == {np.dtype(dtype)}


def test_an_optimizer_with_a_saved_state_continues_identically(make_optimizer):
    all_gradients = gradients(13, 8)
    through = make_parameters(10)
    train(make_optimizer(through), all_gradients)

    halted = make_parameters(10)
    first = make_optimizer(halted)
    train(first, all_gradients[:5])
    state, steps, value = first.state(), first.steps, halted.value.copy()
    saved = {name: moment.copy() for name, moment in state.items()}

    resumed = make_parameters(10)
    resumed.set_value(value)
    second = make_optimizer(resumed)
    second.set_state(saved, steps)
    train(second, all_gradients[5:])
    np.testing.assert_array_equal(resumed.value, through.value)


def test_taking_over_a_state_copies_it(make_optimizer):
    optimizer = make_optimizer(make_parameters(10))
    state = {name: np.ones_like(moment) for name, moment in optimizer.moments.items()}
    optimizer.set_state(state, 3)
    train(optimizer, gradients(13, 1))
    assert all((moment == 1).all() for moment in state.values())


def test_a_reset_optimizer_continues_like_a_new_one(make_optimizer):
    used, fresh = make_parameters(10), make_parameters(10)
    optimizer = make_optimizer(used)
    train(optimizer, gradients(13, 5))
    optimizer.reset()
    assert optimizer.steps == 0
    used.set_value(fresh.value)
    np.testing.assert_array_equal(
        train(optimizer, gradients(13, 5, seed=4)), train(make_optimizer(fresh), gradients(13, 5, seed=4))
    )
