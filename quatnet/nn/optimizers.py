"""Adam and SGD over the flat arrays of a network; pruned weights stay exactly 0.

The gradient is multiplied by the mask before anything else, and the new values after everything else. On the CPU, where
few weights are left, gradients and values of these alone are gathered, and their moments are all that is stored.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from quatnet.backend import Array, array_module, to_device, to_host
from quatnet.nn import cuda, kernels
from quatnet.nn.parameters import Parameters
from quatnet.threads import SERIAL, Threads

CHUNK = 1 << 17
"""Entries that the CPU updates at a time: few enough for the caches, enough that threads seldom meet."""


class Optimizer(ABC):
    """State and update of one network's parameters; `step` writes the values, and may overwrite the gradients.

    Attributes
    ----------
    steps : updates done.
    """

    def __init__(self, parameters: Parameters, moments: tuple[str, ...], weight_decay: float, threads: Threads) -> None:
        self.parameters = parameters
        self._threads = threads
        self.weight_decay = weight_decay
        self._kept: np.ndarray | None = None
        self._moments: dict[str, Array] = {n: parameters.xp.zeros_like(parameters.value) for n in moments}
        self.steps = 0

    @abstractmethod
    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """Update values w and moments in place, given gradients g, all of one shape."""

    @abstractmethod
    def launch(self, rate: float) -> None:
        """Do the same to all values, masks included, in one kernel on a GPU."""

    def step(self, rate: float) -> None:
        """Update all values once, with learning rate `rate`."""
        self._follow_mask()
        self.steps += 1
        if cuda.usable(self.parameters.value):
            self.launch(rate)
            return
        size = self.parameters.size if self._kept is None else self._kept.size
        length = CHUNK if self.parameters.xp is np else size

        def update_part(part: slice) -> None:
            for start in range(part.start, part.stop, length):
                self._update_chunk(slice(start, min(start + length, part.stop)), rate)

        self._threads.map(update_part, self._threads.split(size))

    def reset(self) -> None:
        """Return to the state of a new optimizer."""
        for moment in self._moments.values():
            moment.fill(0)
        self.steps = 0

    def mask_state(self) -> None:
        """Zero the moments of pruned weights; to be called whenever the masks have shrunk."""
        self._follow_mask()
        if self._kept is None:
            for moment in self._moments.values():
                moment *= self.parameters.mask

    @property
    def moments(self) -> dict[str, Array]:
        """Flat arrays like the parameters' values, by name: to be read, they may be copies."""
        if self._kept is None:
            return self._moments
        full = {name: np.zeros_like(self.parameters.value) for name in self._moments}
        for name, moment in self._moments.items():
            full[name][self._kept] = moment
        return full

    def state(self) -> dict[str, np.ndarray]:
        """Return the moments as host arrays."""
        return {name: to_host(moment) for name, moment in self.moments.items()}

    def set_state(self, moments: dict[str, np.ndarray], steps: int) -> None:
        """Take over moments and number of steps from a checkpoint."""
        self._follow_mask()
        for name, moment in self._moments.items():
            moment[...] = to_device(
                moments[name] if self._kept is None else moments[name][self._kept], self.parameters.xp
            )
        self.steps = steps

    def _follow_mask(self) -> None:
        """Store the moments of all entries, or of those left, as the parameters list them."""
        kept = self.parameters.kept
        if kept is not self._kept:
            moments = self.moments
            self._moments = moments if kept is None else {name: moment[kept] for name, moment in moments.items()}
            self._kept = kept

    def _update_chunk(self, part: slice, rate: float) -> None:
        p = self.parameters
        where = part if self._kept is None else self._kept[part]
        w, g = p.value[where], p.gradient[where]
        if self._kept is None:
            self._mask(g, part)
        if self.weight_decay:
            g += self.weight_decay * w
        self.update(w, g, *(moment[part] for moment in self._moments.values()), rate=rate)
        if self._kept is None:
            self._mask(w, part)
        else:
            p.value[where] = w

    def _mask(self, array: Array, part: slice) -> None:
        """Multiply one chunk by its mask in place; on the CPU, where counting is cheap, only if anything is masked."""
        mask = self.parameters.mask[part]
        if self.parameters.xp is not np or not mask.all():
            array *= mask


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

    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """m = b1 m + g;  v = b2 v + g^2;  w -= rate (1-b1) m / (1-b1^t) / (sqrt(v (1-b2) / (1-b2^t)) + eps)."""
        xp, (m, v) = array_module(w), moments
        step_size, epsilon = self._constants(rate)
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

    def launch(self, rate: float) -> None:
        """Do the same in one kernel."""
        p, (step_size, epsilon) = self.parameters, self._constants(rate)
        scalars = {"step_size": step_size, "epsilon": epsilon, "beta1": self.beta1, "beta2": self.beta2}
        kernels.adam(p.value, p.gradient, p.mask, *self._moments.values(), **scalars, decay=self.weight_decay)

    def _constants(self, rate: float) -> tuple[float, float]:
        """Return rate and epsilon for moments without their constant factors."""
        root = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        return rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / root, self.epsilon / root


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

    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """u = mu u + g;  w -= rate u."""
        (u,) = moments
        u *= self.momentum
        u += g
        w -= rate * u

    def launch(self, rate: float) -> None:
        """Do the same in one kernel."""
        p, constants = self.parameters, {"rate": rate, "momentum": self.momentum, "decay": self.weight_decay}
        kernels.sgd(p.value, p.gradient, p.mask, *self._moments.values(), **constants)
