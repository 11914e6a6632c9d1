"""Residual connections (He et al. 2016), for section 5.2 of the paper: two paths whose outputs are added.

The shortcut of the CIFAR networks, which has no weights, is here too.
"""

from __future__ import annotations

from collections.abc import Iterator

from quatnet.backend import Array, array_module
from quatnet.errors import UsageError
from quatnet.nn.layers.layer import Backward, Layer, check_divisible, check_positive
from quatnet.nn.layers.sequential import Sequential
from quatnet.nn.parameters import Parameter


class Residual(Layer):
    """y = body(x) + shortcut(x); the shortcut is the identity unless a layer is given.

    The parameters are called `body.name` and `shortcut.name`, with the names that the two layers give them.
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        self.body = body
        self.shortcut = Sequential({}) if shortcut is None else shortcut
        self._paths = Sequential({"body": self.body, "shortcut": self.shortcut})

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y; backward: dx = body_backward(dy) + shortcut_backward(dy)."""
        y, body_backward = self.body.forward(x)
        shortcut_y, shortcut_backward = self.shortcut.forward(x)

        def backward(dy: Array, inputs: bool = True) -> Array:
            dx, shortcut_dx = body_backward(dy, inputs), shortcut_backward(dy, inputs)
            return dx + shortcut_dx if inputs else None

        return _sum(y, shortcut_y), backward

    def predict(self, x: Array) -> Array:
        """Return y."""
        return _sum(self.body.predict(x), self.shortcut.predict(x))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of both paths; a UsageError if they differ."""
        y, shortcut_y = self.body.output_shape(shape), self.shortcut.output_shape(shape)
        if y != shortcut_y:
            raise UsageError(f"shortcut: its outputs are {shortcut_y}, those of the body {y}; they must be equal")
        return y

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters of the body, then those of the shortcut."""
        return self._paths.parameters

    @property
    def state(self) -> dict[str, Parameter]:
        """The running statistics of the body, then those of the shortcut."""
        return self._paths.state

    def leaves(self) -> Iterator[Layer]:
        """Yield the leaves of the body, then those of the shortcut."""
        return self._paths.leaves()


class Subsample(Layer):
    """Every `stride`-th pixel, and zeros in the new channels, for x (n, h, w, c) and c up to `outputs`.

    The shortcut without parameters where a residual network halves its maps and widens (He et al. 2016, section 4.2,
    option A). The new channels come last.
    """

    blocks = 1

    def __init__(self, outputs: int, stride: int = 2) -> None:
        check_positive(outputs=outputs, stride=stride)
        self.outputs, self.stride = outputs, stride

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """Return y (n, h / stride, w / stride, outputs), sides rounded up; backward: dx = dy where x went."""
        xp, shape, stride = array_module(x), x.shape, self.stride
        y = xp.zeros((len(x), *self.output_shape(shape[1:])), dtype=x.dtype)
        taken = self._blocks(x[:, ::stride, ::stride])
        self._blocks(y)[..., : taken.shape[-1]] = taken

        def backward(dy: Array, inputs: bool = True) -> Array:
            dx = xp.zeros(shape, dtype=dy.dtype)
            blocks = self._blocks(dy)[..., : shape[-1] // self.blocks]
            dx[:, ::stride, ::stride] = blocks.reshape(*dy.shape[:-1], shape[-1])
            return dx

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h / stride, w / stride, outputs), sides rounded up; a UsageError if there are fewer channels."""
        h, w, c = shape
        if c > self.outputs:
            raise UsageError(f"outputs: {self.outputs} given; {c} channels come in, and none can be left out")
        return (-(-h // self.stride), -(-w // self.stride), self.outputs)

    def _blocks(self, x: Array) -> Array:
        """Return x with its channels split into their blocks: a view, where x lies in one piece."""
        return x.reshape(*x.shape[:-1], self.blocks, x.shape[-1] // self.blocks)


class QuaternionSubsample(Subsample):
    """`Subsample` for component-blocked channels, [r | i | j | k]: the new channels come last in each of the blocks."""

    blocks = 4

    def __init__(self, outputs: int, stride: int = 2) -> None:
        super().__init__(outputs, stride)
        check_divisible(outputs=outputs)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (h / stride, w / stride, outputs); a UsageError if the channels do not split into quaternions."""
        check_divisible(channels=shape[-1])
        return super().output_shape(shape)


def _sum(y: Array, shortcut_y: Array) -> Array:
    if y.shape != shortcut_y.shape:
        raise ValueError(f"shortcut: its output has shape {shortcut_y.shape}, that of the body {y.shape}")
    return y + shortcut_y
