"""All settings of a run as frozen dataclasses: what a network is, how it is trained, and how it is pruned.

All that is known of a setting is in its field: type, default, allowed values, a line of help, and the group it is
shown in. The checks, the options of the command line, the keys of a sweep and docs/api.md take it from there.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import MISSING, Field, asdict, dataclass, fields
from functools import partial
from operator import ge, gt, lt
from typing import Any

from quatnet.errors import UsageError
from quatnet.nn import architectures
from quatnet.nn.architectures import ALIASES, Architecture
from quatnet.pruning.protocols import PROTOCOLS

ARCHITECTURES = (*ALIASES, *architectures.ARCHITECTURES)
INITIALIZERS = ("paper", "matched", "he", "glorot")
SIGNS = ("hamilton", "shuffled")
NORMALISATIONS = ("split", "whitening", "scalar")
DTYPES = ("float32", "float64")
OPTIMIZERS = ("adam", "sgd")
OTHER_RATES = {"sgd": 0.01, "adam": 0.001}
"""The learning rates of an optimizer that is not the architecture's."""
SCHEDULES = ("constant", "step")
CRITERIA = ("global", "layerwise", "random")
UNITS = ("weight", "quaternion", "channel")
CONVOLUTIONS = ("auto", "im2col", "winograd")
ENGINES = ("fast", "reference")

BY_ARCHITECTURE = "by architecture"
TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str, "tuple[int, ...]": tuple}
WANTED = {int: "an integer", float: "a finite number", bool: "true or false", str: "a string", tuple: "a list"}
LIMITS = {"low": ("{:g} or more", ge), "above": ("more than {:g}", gt), "below": ("less than {:g}", lt)}


def setting(
    group: str,
    help: str,
    default: Any = MISSING,
    *,
    choices: tuple[str, ...] = (),
    otherwise: str = "",
    **limits: float,
) -> Any:
    """Return a dataclass field with all that is known of its setting.

    Parameters
    ----------
    choices : the values that are allowed.
    otherwise : the default in words, where its value does not say it.
    limits : low <= value, above < value, value < below.
    """
    about = {"group": group, "help": help, "choices": choices, "otherwise": otherwise, "limits": limits}
    return dataclasses.field(default=default, metadata=about)


_network, _data, _training, _pruning = (partial(setting, group) for group in ("Network", "Data", "Training", "Pruning"))


def type_of(field: Field[Any]) -> type:
    """Return the type of a setting; None is allowed as well where it is the default."""
    return TYPES[str(field.type).removesuffix(" | None")]


def allowed(field: Field[Any]) -> str:
    """Return in words which values of its type a setting may have; empty for all of them."""
    limits = [LIMITS[name][0].format(limit) for name, limit in field.metadata["limits"].items()]
    return ", ".join(field.metadata["choices"]) or " and ".join(limits)


def check(field: Field[Any], value: Any) -> None:
    """Raise a UsageError unless the value has the type of a setting and is allowed."""
    if value is None and field.default is None:
        return
    if not _is_a(value, type_of(field)):
        raise UsageError(f"{value!r} given; {WANTED[type_of(field)]} is needed", field.name)
    choices, limits = field.metadata["choices"], field.metadata["limits"]
    if choices and value not in choices:
        raise UsageError(f"{value!r} given; allowed are {allowed(field)}", field.name)
    if not all(LIMITS[name][1](value, limit) for name, limit in limits.items()):
        raise UsageError(f"{value:g} given; {allowed(field)} is needed", field.name)


