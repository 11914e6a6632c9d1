"""Leave out channels that the logits do not depend on: the layers of a pruned network become smaller.

A channel (of a dense layer: a neuron) can go in two cases:

- No weight left in the next layer reads it.
- No weight left writes it: all its values are its bias b, or max(b, 0) behind a ReLU. What the next layer makes of that
  constant goes into its bias. A convolution that pads its input reads zeros beyond the border instead of the constant:
  before it, only a constant of 0 can go.

The four components of a quaternion channel go together. Channels that meet in a residual sum stay, and so does at least
one channel of every layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np

from quatnet.deploy.steps import Conv, Dense, Flatten, Relu, Residual, Step, products


def shrink(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return steps with the same outputs, but for rounding, of which no channel can go any more.

    Their input and output have the same shapes, and arrays the same dtypes.
    """
    larger = tuple(steps)
    while _size(smaller := _once(larger)) < _size(larger):
        larger = smaller
    return larger


def _size(steps: Iterable[Step]) -> int:
    return sum(product.weight.size for product in products(steps))


def _once(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Shrink each two products of which one reads the other, the last two first."""
    found = [
        replace(step, body=_once(step.body), shortcut=_once(step.shortcut)) if isinstance(step, Residual) else step
        for step in steps
    ]
    places = [place for place, step in enumerate(found) if isinstance(step, Dense | Residual)]
    for first, last in reversed(list(pairwise(places))):
        maker, reader = found[first], found[last]
        if isinstance(maker, Dense) and isinstance(reader, Dense):
            found[first : last + 1] = _shrunk(maker, found[first + 1 : last], reader)
    return tuple(found)


def _shrunk(maker: Dense, between: Sequence[Step], reader: Dense) -> list[Step]:
    """Return the steps without the channels of `maker` that can go."""
    sources, blocks = _sources(maker, between, reader)
    channels = maker.bias.size
    constant = maker.bias.astype(np.float64)
    if any(isinstance(step, Relu) for step in between):
        constant = np.maximum(constant, 0)
    written = maker.real_mask.reshape(-1, channels).any(axis=0)
    if isinstance(reader, Conv) and reader.padding:
        written |= constant != 0
    inputs = reader.real_mask.any(axis=-1).reshape(-1, sources.size).any(axis=0)
    read = np.bincount(sources, inputs, channels) > 0
    kept = np.logical_and(written.reshape(blocks, -1).any(axis=0), read.reshape(blocks, -1).any(axis=0))
    kept[0] |= not kept.any()
    kept = np.tile(kept, blocks)

    constant[kept] = 0
    weight = reader.real_weight.astype(np.float64).reshape(-1, sources.size, reader.bias.size).sum(axis=0)
    added = constant[sources] @ weight * (1 if reader.scale is None else reader.scale)
    steps: list[Step] = [_with_outputs(maker, kept)]
    for step in between:
        shape = steps[-1].output_shape
        after = (prod(shape),) if isinstance(step, Flatten) else (*step.output_shape[:-1], shape[-1])
        steps.append(replace(step, input_shape=shape, output_shape=after))
    bias = (reader.bias + added).astype(reader.bias.dtype)
    return [*steps, replace(_with_inputs(reader, kept[sources], steps[-1].output_shape), bias=bias)]


def _sources(maker: Dense, between: Sequence[Step], reader: Dense) -> tuple[np.ndarray, int]:
    """Return the channel of `maker` that each input of `reader` is, and in how many blocks channels go together."""
    sources, blocks = np.arange(maker.bias.size), 4 if maker.quaternion or reader.quaternion else 1
    for step in between:
        if isinstance(step, Flatten):
            maps = np.broadcast_to(sources, step.input_shape)
            sources = np.concatenate([part.ravel() for part in np.split(maps, step.blocks, axis=-1)])
            blocks = max(blocks, step.blocks)
    return sources, blocks


def _with_outputs(step: Dense, kept: np.ndarray) -> Dense:
    columns = kept[: step.weight.shape[-1]]  # of quaternions: their real components
    return replace(
        step,
        output_shape=(*step.output_shape[:-1], int(kept.sum())),
        weight=step.weight[..., columns],
        mask=step.mask[..., columns],
        bias=step.bias[kept],
        scale=None if step.scale is None else step.scale[kept],
    )


def _with_inputs(step: Dense, kept: np.ndarray, shape: tuple[int, ...]) -> Dense:
    rows = kept[: step.weight.shape[-2]]
    return replace(step, input_shape=shape, weight=step.weight[..., rows, :], mask=step.mask[..., rows, :])
