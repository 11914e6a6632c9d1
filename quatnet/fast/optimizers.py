"""The optimizers on several threads, over chunks that fit the caches, and over the weights left alone where few are.

The formulas are those of nn/optimizers.py, and so are the results, bit for bit.
"""

from __future__ import annotations

import numpy as np

from quatnet.fast.sparse import FEW, few
from quatnet.fast.threads import Threads
from quatnet.nn.optimizers import Optimizer

CHUNK = 1 << 17
"""Entries that are updated at a time: few enough for the caches, enough that threads seldom meet."""


class ChunkedOptimizer(Optimizer):
    """An optimizer on the CPU that updates as `rule` does. It overwrites the gradients.

    Where few weights are left, less than `few_below` of them, their gradients and values alone are gathered, and their
    moments are all that is stored.
    """

    def __init__(self, rule: Optimizer, threads: Threads, chunk: int = CHUNK, few_below: float = FEW) -> None:
        self.parameters, self.weight_decay, self.steps = rule.parameters, rule.weight_decay, rule.steps
        self._rule, self._threads, self._chunk, self._few_below = rule, threads, chunk, few_below
        self._moments = rule.moments
        self._mask: np.ndarray | None = None
        self._kept: np.ndarray | None = None

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """Flat arrays like the parameters' values, by name: to be read, they may be copies."""
        if self._kept is None:
            return self._moments
        full = {name: np.zeros_like(self.parameters.value) for name in self._moments}
        for name, moment in self._moments.items():
            full[name][self._kept] = moment
        return full

    def update(self, w: np.ndarray, g: np.ndarray, *moments: np.ndarray, rate: float) -> None:
        """Update values w and moments in place, as the rule does."""
        self._rule.update(w, g, *moments, rate=rate)

    def step(self, rate: float) -> None:
        """Update all values once, with learning rate `rate`."""
        self._follow_mask()
        self.steps += 1
        self._rule.steps = self.steps
        size = self.parameters.size if self._kept is None else self._kept.size

        def update_part(part: slice) -> None:
            for start in range(part.start, part.stop, self._chunk):
                self._update_chunk(slice(start, min(start + self._chunk, part.stop)), rate)

        self._threads.map(update_part, self._threads.split(size))

    def mask_state(self) -> None:
        """Zero the moments of pruned weights; to be called whenever the masks have changed."""
        self._follow_mask()
        if self._kept is None:
            super().mask_state()

    def set_state(self, moments: dict[str, np.ndarray], steps: int) -> None:
        """Take over moments and number of steps from a checkpoint."""
        self._follow_mask()
        for name, moment in self._moments.items():
            moment[...] = moments[name] if self._kept is None else moments[name][self._kept]
        self.steps = steps

    def _follow_mask(self) -> None:
        """Store the moments of all entries, or of those left, as the present mask wants it."""
        mask = self.parameters.mask
        if mask is self._mask:
            return
        self._mask, kept, moments = mask, few(mask, self._few_below), self.moments
        if kept is not None or self._kept is not None:
            self._moments = moments if kept is None else {name: moment[kept] for name, moment in moments.items()}
        self._kept = kept

    def _update_chunk(self, part: slice, rate: float) -> None:
        p = self.parameters
        where = part if self._kept is None else self._kept[part]
        w, g = p.value[where], p.gradient[where]
        if self._kept is None:
            self._apply_mask(g, part)
        if self.weight_decay:
            g += self.weight_decay * w
        self.update(w, g, *(moment[part] for moment in self._moments.values()), rate=rate)
        if self._kept is None:
            self._apply_mask(w, part)
        else:
            p.value[where] = w

    def _apply_mask(self, array: np.ndarray, part: slice) -> None:
        """Multiply one chunk by its mask in place, if anything of it is masked."""
        mask = self.parameters.mask[part]
        if not mask.all():
            array *= mask