def _is_a(value: Any, wanted: type) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, wanted)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What a network is."""

    # fmt: off
    arch: str = _network(f"Architecture: {', '.join(ARCHITECTURES)}; lenet is short for lenet-300-100. "
                         "`quatnet models` shows them and how they are trained.")
    quaternion: bool = _network("Whether all layers but the last have quaternion weights.")
    seed: int = _network("Seed of all random numbers.", 0, low=0)
    init: str = _network("Distribution of the initial weights.", "paper", choices=INITIALIZERS)
    width: float = _network("Factor of the widths of all hidden layers.", 1.0, above=0)
    signs: str = _network("Signs of the quaternion product; shuffled is a control.", "hamilton", choices=SIGNS)
    norm: str = _network("Batch normalisation of quaternions.", "split", choices=NORMALISATIONS)
    dtype: str = _network("Floating-point type.", "float32", choices=DTYPES)
    # fmt: on

    def __post_init__(self) -> None:
        for field in fields(self):
            check(field, getattr(self, field.name))
        _table(self.arch)

    @property
    def algebra(self) -> str:
        """`quaternion` or `real`."""
        return "quaternion" if self.quaternion else "real"


@dataclass(frozen=True, kw_only=True)
class TrainSettings(ModelSettings):
    """What a network is, and how it is trained; `for_architecture` fills in the paper's Table 1."""

    # fmt: off
    dataset: str = _data("Data set: a name that `quatnet data list` shows, or a path.", otherwise=BY_ARCHITECTURE)
    train_size: int | None = _data("Number of training images, class-balanced.", None, low=1, otherwise="all")
    test_size: int | None = _data("Number of test images, class-balanced.", None, low=1, otherwise="all")
    validation_size: int = _data("Number of training images held out for validation.", 0, low=0)
    augment: bool | None = _data("Random crops and flips of the training images.", None, otherwise="by data set")
    epochs: int = _training("Epochs per training.", low=1, otherwise=BY_ARCHITECTURE)
    batch_size: int = _training("Images per step.", 60, low=1, otherwise=BY_ARCHITECTURE)
    optimizer: str = _training("Optimizer.", "adam", choices=OPTIMIZERS, otherwise=BY_ARCHITECTURE)
    rate: float = _training("Learning rate.", above=0, otherwise=f"{BY_ARCHITECTURE}; with another optimizer "
                            + ", ".join(f"{optimizer} {rate:g}" for optimizer, rate in OTHER_RATES.items()))
    momentum: float = _training("Momentum of sgd.", 0.9, low=0, below=1)
    weight_decay: float = _training("Fraction of each value that is added to its gradient.", 0.0, low=0,
                                    otherwise=BY_ARCHITECTURE)
    schedule: str = _training("Learning rate over the epochs: constant, or reduced in steps.", "constant",
                              choices=SCHEDULES)
    step_epochs: int = _training("Epochs between two steps (schedule step).", 30, low=1)
    step_factor: float = _training("Factor of the learning rate at each step (schedule step).", 0.1, above=0)
    patience: int = _training("Stop after N epochs without a lower validation loss; 0 never stops.", 0, low=0)
    test_every: int = _training("Test after every N-th epoch, and after every epoch that may be reported.", 1, low=1)
    # fmt: on

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience and not self.validation_size:
            raise UsageError(f"{self.patience} given; early stopping needs a validation_size, and it is 0", "patience")

    @classmethod
    def for_architecture(cls, arch: str, quaternion: bool, **given: Any) -> TrainSettings:
        """Return the paper's settings for an architecture, on the built-in data, with those `given` on top.

        With another optimizer than the architecture's, the rate is 0.01 (sgd) or 0.001 (adam).
        """
        table = _table(arch)
        optimizer = given.get("optimizer", table.optimizer)
        defaults = {
            "dataset": table.default_dataset,
            "epochs": table.epochs,
            "batch_size": table.batch_size,
            "optimizer": table.optimizer,
            "rate": table.rate if optimizer == table.optimizer else OTHER_RATES.get(str(optimizer), table.rate),
            "weight_decay": table.weight_decay,
        }
        return cls(arch=table.name, quaternion=quaternion, **{**defaults, **given})

    def non_defaults(self) -> dict[str, Any]:
        """Return the settings that differ from the architecture's defaults."""
        default = asdict(TrainSettings.for_architecture(self.arch, self.quaternion))
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        if self.schedule == "constant":
            return self.rate
        return self.rate * self.step_factor ** (epoch // self.step_epochs)


@dataclass(frozen=True, kw_only=True)
class PruneSettings:
    """How a trained network is pruned (docs/protocol.md)."""

    # fmt: off
    rounds: int = _pruning("Pruning rounds after the dense round 0.", 20, low=1)
    amount: float = _pruning("Fraction of the weights left that is pruned in each round.", 0.2, above=0, below=1)
    criterion: str = _pruning("Which weights are pruned: the smallest of all, the smallest of each layer, or random "
                              "ones.", "global", choices=CRITERIA)
    unit: str = _pruning("Unit of pruning; a channel of a dense layer is a neuron.", "weight", choices=UNITS)
    protocol: str = _pruning("imp rewinds and re-trains in each round; paper finds all masks first and then re-trains "
                             "each, with one Adam state; finetune trains on; reinit gives the masks of imp new random "
                             "weights.", "imp", choices=tuple(PROTOCOLS))
    rewind_epoch: int = _pruning("Epoch of round 0 that imp rewinds to; 0 is the initial weights.", 0, low=0)
    fresh_optimizer: bool = _pruning("Reset Adam before each re-training (protocol paper).", False)
    retrain_rounds: tuple[int, ...] = _pruning("Re-train the masks of these rounds only (protocols paper and reinit).",
                                               (), otherwise="all")
    search_epochs: int | None = _pruning("Epochs of a training that only searches for masks (protocols paper and "
                                         "reinit).", None, low=1, otherwise="as for every training")
    stop_below: float = _pruning("Stop after two successive rounds below this accuracy in percent; 0 never stops.",
                                 30.0, low=0, below=100)
    # fmt: on

    def __post_init__(self) -> None:
        if isinstance(self.retrain_rounds, list):  # JSON and TOML give lists
            object.__setattr__(self, "retrain_rounds", tuple(self.retrain_rounds))
        for field in fields(self):
            check(field, getattr(self, field.name))
        for name, does, what in (
            ("rewind_epoch", "rewinds", "rewinds in every round"),
            ("fresh_optimizer", "keeps_optimizer", "keeps the optimizer's state between rounds"),
            ("retrain_rounds", "searches_first", "searches all masks before it re-trains"),
            ("search_epochs", "searches_first", "searches all masks before it re-trains"),
        ):
            if getattr(self, name) and not getattr(PROTOCOLS[self.protocol], does):
                those = " or ".join(name for name, protocol in PROTOCOLS.items() if getattr(protocol, does))
                raise UsageError(f"only with protocol {those}, which {what}", name)
        rounds = self.retrain_rounds
        if any(type(k) is not int or not 1 <= k <= self.rounds or rounds.count(k) > 1 for k in rounds):
            wanted = f"different rounds from 1 to {self.rounds} are needed"
            raise UsageError(f"{', '.join(map(str, rounds))} given; {wanted}", "retrain_rounds")
        object.__setattr__(self, "retrain_rounds", tuple(sorted(rounds)))

    def check_training(self, train: TrainSettings) -> None:
        """Raise a UsageError unless the network has the unit to prune, and round 0 trains past `rewind_epoch`."""
        if self.unit == "quaternion" and not train.quaternion:
            raise UsageError("quaternion given; a real network has no quaternions, only weight and channel", "unit")
        if self.rewind_epoch >= train.epochs:
            wanted = f"less than the {train.epochs} epochs of training is needed"
            raise UsageError(f"{self.rewind_epoch} given; {wanted}", "rewind_epoch")
        if self.rewind_epoch and train.patience:
            raise UsageError(f"{self.rewind_epoch} given; with patience, round 0 may stop before that", "rewind_epoch")

    def non_defaults(self) -> dict[str, Any]:
        """Return the settings that make a run a different one.

        The number of rounds does not, where more rounds continue fewer; the masks of a two-phase protocol are all
        searched first, so there it does.
        """
        different = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        if not self.two_phases:
            different.pop("rounds", None)
        return different

    @property
    def two_phases(self) -> bool:
        """Whether all masks are searched before any is re-trained."""
        return PROTOCOLS[self.protocol].searches_first

    def retrained(self, searched: int) -> list[int]:
        """Return the rounds to re-train after a search that ended with round `searched`."""
        return [k for k in range(1, searched + 1) if not self.retrain_rounds or k in self.retrain_rounds]

    def epochs_of_search(self, train: TrainSettings) -> int:
        """Return the epochs of a training that only searches."""
        return self.search_epochs or train.epochs

    def reductions(self) -> list[str]:
        """Return in words what makes the two phases smaller than the protocol says."""
        words = [f"only rounds {', '.join(map(str, self.retrain_rounds))} re-trained"] if self.retrain_rounds else []
        if self.search_epochs:
            words.append(f"searches of {self.search_epochs} epoch{'s' * (self.search_epochs > 1)}")
        return words


def _table(arch: str) -> Architecture:
    """Return an architecture as data; a UsageError if the name is unknown."""
    if not isinstance(arch, str):
        raise UsageError(f"{arch!r} given; a string is needed", "arch")
    return architectures.architecture(arch)


def numbers(values: Iterable[int]) -> str:
    """Write whole numbers in words, such as `0 to 5, 7`."""
    spans: list[list[int]] = []
    for value in sorted(values):
        if spans and spans[-1][-1] == value - 1:
            spans[-1].append(value)
        else:
            spans.append([value])
    return ", ".join(f"{span[0]} to {span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def read_numbers(text: str, field: str = "") -> list[int]:
    """Read whole numbers from a text such as `0-4,7`; a UsageError about `field` if it is invalid."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first:
            raise UsageError(f"{text!r} given; numbers and ranges are needed, such as 0-4,7", field)
        found.extend(range(first, last + 1))
    return found
