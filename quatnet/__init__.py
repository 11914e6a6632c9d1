"""quatnet: image classifiers with real and with quaternion weights, trained, pruned and re-trained from scratch.

A reference implementation of "Neural Networks at a Fraction with Pruned Quaternions" (Iqbal and Mishra, CODS-COMAD
2023). The parts, from the ground up: `quaternion`, `nn` (the engine), `data`, `training`, `pruning`, `runs`, `deploy`.
"""

from typing import TYPE_CHECKING

from quatnet import lazy
from quatnet.version import VERSION

if TYPE_CHECKING:
    from quatnet import data, deploy, nn, pruning, quaternion, runs, training
    from quatnet.api import build, reopen, start, trained_network
    from quatnet.deploy.inference import compile_run as compile
    from quatnet.errors import DataError, QuatnetError, RunError, UsageError
    from quatnet.fast import Compute
    from quatnet.nn.networks import Network
    from quatnet.pruning.masks import Masks
    from quatnet.pruning.protocols import prune, train_dense
    from quatnet.runs import Run
    from quatnet.settings import PruneSettings, TrainSettings

__version__ = VERSION

__all__ = [
    "Compute",
    "DataError",
    "Masks",
    "Network",
    "PruneSettings",
    "QuatnetError",
    "Run",
    "RunError",
    "TrainSettings",
    "UsageError",
    "build",
    "compile",
    "data",
    "deploy",
    "nn",
    "prune",
    "pruning",
    "quaternion",
    "reopen",
    "runs",
    "start",
    "train_dense",
    "trained_network",
    "training",
]

if not TYPE_CHECKING:
    _HOMES = {
        "Compute": "quatnet.fast:Compute",
        "DataError": "quatnet.errors:DataError",
        "Masks": "quatnet.pruning.masks:Masks",
        "Network": "quatnet.nn.networks:Network",
        "PruneSettings": "quatnet.settings:PruneSettings",
        "QuatnetError": "quatnet.errors:QuatnetError",
        "Run": "quatnet.runs:Run",
        "RunError": "quatnet.errors:RunError",
        "TrainSettings": "quatnet.settings:TrainSettings",
        "UsageError": "quatnet.errors:UsageError",
        "build": "quatnet.api:build",
        "compile": "quatnet.deploy.inference:compile_run",
        "data": "quatnet.data",
        "deploy": "quatnet.deploy",
        "nn": "quatnet.nn",
        "prune": "quatnet.pruning.protocols:prune",
        "pruning": "quatnet.pruning",
        "quaternion": "quatnet.quaternion",
        "reopen": "quatnet.api:reopen",
        "runs": "quatnet.runs",
        "start": "quatnet.api:start",
        "train_dense": "quatnet.pruning.protocols:train_dense",
        "trained_network": "quatnet.api:trained_network",
        "training": "quatnet.training",
    }

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
