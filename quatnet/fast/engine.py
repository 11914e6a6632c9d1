"""Where and how an experiment computes: the engine that the command line and the public API hand to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quatnet.environment import describe
from quatnet.errors import UsageError
from quatnet.fast.accelerate import accelerate, accelerate_optimizer
from quatnet.fast.networks import CpuNetwork
from quatnet.nn.networks import Network
from quatnet.nn.optimizers import Optimizer
from quatnet.settings import ENGINES


@dataclass(frozen=True)
class Compute:
    """Where and how a network runs: none of it changes results beyond rounding.

    Attributes
    ----------
    device : auto, cpu, gpu or gpu:K.
    conv, threads : as of `quatnet.fast.accelerate`.
    engine : fast, or reference for the layers and optimizers of the core as they are.
    """

    device: str = "cpu"
    conv: str = "auto"
    threads: int | None = None
    engine: str = "fast"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(f"engine: {self.engine!r} given; allowed are {', '.join(ENGINES)}")

    def prepare(self, network: Network) -> Network:
        """Return an equal network with the same parameters, as it is to run."""
        if self.engine == "reference":
            return network
        return accelerate(network, conv=self.conv, threads=self.threads)

    def describe(self, network: Network) -> dict[str, Any]:
        """Return what a prepared network runs on, for environment.json."""
        threads = network.thread_count if isinstance(network, CpuNetwork) else 1
        return describe(device=self.device, engine=self.engine, conv=self.conv, threads=threads)

    def optimizer(self, optimizer: Optimizer, network: Network) -> Optimizer:
        """Return an equal optimizer for a prepared network."""
        return accelerate_optimizer(optimizer, network)
