"""All settings of a run as two frozen dataclasses: how it trains, and how it is pruned.

Each field is an option of the command line by the same name. A value out of range is a UsageError that names it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from quatnet.errors import UsageError
from quatnet.nn.architectures import architecture

INITIALIZERS = ("paper", "matched", "he", "glorot")
SIGNS = ("hamilton", "shuffled")
NORMALISATIONS = ("split", "whitening", "scalar")
DTYPES = ("float32", "float64")
OPTIMIZERS = ("adam", "sgd")
OTHER_RATES = {"sgd": 0.01, "adam": 0.001}
SCHEDULES = ("constant", "step")
CRITERIA = ("global", "layerwise", "random")
UNITS = ("weight", "quaternion", "channel")
PROTOCOLS = ("imp", "paper", "finetune", "reinit")
CONVOLUTIONS = ("auto", "im2col", "winograd")


FILE_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (int, float), "bool": (bool,), "str": (str,), "None": (type(None),),
    "tuple[int, ...]": (list,),
}  # fmt: skip
"""The types that a setting may have in a JSON file."""


@dataclass(frozen=True)
class TrainSettings:
    """How a network is made and trained; `for_architecture` fills in the paper's Table 1.

    Attributes
    ----------
    arch, quaternion, init, width, signs, norm, seed, dtype : as for `quatnet.build`.
    dataset : a name or a path, as for `quatnet.data.load`.
    train_size, test_size : class-balanced parts of the data set; None for all of it.
    augment : random crop and flip; None for what the data set's protocol says.
    epochs, batch_size : of training, and of every re-training.
    optimizer, rate, momentum, weight_decay : momentum is SGD's.
    schedule, step_epochs, step_factor : `step` multiplies the rate by step_factor every step_epochs epochs.
    validation_size, patience : images held out of the training set, and early stopping when the loss on them has not
        fallen for `patience` epochs (0: never); the epoch with the lowest is then the one reported.
    test_every : classify the test images after every so many epochs; after an epoch that may be reported always.
    """

    arch: str
    quaternion: bool
    dataset: str
    epochs: int
    rate: float
    seed: int = 0
    init: str = "paper"
    width: float = 1.0
    signs: str = "hamilton"
    norm: str = "split"
    dtype: str = "float32"
    train_size: int | None = None
    test_size: int | None = None
    augment: bool | None = None
    batch_size: int = 60
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "constant"
    step_epochs: int = 30
    step_factor: float = 0.1
    validation_size: int = 0
    patience: int = 0
    test_every: int = 1

    def __post_init__(self) -> None:
        architecture(self.arch)
        _choice("init", self.init, INITIALIZERS)
        _choice("signs", self.signs, SIGNS)
        _choice("norm", self.norm, NORMALISATIONS)
        _choice("dtype", self.dtype, DTYPES)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("schedule", self.schedule, SCHEDULES)
        for name in ("epochs", "batch_size", "step_epochs", "train_size", "test_size", "test_every"):
            _range(name, getattr(self, name), 1)
        for name in ("seed", "validation_size", "patience", "weight_decay"):
            _range(name, getattr(self, name), 0)
        _range("rate", self.rate, 0, open_below=True)
        _range("width", self.width, 0, open_below=True)
        _range("step_factor", self.step_factor, 0, open_below=True)
        _range("momentum", self.momentum, 0, 1)
        if self.patience and not self.validation_size:
            raise UsageError(
                f"--patience {self.patience} needs --validation-size N: early stopping watches the validation loss"
            )

    @classmethod
    def for_architecture(cls, arch: str, quaternion: bool, **given: Any) -> TrainSettings:
        """Return the paper's settings for an architecture, on the built-in data, with those `given` on top.

        With another optimizer than the architecture's, the rate is 0.01 (sgd) or 0.001 (adam).
        """
        table = architecture(arch)
        optimizer = given.get("optimizer", table.optimizer)
        defaults = {
            "dataset": table.default_dataset,
            "epochs": table.epochs,
            "batch_size": table.batch_size,
            "optimizer": table.optimizer,
            "rate": table.rate if optimizer == table.optimizer else OTHER_RATES.get(optimizer, table.rate),
            "weight_decay": table.weight_decay,
        }
        return cls(arch=table.name, quaternion=quaternion, **{**defaults, **given})

    @property
    def algebra(self) -> str:
        """`quaternion` or `real`."""
        return "quaternion" if self.quaternion else "real"

    def non_defaults(self) -> dict[str, Any]:
        """Return the settings that differ from the architecture's defaults."""
        default = asdict(TrainSettings.for_architecture(self.arch, self.quaternion))
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        if self.schedule == "constant":
            return self.rate
        return self.rate * self.step_factor ** (epoch // self.step_epochs)


@dataclass(frozen=True)
class PruneSettings:
    """How a trained network is pruned.

    Attributes
    ----------
    rounds : pruning rounds after the dense round 0.
    amount : part of the weights left that goes in each round.
    criterion : global, layerwise (both by magnitude) or random.
    unit : what goes as one: weight, quaternion or channel (`quatnet.pruning.units`).
    protocol : imp, paper, finetune or reinit (docs/protocol.md; `quatnet.pruning.lottery`).
    rewind_epoch : imp only: rewind to the weights after this epoch of round 0 instead of the initial ones.
    fresh_optimizer : paper only: reset Adam before each re-training.
    retrain_rounds : paper and reinit only: re-train the masks of these rounds alone; empty for all rounds.
    search_epochs : paper and reinit only: epochs of every training that only searches; None for as many as the others.
    stop_below : stop after two successive rounds below this accuracy, in percent; 0 never stops.
    """

    rounds: int = 20
    amount: float = 0.2
    criterion: str = "global"
    unit: str = "weight"
    protocol: str = "imp"
    rewind_epoch: int = 0
    fresh_optimizer: bool = False
    retrain_rounds: tuple[int, ...] = ()
    search_epochs: int | None = None
    stop_below: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "retrain_rounds", tuple(sorted(self.retrain_rounds)))  # JSON and TOML give lists
        _choice("criterion", self.criterion, CRITERIA)
        _choice("unit", self.unit, UNITS)
        _choice("protocol", self.protocol, PROTOCOLS)
        _range("rounds", self.rounds, 1)
        _range("amount", self.amount, 0, 1, open_below=True)
        _range("rewind_epoch", self.rewind_epoch, 0)
        _range("stop_below", self.stop_below, 0, 100)
        if self.rewind_epoch and self.protocol != "imp":
            raise UsageError(f"--rewind-epoch {self.rewind_epoch}: only --protocol imp rewinds to a later epoch")
        if self.fresh_optimizer and self.protocol != "paper":
            raise UsageError("--fresh-optimizer: only --protocol paper keeps the optimizer's state between rounds")
        _range("search_epochs", self.search_epochs, 1)
        for name in ("retrain_rounds", "search_epochs"):
            if getattr(self, name) and not self.two_phases:
                raise UsageError(
                    f"{_option(name)}: only --protocol paper and reinit search all masks before they re-train"
                )
        self._check_retrain_rounds()

    def check_training(self, train: TrainSettings) -> None:
        """Raise a UsageError unless the network has the unit to prune, and round 0 reaches the epoch to rewind to.

        It must reach that epoch for sure, and then have one left to train.
        """
        if self.unit == "quaternion" and not train.quaternion:
            raise UsageError("--unit: quaternion given; a real network has no quaternions, only weight and channel")
        if self.rewind_epoch >= train.epochs:
            raise UsageError(
                f"--rewind-epoch: {self.rewind_epoch} given; less than the {train.epochs} epochs of training is needed"
            )
        if self.rewind_epoch and train.patience:
            raise UsageError(
                f"--rewind-epoch {self.rewind_epoch}: not with --patience, for round 0 may stop before that epoch"
            )

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
        return self.protocol in ("paper", "reinit")

    def retrained(self, searched: int) -> list[int]:
        """Return the rounds to re-train after a search that ended with round `searched`."""
        return [k for k in range(1, searched + 1) if not self.retrain_rounds or k in self.retrain_rounds]

    def epochs_of_search(self, train: TrainSettings) -> int:
        """Return the epochs of a training that only searches."""
        return self.search_epochs or train.epochs

    def reductions(self) -> list[str]:
        """Return in words what makes the two phases smaller than the protocol says."""
        words = [f"only rounds {', '.join(map(str, self.retrain_rounds))} re-trained"] if self.retrain_rounds else []
        return words + (
            [f"searches of {self.search_epochs} epoch{'s' * (self.search_epochs > 1)}"] if self.search_epochs else []
        )

    def _check_retrain_rounds(self) -> None:
        for k in self.retrain_rounds:
            if type(k) is not int or not 1 <= k <= self.rounds or self.retrain_rounds.count(k) > 1:
                raise UsageError(
                    f"--retrain-rounds: {', '.join(map(str, self.retrain_rounds))} given;"
                    f" different rounds from 1 to {self.rounds} (--rounds) are needed"
                )


