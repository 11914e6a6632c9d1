"""quatnet: image classifiers with real and with quaternion weights, trained, pruned and re-trained from scratch.

A reference implementation of "Neural Networks at a Fraction with Pruned Quaternions" (Iqbal and Mishra, CODS-COMAD
2023). The parts, from the ground up: `quaternion`, `nn` (the engine), `data`, `training`, `pruning`, `runs`, `deploy`.
"""

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
from quatnet.version import VERSION

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
