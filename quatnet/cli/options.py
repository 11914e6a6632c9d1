"""Options that several commands share. An option that is not given is left out of the settings, which have defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from quatnet.data import default_data_dir
from quatnet.nn.architectures import ALIASES, ARCHITECTURES
from quatnet.settings import (
    CONVOLUTIONS,
    CRITERIA,
    DTYPES,
    INITIALIZERS,
    NORMALISATIONS,
    OPTIMIZERS,
    PROTOCOLS,
    SCHEDULES,
    SIGNS,
    UNITS,
)

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_RUNS_DIR = Path("runs")


def _apply(options: list[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class Rounds(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers: 7,8 or 5-8."""

    name = "rounds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers."""
        from quatnet.sweep.grid import numbers

        return tuple(numbers("--retrain-rounds", value))


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output; text goes to standard error."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors (and the JSON object).")
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="QUATNET_DATA",
    default=default_data_dir,
    help="Where data sets are kept.  [default: $QUATNET_DATA or ~/.cache/quatnet-data]",
)
runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_RUNS_DIR,
    show_default=True,
    help="Where run folders are kept.",
)
seed_option = click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]")
size_options = _apply(
    [
        click.option("--train-size", type=int, help="Use N training images, class-balanced.  [default: all]"),
        click.option("--test-size", type=int, help="Use N test images, class-balanced.  [default: all]"),
    ]
)
device_option = click.option(
    "--device",
    default="auto",
    envvar="QUATNET_DEVICE",
    help="auto, cpu, gpu or gpu:K.  [default: $QUATNET_DEVICE or auto]",
)

conv_option = click.option(
    "--conv", type=click.Choice(CONVOLUTIONS), default="auto", show_default=True, help="Convolution on the CPU."
)
compute_options = _apply(
    [
        device_option,
        conv_option,
        click.option(
            "--threads", type=click.IntRange(min=1), help="Threads of the CPU.  [default: lenets 1; convs all cores]"
        ),
    ]
)

sweep_options = _apply(
    [
        device_option,
        conv_option,
        click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of every run."),
        click.option(
            "--workers", type=click.IntRange(min=1), help="Runs at once on this machine.  [default: its cores]"
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="Use the workers of this Dask scheduler, tcp://HOST:PORT, instead."
        ),
    ]
)

test_every_option = click.option(
    "--test-every", type=int, help="Test after every N-th epoch, and after any that may be reported.  [default: 1]"
)
training_options = _apply(
    [
        click.option("--quaternion/--real", default=None, help="Algebra of all layers but the last.  [default: real]"),
        click.option(
            "--dataset",
            help="A name (quatnet data list) or a path.  [default: mnist-mini or shapes]",
        ),
        seed_option,
        click.option("--init", type=click.Choice(list(INITIALIZERS)), help="Initial weights.  [default: paper]"),
        click.option("--width", type=float, help="Factor of the widths of all hidden layers.  [default: 1]"),
        click.option(
            "--signs", type=click.Choice(SIGNS), help="Of the product; shuffled: a control.  [default: hamilton]"
        ),
        click.option(
            "--norm", type=click.Choice(list(NORMALISATIONS)), help="Quaternion batch normalisation.  [default: split]"
        ),
        click.option("--epochs", type=int, help="Of every training.  [default: the architecture's: quatnet models]"),
        click.option("--batch-size", type=int, help="Images per step.  [default: 60; resnets, vgg-16: 128]"),
        click.option(
            "--optimizer",
            type=click.Choice(OPTIMIZERS),
            help="[default: adam; resnets, vgg-16: sgd]",
        ),
        click.option(
            "--rate",
            type=float,
            help="Learning rate.  [default: the architecture's; with another optimizer sgd 0.01, adam 0.001]",
        ),
        click.option("--momentum", type=float, help="Of sgd.  [default: 0.9]"),
        click.option("--weight-decay", type=float, help="Added to the gradient.  [default: 0; resnets, vgg-16: 1e-4]"),
        click.option("--schedule", type=click.Choice(SCHEDULES), help="Of the learning rate.  [default: constant]"),
        click.option("--step-epochs", type=int, help="Of schedule step: epochs between steps.  [default: 30]"),
        click.option("--step-factor", type=float, help="Of schedule step: factor of a step.  [default: 0.1]"),
        click.option("--augment/--no-augment", default=None, help="Random crop and flip.  [default: CIFAR only]"),
        size_options,
        click.option("--validation-size", type=int, help="Training images held out for validation.  [default: 0]"),
        click.option(
            "--patience", type=int, help="Stop after N epochs without a lower validation loss.  [default: never]"
        ),
        test_every_option,
        click.option("--dtype", type=click.Choice(DTYPES), help="Of all numbers.  [default: float32]"),
    ]
)

fresh_optimizer_option = click.option(
    "--fresh-optimizer", is_flag=True, default=None, help="Of paper: reset Adam before each re-training."
)
retrain_rounds_option = click.option(
    "--retrain-rounds", type=Rounds(), metavar="7,8", help="Of paper, reinit: re-train only these.  [default: all]"
)
search_epochs_option = click.option(
    "--search-epochs", type=int, help="Of paper, reinit: of every training that only searches.  [default: --epochs]"
)
pruning_options = _apply(
    [
        click.option("--rounds", type=int, help="Pruning rounds.  [default: 20]"),
        click.option("--amount", type=float, help="Part of the weights left that goes each round.  [default: 0.2]"),
        click.option("--criterion", type=click.Choice(list(CRITERIA)), help="Which weights go.  [default: global]"),
        click.option(
            "--unit",
            type=click.Choice(list(UNITS)),
            help="What is pruned as one; a channel of a dense layer is a neuron.  [default: weight]",
        ),
        click.option(
            "--protocol",
            type=click.Choice(PROTOCOLS),
            help="imp: rewind and re-train each round; paper: all masks first, then re-train each, one Adam state; "
            "finetune: train on; reinit: imp's masks, new random weights.  [default: imp]",
        ),
        click.option("--rewind-epoch", type=int, help="Of imp: rewind to the weights after epoch N.  [default: 0]"),
        fresh_optimizer_option,
        retrain_rounds_option,
        search_epochs_option,
        click.option(
            "--stop-below",
            type=float,
            help="Stop after two successive rounds below this accuracy in %; 0: never.  [default: 30]",
        ),
    ]
)


def arch_option(*, required: bool) -> Callable[[F], F]:
    """Return the option --arch."""
    names = [*ALIASES, *ARCHITECTURES]
    return click.option(
        "--arch",
        type=click.Choice(names),
        metavar="NAME",
        required=required,
        help=f"Architecture: {', '.join(names)}; lenet is lenet-300-100.",
    )


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
