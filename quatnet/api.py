"""What a program or a notebook uses: the functions of the package, with the fast engine."""

from __future__ import annotations

from typing import Any

from quatnet.fast import Compute
from quatnet.nn import networks
from quatnet.nn.networks import Network


def build(
    arch: str,
    *,
    quaternion: bool,
    input_shape: tuple[int, int, int],
    classes: int,
    device: str = "cpu",
    conv: str = "auto",
    threads: int | None = 1,
    engine: str = "fast",
    **model: Any,
) -> Network:
    """Build a network with its initial weights, as `quatnet.nn.networks.build`, on the fast engine.

    Parameters
    ----------
    arch, quaternion, input_shape, classes, device, model : as there; `model` has seed, dtype, init, width, signs, norm.
    conv, threads, engine : as of `quatnet.Compute`.

    Raises
    ------
    UsageError
        If an argument is none of these, or a width does not split into quaternions.
    """
    network = networks.build(
        arch, quaternion=quaternion, input_shape=input_shape, classes=classes, device=device, **model
    )
    return Compute(device, conv, threads, engine).prepare(network)
