"""Leave out channels that the logits do not depend on: the layers of a pruned network become smaller.

A channel (of a dense layer: a neuron) can be left out in two cases:

- No weight left in the next layer reads it.
- No weight left writes it: all its values are its bias b, or max(b, 0) behind a ReLU. What the next layer makes of that
  constant is added to its bias. A convolution that pads its input reads zeros beyond the border instead of the
  constant: before it, only a constant of 0 can be left out.

The four components of a quaternion channel are left out together. Channels that meet in a residual sum stay, and so
does at least one channel of every layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from quatnet.deploy.ir import Add, Affine, products
from quatnet.deploy.weightless import Gather, Operation, Shape, Weightless


def shrink(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return operations with the same outputs, but for rounding, from which no further channel can be left out.

    Their input and output have the same shapes, and arrays the same dtypes.
    """
    larger = tuple(operations)
    while _size(smaller := _once(larger)) < _size(larger):
        larger = smaller
    return larger


def _size(operations: Iterable[Operation]) -> int:
    return sum(product.weight.size for product in products(operations))


def _once(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Shrink each two products of which one reads the other, the last two first."""
    found = [
        replace(o, body=_once(o.body), shortcut=_once(o.shortcut)) if isinstance(o, Add) else o for o in operations
    ]
    places = [place for place, operation in enumerate(found) if not isinstance(operation, Weightless)]
    for first, last in reversed(list(pairwise(places))):
        maker, reader = found[first], found[last]
        if isinstance(maker, Affine) and isinstance(reader, Affine):
            between = [o for o in found[first:last] if isinstance(o, Weightless)]
            found[first : last + 1] = _shrunk(maker, between, reader)
    return tuple(found)


def _shrunk(maker: Affine, between: Sequence[Weightless], reader: Affine) -> list[Operation]:
    """Return the operations without the channels of `maker` that can go."""
    channels, inputs = maker.bias.size, reader.input_shape[-1]
    blocks = 4 if maker.quaternion or reader.quaternion else 1  # in which channels go together
    sources, constants = (
        np.broadcast_to(x, maker.output_shape).astype(np.float64) for x in (np.arange(channels), maker.bias)
    )
    for operation in between:
        if not operation.separate:
            return [maker, *between, reader]
        sources, constants = operation.predict(sources), operation.predict(constants)
        blocks = max(blocks, operation.blocks) if isinstance(operation, Gather) else blocks
    # Of each input of the reader the channel, and the value if that is constant.
    sources, constants = sources.reshape(-1, inputs)[0].astype(int), constants.reshape(-1, inputs)[0]

    written = np.asarray(maker.real_mask.reshape(-1, channels).any(axis=0))
    if reader.window is not None and reader.window.padding:
        written[sources[constants != 0]] = True
    is_read = reader.real_mask.any(axis=-1).reshape(-1, inputs).any(axis=0)
    read = np.bincount(sources, is_read, channels) > 0
    kept = np.logical_and(written.reshape(blocks, -1).any(axis=0), read.reshape(blocks, -1).any(axis=0))
    kept[0] |= not kept.any()
    kept = np.tile(kept, blocks)

    constants[kept[sources]] = 0
    weight = reader.real_weight.astype(np.float64).reshape(-1, inputs, reader.bias.size).sum(axis=0)
    added = constants @ weight * (1 if reader.scale is None else reader.scale)
    found: list[Operation] = [_with_outputs(maker, kept)]
    for operation in between:
        shape = found[-1].output_shape
        found.append(replace(operation, input_shape=shape, output_shape=operation.predict(np.zeros(shape)).shape))
    bias = (reader.bias + added).astype(reader.bias.dtype)
    return [*found, replace(_with_inputs(reader, kept[sources], found[-1].output_shape), bias=bias)]


def _with_outputs(product: Affine, kept: np.ndarray) -> Affine:
    columns = kept[: product.weight.shape[-1]]  # of quaternions: their real components
    return replace(
        product,
        output_shape=(*product.output_shape[:-1], int(kept.sum())),
        weight=product.weight[..., columns],
        mask=product.mask[..., columns],
        bias=product.bias[kept],
        scale=None if product.scale is None else product.scale[kept],
    )


def _with_inputs(product: Affine, kept: np.ndarray, shape: Shape) -> Affine:
    rows = kept[: product.weight.shape[-2]]
    return replace(product, input_shape=shape, weight=product.weight[..., rows, :], mask=product.mask[..., rows, :])
