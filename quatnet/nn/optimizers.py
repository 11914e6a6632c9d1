"""Adam and SGD over the flat arrays of a network; pruned weights stay exactly 0.

The gradient is multiplied by the mask before anything else, and the new values after everything else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from quatnet.backend import Array, to_device, to_host
from quatnet.nn.parameters import Parameters
from quatnet.threads import SERIAL, Threads

CHUNK = 1 << 17
"""Entries that the CPU updates at a time: few enough for the caches, enough that threads seldom meet."""


class Optimizer(ABC):
    """State and update of one network's parameters; `step` reads the gradients and writes the values.

    Attributes
    ----------
    moments : flat arrays like the parameters' values, by name.
    steps : updates done.
    """

    def __init__(self, parameters: Parameters, moments: tuple[str, ...], weight_decay: float, threads: Threads) -> None:
        self.parameters = parameters
        self._threads = threads
        self.weight_decay = weight_decay
        self.moments: dict[str, Array] = {n: parameters.xp.zeros_like(parameters.value) for n in moments}
        self.steps = 0

    @abstractmethod
    def step(self, rate: float) -> None:
        """Update all values once, with learning rate `rate`."""

    def reset(self) -> None:
        """Return to the state of a new optimizer."""
        for moment in self.moments.values():
            moment.fill(0)
        self.steps = 0

    def mask_state(self) -> None:
        """Zero the moments of pruned weights; to be called whenever the masks have shrunk."""
        for moment in self.moments.values():
            moment *= self.parameters.mask

    def state(self) -> dict[str, np.ndarray]:
        """Return the moments as host arrays."""
        return {name: to_host(moment) for name, moment in self.moments.items()}

    def set_state(self, moments: dict[str, np.ndarray], steps: int) -> None:
        """Take over moments and number of steps from a checkpoint."""
        for name, moment in self.moments.items():
            moment[...] = to_device(moments[name], self.parameters.xp)
        self.steps = steps

    def _update(self, update: Callable[[slice], None]) -> None:
        """Call `update` for every chunk of the flat arrays; threads take a part each."""
        p = self.parameters
        length = CHUNK if p.xp is np else p.size

        def update_part(part: slice) -> None:
            for start in range(part.start, part.stop, length):
                update(slice(start, min(start + length, part.stop)))

        self._threads.map(update_part, self._threads.split(p.size))

    def _masked(self, array: Array, part: slice) -> Array:
        """Multiply one chunk by its mask in place; on the CPU, where counting is cheap, only if anything is masked."""
        mask = self.parameters.mask[part]
        if self.parameters.xp is not np or not mask.all():
            array *= mask
        return array

    def _masked_gradient(self, part: slice) -> Array:
        """Mask one chunk of the gradients in place, add the weight decay, and return it."""
        p = self.parameters
        g = self._masked(p.gradient[part], part)
        if self.weight_decay:
            g += self.weight_decay * p.value[part]
        return g


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
        threads: Threads = SERIAL,
    ) -> None:
        super().__init__(parameters, ("m", "v"), weight_decay, threads)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def step(self, rate: float) -> None:
        """m = b1 m + g;  v = b2 v + g^2;  w -= rate (1-b1) m / (1-b1^t) / (sqrt(v (1-b2) / (1-b2^t)) + eps)."""
        xp = self.parameters.xp
        self.steps += 1
        root = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        step_size = rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / root

        def update(part: slice) -> None:
            g = self._masked_gradient(part)
            m, v, w = self.moments["m"][part], self.moments["v"][part], self.parameters.value[part]
            m *= self.beta1
            m += g
            v *= self.beta2
            scratch = g * g
            v += scratch
            xp.sqrt(v, out=scratch)
            scratch += self.epsilon / root
            xp.divide(m, scratch, out=scratch)
            scratch *= step_size
            w -= scratch
            self._masked(w, part)

        self._update(update)


class SGD(Optimizer):
    """Stochastic gradient descent with heavy-ball momentum, as PyTorch writes it: u = mu u + g;  w -= rate u."""

    def __init__(
        self,
        parameters: Parameters,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        threads: Threads = SERIAL,
    ) -> None:
        super().__init__(parameters, ("u",), weight_decay, threads)
        self.momentum = momentum

    def step(self, rate: float) -> None:
        """u = mu u + g;  w -= rate u."""
        self.steps += 1

        def update(part: slice) -> None:
            g = self._masked_gradient(part)
            u, w = self.moments["u"][part], self.parameters.value[part]
            u *= self.momentum
            u += g
            w -= rate * u
            self._masked(w, part)

        self._update(update)
