"""Equal, but faster: one door, through which a network, or an optimizer, comes out as an equal one.

What comes out shares the parameters of what went in, so that masks, pruning and checkpoints know nothing of it.
"""

from __future__ import annotations

import os

import numpy as np

from quatnet.errors import UsageError
from quatnet.fast import cpu
from quatnet.fast.gpu import cuda
from quatnet.fast.gpu.optimizers import KernelOptimizer
from quatnet.fast.networks import CpuNetwork, GpuNetwork
from quatnet.fast.optimizers import ChunkedOptimizer
from quatnet.fast.threads import SERIAL, Threads
from quatnet.nn.layers import Conv2d
from quatnet.nn.networks import Network
from quatnet.nn.optimizers import Optimizer
from quatnet.settings import CONVOLUTIONS


def accelerate(network: Network, *, conv: str = "auto", threads: int | None = None) -> Network:
    """Return an equal network with the same parameters, which is faster.

    Parameters
    ----------
    network : on the CPU or on a GPU, where neither `conv` nor `threads` matter.
    conv : the convolution of the CPU: auto, im2col or winograd.
    threads : of the CPU; None for all cores in a conv net, and for one in a lenet, whose products are small. Those of a
        conv net share a batch, a lenet gives them to BLAS.

    Raises
    ------
    UsageError
        If `conv` is invalid, or there is fewer than one thread.
    """
    if conv not in CONVOLUTIONS:
        raise UsageError(f"conv: {conv!r} given; allowed are {', '.join(CONVOLUTIONS)}")
    if threads is not None and threads < 1:
        raise UsageError(f"threads: {threads} given; 1 or more are needed")
    if network.parameters.xp is not np:
        return GpuNetwork(network) if cuda.usable(network.parameters.value) else network
    if any(isinstance(layer, Conv2d) for layer in network.layers.leaves()):
        shared, blas_threads = Threads(threads or os.cpu_count() or 1), 1
    else:
        shared, blas_threads = SERIAL, threads or 1
    return CpuNetwork(network, cpu.layers(network.layers, network.input_shape, conv, shared), shared, blas_threads)


def accelerate_optimizer(optimizer: Optimizer, network: Network) -> Optimizer:
    """Return an equal optimizer, which is faster, for the parameters of an accelerated network."""
    if isinstance(network, GpuNetwork):
        return KernelOptimizer(optimizer)
    return ChunkedOptimizer(optimizer, network.threads) if isinstance(network, CpuNetwork) else optimizer
