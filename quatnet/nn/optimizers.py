"""Adam and SGD over the flat arrays of a network; pruned weights stay exactly 0.

The gradient is multiplied by the mask before anything else, and the new values after everything else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from quatnet.backend import Array, array_module, to_device, to_host
from quatnet.nn.parameters import Parameters


class Optimizer(ABC):
    """State and update of one network's parameters; `step` writes the values.

    Attributes
    ----------
    steps : updates done.
    """

    def __init__(self, parameters: Parameters, moments: tuple[str, ...], weight_decay: float) -> None:
        self.parameters = parameters
        self.weight_decay = weight_decay
        self._moments: dict[str, Array] = {name: parameters.xp.zeros_like(parameters.value) for name in moments}
        self.steps = 0

    @property
    def moments(self) -> dict[str, Array]:
        """Flat arrays like the parameters' values, by name: to be read."""
        return self._moments

    @abstractmethod
    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """Update values w and moments in place, given gradients g, all of one shape."""

    def step(self, rate: float) -> None:
        """Update all values once, with learning rate `rate`."""
        self.steps += 1
        w, mask = self.parameters.value, self.parameters.mask
        g = self.parameters.gradient * mask
        if self.weight_decay:
            g += self.weight_decay * w
        self.update(w, g, *self._moments.values(), rate=rate)
        w *= mask

    def reset(self) -> None:
        """Return to the state of a new optimizer."""
        for moment in self._moments.values():
            moment.fill(0)
        self.steps = 0

    def mask_state(self) -> None:
        """Zero the moments of pruned weights; to be called whenever the masks have changed."""
        for moment in self._moments.values():
            moment *= self.parameters.mask

    def state(self) -> dict[str, np.ndarray]:
        """Return the moments as host arrays."""
        return {name: to_host(moment) for name, moment in self.moments.items()}

    def set_state(self, moments: dict[str, np.ndarray], steps: int) -> None:
        """Take over moments and number of steps from a checkpoint."""
        for name, moment in self._moments.items():
            moment[...] = to_device(moments[name], self.parameters.xp)
        self.steps = steps


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), with PyTorch's defaults; weight decay is added to the gradient.

    Its moments are kept without their constant factors, m / (1-b1) and v / (1-b2), which saves three passes.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, ("m", "v"), weight_decay)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """m = b1 m + g;  v = b2 v + g^2;  w -= rate (1-b1) m / (1-b1^t) / (sqrt(v (1-b2) / (1-b2^t)) + eps)."""
        xp, (m, v) = array_module(w), moments
        step_size, epsilon = self.constants(rate)
        m *= self.beta1
        m += g
        v *= self.beta2
        scratch = g * g
        v += scratch
        xp.sqrt(v, out=scratch)
        scratch += epsilon
        xp.divide(m, scratch, out=scratch)
        scratch *= step_size
        w -= scratch

    def constants(self, rate: float) -> tuple[float, float]:
        """Return rate and epsilon for moments without their constant factors."""
        root = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        return rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / root, self.epsilon / root


class SGD(Optimizer):
    """Stochastic gradient descent with heavy-ball momentum, as PyTorch writes it: u = mu u + g;  w -= rate u."""

    def __init__(self, parameters: Parameters, *, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, ("u",), weight_decay)
        self.momentum = momentum

    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """u = mu u + g;  w -= rate u."""
        (u,) = moments
        u *= self.momentum
        u += g
        w -= rate * u
