"""The time of a training step while a network is pruned, with the dense layers through CSR and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quatnet import build
from quatnet.data import load
from quatnet.fast import cpu
from quatnet.fast.networks import CpuNetwork
from quatnet.fast.optimizers import ChunkedOptimizer
from quatnet.fast.sparse import FEW, SPARSE_BELOW
from quatnet.fast.threads import Threads
from quatnet.nn.architectures import Architecture
from quatnet.nn.networks import Network
from quatnet.nn.optimizers import Adam, Optimizer
from quatnet.pruning.criteria import global_magnitude
from quatnet.settings import TrainSettings
from quatnet.streams import Phase, Position
from quatnet.training import train_epoch

ROUNDS = 20
AMOUNT = 0.2
TRAIN_SIZE = 1200
TakeTurns = Callable[[dict[str, Callable[[], object]], float], dict[str, list[float]]]


def measure(arch: Architecture, quaternion: bool, threads: int, take_turns: TakeTurns) -> list[dict[str, float]]:
    """Return for every round the weights left in percent of the network's own, and the step's median milliseconds.

    The masks are those of prune-and-continue, an epoch on 1,200 images of the built-in data before every round.
    """
    settings = TrainSettings.for_architecture(arch.name, quaternion, train_size=TRAIN_SIZE, epochs=1)
    data = load(settings.dataset).subset(TRAIN_SIZE, None, 0)
    network, optimizer = _network(arch, quaternion, threads, data.input_shape)
    dense, dense_optimizer = _network(arch, quaternion, threads, data.input_shape, never_few=True)
    images = np.random.default_rng(0).normal(size=(60, *data.input_shape)).astype(np.float32)
    rows = []
    for k in range(ROUNDS + 1):
        if k:
            mask = global_magnitude(network.parameters, AMOUNT, np.random.default_rng(0))
            network.parameters.set_mask(mask)
            optimizer.mask_state()
            dense.parameters.set_mask(mask)
            dense_optimizer.mask_state()
        variants = {
            "csr": lambda: _step(network, optimizer, images),
            "dense": lambda: _step(dense, dense_optimizer, images),
        }
        times = {name: float(np.median(ms)) for name, ms in take_turns(variants, 1.0).items()}
        left = 100 * network.parameters.count_kept() / int(network.parameters.prunable.sum())
        rows.append({"round": k, "weights_left": round(left, 2), **{name: round(ms, 3) for name, ms in times.items()}})
        train_epoch(network, optimizer, data, settings, Position(Phase.SEARCH, k), 0)
    return rows


def _network(
    arch: Architecture, quaternion: bool, threads: int, shape: tuple[int, int, int], never_few: bool = False
) -> tuple[Network, Optimizer]:
    """Return an accelerated network and its optimizer; if told so, as if its weights left were never few."""
    network, shared = build(arch.name, quaternion=quaternion, input_shape=shape, classes=10), Threads(threads)
    sparse_below, few_below = (0.0, 0.0) if never_few else (SPARSE_BELOW, FEW)
    layers = cpu.layers(network.layers, shape, "auto", shared, sparse_below=sparse_below)
    optimizer = ChunkedOptimizer(Adam(network.parameters), shared, few_below=few_below)
    return CpuNetwork(network, layers, shared, blas_threads=1), optimizer


def _step(network: Network, optimizer: Optimizer, images: np.ndarray) -> None:
    logits, backward = network.forward(images)
    backward(network.loss(logits, np.arange(60) % 10)[1], inputs=False)
    optimizer.step(1e-12)
