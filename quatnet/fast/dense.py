"""Dense layers on the CPU: real weights on several threads, quaternion weights without expanding them (stacked.py).

Where few weights are left, the product is one with a CSR matrix (sparse.py).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from quatnet.fast.threads import Threads
from quatnet.fast.wrapper import Wrapper
from quatnet.nn.layers import Backward, Dense
from quatnet.nn.layers.layer import check_last_axis
from quatnet.nn.parameters import Parameter


class Product(Protocol):
    """A way to multiply a batch by the weight of a dense layer, and to go back."""

    def forward(self, x: np.ndarray, weight: Parameter) -> tuple[np.ndarray, Backward]:
        """Return y (n, out) for x (n, in); backward writes the weight's gradient and returns dx."""


class FastDense(Wrapper[Dense]):
    """A dense layer, real or quaternion, by a `product`."""

    def __init__(self, layer: Dense, product: Product) -> None:
        super().__init__(layer)
        self.product = product

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        """Return y (n, out); backward adds db = sum dy to what the product does."""
        check_last_axis(x, self.layer.inputs, type(self.layer).__name__)
        y, product_backward = self.product.forward(x, self.layer.weight)
        y += self.layer.bias.value

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray:
            dy.sum(axis=0, out=self.layer.bias.gradient)
            dx: np.ndarray = product_backward(dy, inputs)
            return dx

        return y, backward


class Direct:
    """The product with a real weight; `threads` share it."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def forward(self, x: np.ndarray, weight: Parameter) -> tuple[np.ndarray, Backward]:
        """Return y = x w; backward: dw = x' dy, dx = dy w'."""

        def backward(dy: np.ndarray, inputs: bool = True) -> np.ndarray | None:
            self.set_gradient(x, dy, weight)
            return self._threads.matmul(dy, weight.value.T) if inputs else None

        return self._threads.matmul(x, weight.value), backward

    def set_gradient(self, x: np.ndarray, dy: np.ndarray, weight: Parameter) -> None:
        """Write dw = x' dy."""
        self._threads.matmul(x.T, dy, out=weight.gradient)
