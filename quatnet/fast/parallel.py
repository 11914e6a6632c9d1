"""Threads that share a batch: each has a replica of the layers, with the same values and gradients of its own."""

from __future__ import annotations

import copy

import numpy as np

from quatnet.fast.conv import FastConv2d
from quatnet.fast.threads import Threads
from quatnet.fast.wrapper import Wrapper
from quatnet.nn.layers import Backward, Layer, Residual, Sequential
from quatnet.nn.parameters import Parameter


class Parallel(Wrapper[Layer]):
    """A layer on the CPU whose batches are shared among threads.

    Gradients are summed in the order of the threads, so that results do not vary from run to run.
    """

    def __init__(self, layer: Layer, threads: Threads) -> None:
        super().__init__(layer)
        self.replicas = [layer, *(replica(layer) for _ in range(threads.count - 1))]
        self._threads = threads

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return the layer's output; backward runs on the same threads and adds up the gradients."""
        parts = self._threads.split(len(x))
        shares = list(zip(self.replicas, parts, strict=False))
        outputs = self._threads.map(lambda share: share[0].forward(x[share[1]]), shares)

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            tasks = [(step, part) for (_, step), part in zip(outputs, parts, strict=True)]
            dxs = self._threads.map(lambda task: task[0](dy[task[1]], inputs), tasks)
            for name, parameter in self.parameters.items():
                for other in self.replicas[1 : len(parts)]:
                    parameter.gradient += other.parameters[name].gradient
            return np.concatenate(dxs) if inputs else None

        return np.concatenate([y for y, _ in outputs]), backward

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the layer's output."""
        shares = zip(self.replicas, self._threads.split(len(x)), strict=False)
        return np.concatenate(self._threads.map(lambda share: share[0].predict(x[share[1]]), shares))


def replica(layer: Layer) -> Layer:
    """Return a layer for another thread. Layers without parameters keep nothing, and are shared as they are.

    Raises TypeError for other layers with parameters than convolutions: batch normalisation needs the whole batch.
    """
    if isinstance(layer, Sequential):
        return Sequential({name: replica(inner) for name, inner in layer.layers.items()})
    if isinstance(layer, Residual):
        return Residual(replica(layer.body), replica(layer.shortcut))
    if isinstance(layer, FastConv2d):
        inner = copy.copy(layer.layer)
        inner.weight, inner.bias = _with_own_gradient(inner.weight), _with_own_gradient(inner.bias)
        return FastConv2d(inner, layer.algorithm)
    if layer.parameters:
        raise TypeError(f"{type(layer).__name__}: threads cannot share a batch in it")
    return layer


def _with_own_gradient(parameter: Parameter) -> Parameter:
    other = copy.copy(parameter)
    other.gradient = np.zeros_like(parameter.gradient)
    return other
