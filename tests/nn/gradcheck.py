"""The check of a backward pass: <u, J v> by central differences against <J'u, v>, in random directions u and v.

It costs two evaluations of the function for each argument, whatever their sizes, and a wrong entry of the gradient is
missed only if its error is orthogonal to v. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from quatnet.nn.layers import Layer
from quatnet.nn.parameters import Parameters


def assert_gradients(
    function: Callable[[], np.ndarray],
    arguments: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    u: np.ndarray,
    random: np.random.Generator,
    *,
    step: float = 1e-5,
    rtol: float = 1e-6,
) -> None:
    """Compare `gradients`, those of <u, function()> by the arguments, with differences.

    `function` reads the arrays in `arguments`, which are changed in place and restored.
    """
    assert gradients.keys() == arguments.keys()
    for name, argument in arguments.items():
        assert gradients[name].shape == argument.shape, f"{name}: the gradient has shape {gradients[name].shape}"
        v = random.normal(size=argument.shape)
        origin = argument.copy()
        argument[...] = origin + step * v
        above = function()
        argument[...] = origin - step * v
        below = function()
        argument[...] = origin
        change = (above - below) / (2 * step)
        expected = np.vdot(u, change)
        found = np.vdot(gradients[name], v)
        scale = np.linalg.norm(u) * np.linalg.norm(change) + np.linalg.norm(gradients[name]) * np.linalg.norm(v)
        assert abs(found - expected) <= rtol * scale + 1e-12, (
            f"{name}: <J'u, v> = {found}, but by differences {expected}"
        )


def assert_layer_gradients(layer: Layer, x: np.ndarray, seed: int, *, step: float = 1e-5, rtol: float = 1e-6) -> None:
    """Check the gradients of a layer (or a network) by its input and by each of its parameters."""
    random = np.random.default_rng(seed)
    y, backward = layer.forward(x)
    u = random.normal(size=y.shape)
    dx = backward(u)
    arguments = {"x": x} | {name: parameter.value for name, parameter in layer.parameters.items()}
    gradients = {"x": dx} | {name: parameter.gradient for name, parameter in layer.parameters.items()}
    assert_gradients(
        lambda: layer.forward(x)[0].copy(),
        arguments,
        {name: gradient.copy() for name, gradient in gradients.items()},
        u,
        random,
        step=step,
        rtol=rtol,
    )


def with_random_values(layer: Layer, seed: int, dtype: str = "float64") -> Layer:
    """Give a layer normal weights and biases of `dtype`, and return it."""
    parameters = Parameters(layer.parameters, np.dtype(dtype))
    parameters.set_value(np.random.default_rng([seed, 1]).normal(size=parameters.size))
    return layer
