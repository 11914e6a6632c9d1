"""`quatnet models`: the architectures and their exact numbers of parameters."""

from __future__ import annotations

from typing import Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output
from quatnet.data import entries
from quatnet.nn.architectures import ARCHITECTURES, Architecture


@click.command()
@click.option("--classes", type=click.IntRange(min=2), default=10, show_default=True, help="Number of classes.")
@options.json_option
@options.quiet_option
def models(classes: int, as_json: bool, quiet: bool) -> None:
    """List the architectures and their sizes.

    The sizes are for images of MNIST (lenets) or CIFAR (all others).

    \b
    Example: quatnet models --classes 100
    """
    output = Output(as_json=as_json, quiet=quiet)
    rows = [_row(arch, quaternion, classes) for arch in ARCHITECTURES.values() for quaternion in (False, True)]
    output.table(
        ["architecture", "algebra", "conv", "weights", "biases", "parameters", "of real"],
        [
            [
                row["arch"],
                row["algebra"],
                f"{row['conv_parameters']:,}" if row["conv_parameters"] else "-",
                f"{row['weights']:,}",
                f"{row['biases']:,}",
                f"{row['parameters']:,}",
                f"{row['percent_of_real']:.2f} %",
            ]
            for row in rows
        ],
    )
    output.say()
    output.table(
        ["architecture", "convolutions", "hidden", "epochs", "rate"],
        [
            [
                row["arch"],
                row["convolutions"] or "-",
                row["hidden"] or "-",
                str(row["epochs"]),
                f"{row['rate']:g}",
            ]
            for row in rows[::2]
        ],
    )
    output.say()
    output.say("conv: parameters of the convolutions, 3x3, 2x64 is two of 64 channels; 2x2 max")
    output.say("pooling at |; resnets: residual blocks of two; resnets and vgg-16 have batch")
    output.say("normalisation and are trained with SGD and batches of 128, all others with Adam")
    output.say("and batches of 60; lenet is lenet-300-100")
    output.finish({"models": rows})


def _convolutions(arch: Architecture) -> str:
    if arch.stages:
        return ", ".join(f"{arch.depth}x{width}" for width in arch.stages)
    return " | ".join(f"{len(block)}x{block[0]}" for block in arch.blocks)


def _row(arch: Architecture, quaternion: bool, classes: int) -> dict[str, Any]:
    from quatnet.nn.layers import Conv2d
    from quatnet.nn.networks import Algebra, count_parameters, layers_of
    from quatnet.pruning.masks import weights_left

    shape = next(entry.shape for entry in entries() if entry.name == arch.paper_dataset)
    weights, biases = count_parameters(arch.name, quaternion, shape, classes)
    real = count_parameters(arch.name, False, shape, classes)
    layers = layers_of(arch, Algebra(quaternion), shape, classes).leaves()
    conv = sum(p.size for layer in layers if isinstance(layer, Conv2d) for p in layer.parameters.values())
    return {
        "arch": arch.name,
        "algebra": "quaternion" if quaternion else "real",
        "input_shape": list(shape),
        "convolutions": _convolutions(arch),
        "hidden": ", ".join(map(str, arch.hidden)),
        "optimizer": arch.optimizer,
        "batch_size": arch.batch_size,
        "conv_parameters": conv,
        "weights": weights,
        "biases": biases,
        "parameters": weights + biases,
        "percent_of_real": weights_left(weights, biases, real),
        "epochs": arch.epochs,
        "rate": arch.rate,
        "dataset": arch.paper_dataset,
    }
