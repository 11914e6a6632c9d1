"""A step of Adam or SGD, masks included, in one kernel."""

from __future__ import annotations

from quatnet.backend import Array
from quatnet.fast.gpu import kernels
from quatnet.nn.optimizers import SGD, Adam, Optimizer


class KernelOptimizer(Optimizer):
    """Adam or SGD on a GPU, as `rule` has its constants."""

    def __init__(self, rule: Optimizer) -> None:
        self.parameters, self.weight_decay, self.steps = rule.parameters, rule.weight_decay, rule.steps
        self._rule, self._moments = rule, rule.moments

    def update(self, w: Array, g: Array, *moments: Array, rate: float) -> None:
        """Update values w and moments in place, as the rule does."""
        self._rule.update(w, g, *moments, rate=rate)

    def step(self, rate: float) -> None:
        """Update all values once, with learning rate `rate`."""
        self.steps += 1
        rule, p = self._rule, self.parameters
        rule.steps = self.steps
        arrays = p.value, p.gradient, p.mask, *self._moments.values()
        if isinstance(rule, Adam):
            step_size, epsilon = rule.constants(rate)
            scalars = {"step_size": step_size, "epsilon": epsilon, "beta1": rule.beta1, "beta2": rule.beta2}
            kernels.adam(*arrays, **scalars, decay=self.weight_decay)
        elif isinstance(rule, SGD):
            kernels.sgd(*arrays, rate=rate, momentum=rule.momentum, decay=self.weight_decay)
        else:
            super().step(rate)