def numbers(values: Iterable[int]) -> str:
    """Write whole numbers in words, such as `0 to 5, 7`."""
    spans: list[list[int]] = []
    for value in sorted(values):
        if spans and spans[-1][-1] == value - 1:
            spans[-1].append(value)
        else:
            spans.append([value])
    return ", ".join(f"{span[0]} to {span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def check_types(cls: type, values: dict[str, Any]) -> None:
    """Raise a TypeError for a value from a file that is not of the type of the setting with its name."""
    for field in fields(cls):
        allowed = {kind for name in str(field.type).split(" | ") for kind in FILE_TYPES[name]}
        if field.name in values and type(values[field.name]) not in allowed:
            raise TypeError(f"{field.name} is {values[field.name]!r}; {field.type} is needed")


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{_option(name)}: {value!r} given; allowed are {', '.join(allowed)}")


def _range(name: str, value: float | None, low: float, high: float = math.inf, *, open_below: bool = False) -> None:
    """Raise a UsageError unless low <= value < high (low < value with `open_below`)."""
    if value is None:
        return
    above = value > low if open_below else value >= low
    if above and value < high:
        return
    wanted = f"more than {low:g}" if open_below else f"{low:g} or more"
    below = f" and less than {high:g}" if high < math.inf or value == math.inf else ""
    raise UsageError(f"{_option(name)}: {value:g} given; {wanted}{below} is needed")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
