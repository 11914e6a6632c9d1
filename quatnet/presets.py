"""The figures of the paper, and the ablations, as lists of runs: what `quatnet reproduce` does.

Settings are the paper's (Table 1, section 4), with one exception: the paper stops pruning after two successive rounds
below 30 % accuracy, here every run does all its rounds. A mean over the seeds that happen to have survived would be
biased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quatnet.data.descriptions import DESCRIPTIONS
from quatnet.errors import UsageError
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.sweep.jobs import Job

SCALES = {"full": 1, "half": 2, "tenth": 10}
"""By what number the training images are divided."""

EARLY_STOPPING = {"patience": 10, "validation_size": 5_000}
"""Section 5.1: patience of 10 epochs; the paper does not say how many images are held out."""


@dataclass(frozen=True)
class Variant:
    """One network of a comparison: its label, and the settings in which it differs; `longer` multiplies the epochs."""

    label: str
    training: dict[str, Any]
    pruning: dict[str, Any] = field(default_factory=dict)
    longer: int = 1

    @property
    def ablation(self) -> str:
        """What is changed: the label without the algebra."""
        return self.label.partition(", ")[2]


@dataclass(frozen=True)
class Preset:
    """A figure: one architecture on one data set, and the networks that it compares.

    Attributes
    ----------
    figure, title : as in the paper.
    curve : what is drawn: `accuracy` by epoch, `loss` by epoch, or `pruning`, accuracy against weights left.
    variants : the networks; `real` and `quaternion` unless it is an ablation.
    """

    figure: str
    title: str
    arch: str
    dataset: str
    curve: str
    variants: tuple[Variant, ...]

    @property
    def name(self) -> str:
        """What it is called in text."""
        return f"Figure {self.figure}" if self.figure[0].isdigit() and "-" not in self.figure else self.figure

    def only(self, names: Sequence[str]) -> Preset:
        """Return the ablations whose names begin with one of `names`, with the two unchanged networks before them.

        Raises UsageError for a figure of the paper, and for what no ablation's name begins with.
        """
        unchanged, ablations = self.variants[:2], self.variants[2:]
        if not ablations:
            raise UsageError(f"{self.name} is not an ablation; it has the two networks of the paper", "only")
        allowed = dict.fromkeys(variant.ablation for variant in ablations)
        for name in names:
            if not name or not any(ablation.startswith(name) for ablation in allowed):
                raise UsageError(
                    f"{name!r} given; one of these, or its beginning, is needed: {'; '.join(allowed)}", "only"
                )
        kept = (variant for variant in ablations if variant.ablation.startswith(tuple(names)))
        figure = "-".join([self.figure, *names]).replace(" ", "-")
        return replace(self, figure=figure, variants=(*unchanged, *kept))

    def jobs(self, seeds: int, scale: str, training: dict[str, Any], pruning: dict[str, Any]) -> list[Job]:
        """Return a job per variant and seed, with given settings on top.

        Raises UsageError for a setting that is out of range, or in which the networks are to differ.
        """
        for name in (*training, *pruning):
            if len({{**v.training, **v.pruning}.get(name) for v in self.variants}) > 1:
                raise UsageError(f"the networks of {self.figure} differ in it", name)
        if scale != "full" and "dataset" in training:
            raise UsageError(
                f"{scale} given; it is a fraction of the paper's data; for another data set give train_size", "scale"
            )
        images = DESCRIPTIONS[self.dataset].train_images
        scaled = {} if scale == "full" else {"train_size": images // SCALES[scale]}
        jobs = []
        for seed in range(seeds):
            for variant in self.variants:
                settings = {"dataset": self.dataset, "seed": seed, **variant.training, **scaled, **training}
                if "validation_size" in variant.training:
                    settings["validation_size"] = (
                        settings["validation_size"] * settings.get("train_size", images) // images
                    )
                quaternion = settings.pop("quaternion")
                train = TrainSettings.for_architecture(self.arch, quaternion, **settings)
                train = replace(train, epochs=train.epochs * variant.longer)
                prune = (
                    PruneSettings(**{"stop_below": 0.0, **variant.pruning, **pruning})
                    if self.curve == "pruning"
                    else None
                )
                jobs.append(Job(train, prune))
        return jobs


def _algebras(
    name: str = "", *, training: dict[str, Any] | None = None, longer: int = 1, **pruning: Any
) -> tuple[Variant, Variant]:
    """Return the real and the quaternion network with the same settings otherwise."""
    real, quaternion = (
        Variant(
            f"{algebra}, {name}" if name else algebra,
            {"quaternion": algebra == "quaternion", **(training or {})},
            pruning,
            longer,
        )
        for algebra in ("real", "quaternion")
    )
    return real, quaternion


def _ablations(arch: str, dataset: str, *, thin: float) -> Preset:
    """Return what asks whether it is the algebra: everything else that differs, one by one, under `imp`.

    `thin` is the width at which the real network has as many weights as the quaternion one.
    """
    variants = (
        *_algebras(),
        *_algebras("matched initialisation", training={"init": "matched"}),
        *_algebras("He initialisation", training={"init": "he"}),
        Variant("real, thin", {"quaternion": False, "width": thin}),
        Variant("quaternion, shuffled signs", {"quaternion": True, "signs": "shuffled"}),
        *_algebras("random masks", criterion="random"),
        *_algebras("new initial weights", protocol="reinit"),
        *_algebras("protocol of the paper", protocol="paper"),
        *_algebras("trained three times as long", longer=3),
    )
    return Preset(f"ablations-{arch}", "is it the algebra?", arch, dataset, "pruning", variants)


PANELS = {
    "a": ("lenet-300-100", "mnist"),
    "b": ("conv-2", "cifar10"),
    "c": ("conv-4", "cifar10"),
    "d": ("conv-6", "cifar10"),
    "e": ("conv-4", "cifar100"),
    "f": ("conv-6", "cifar100"),
}
FIGURES = (
    *(Preset(f"2{p}", "accuracy by epoch", *net, "accuracy", _algebras()) for p, net in PANELS.items()),
    *(Preset(f"3{p}", "loss by epoch", *net, "loss", _algebras()) for p, net in PANELS.items()),
    *(Preset(f"4{p}", "pruning", *net, "pruning", _algebras(protocol="paper")) for p, net in PANELS.items()),
    Preset("5a", "accuracy by epoch", "lenet-12", "mnist", "accuracy", _algebras()),
    Preset("5b", "pruning", "lenet-12", "mnist", "pruning", _algebras(protocol="paper")),
    Preset("6", "pruning with early stopping", "conv-2", "cifar10", "pruning",
           _algebras(training=EARLY_STOPPING, protocol="paper")),
    Preset("5.2-resnet-20", "pruning", "resnet-20-conv", "cifar10", "pruning", _algebras(protocol="paper")),
    Preset("5.2-resnet-18", "pruning", "resnet-18", "cifar10", "pruning", _algebras(protocol="paper")),
    Preset("5.2-vgg-16", "pruning", "vgg-16", "cifar10", "pruning", _algebras(protocol="paper")),
    _ablations("lenet-12", "mnist", thin=0.25),
    _ablations("conv-2", "cifar10", thin=0.5),
)  # fmt: skip
PRESETS = {preset.figure: preset for preset in FIGURES}
ALIASES = {"5.2": "5.2-resnet-20"}
"""The paper's section 5.2 begins with the residual network of its code."""
