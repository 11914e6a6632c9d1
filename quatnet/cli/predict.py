"""`quatnet predict`: the classes of images."""

from __future__ import annotations

from pathlib import Path

import click

from quatnet.cli import options
from quatnet.cli.console import Output
from quatnet.errors import UsageError
from quatnet.runs import Run


@click.command()
@click.argument("run", metavar="RUN|TICKET", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--round", "round_", type=click.IntRange(min=0), help="Pruning round of RUN.  [default: the last]")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Classes to show per image.")
@click.option("--invert", is_flag=True, help="Swap black and white: MNIST's digits are white on black.")
@click.option("--device", help="Device for RUN: auto, cpu, gpu or gpu:K.  [default: auto]")
@options.json_option
@options.quiet_option
def predict(
    run: Path,
    images: tuple[Path, ...],
    round_: int | None,
    top: int,
    invert: bool,
    device: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Classify IMAGES with the network of RUN or of a TICKET.

    IMAGES are PNG or JPEG files, converted to the size and the channels that the network was trained on, or .npy arrays
    of one or more images.

    \b
    Example: quatnet predict runs/lenet-real-mnist-mini-seed0-44136fa3 seven.png
    """
    import numpy as np

    from quatnet.deploy.model import Description, Model
    from quatnet.deploy.ticket import read_ticket
    from quatnet.experiment import finished_round, trained_network
    from quatnet.fast import Compute
    from quatnet.images import check_scale, read_images

    output = Output(as_json=as_json, quiet=quiet)
    if run.is_file():
        for option, value in (("--round", round_), ("--device", device)):
            if value is not None:
                raise UsageError(f"{option}: {value} given; the ticket {run} has one round and runs on the CPU")
        model = read_ticket(run)
    else:
        opened = Run(run)
        round_ = finished_round(opened, round_).round
        model = Model(Description.of(opened), trained_network(opened, round_, Compute(device or "auto")))
    classes = model.description.class_names
    files = [read_images(path, model.description.input_shape, invert=invert) for path in images]
    predictions = []
    for path, named in zip(images, files, strict=True):
        check_scale(path, named[0][1], model.description.mean, model.description.std)
    for named in files:
        names, pixels = zip(*named, strict=True)
        for name, probabilities in zip(names, model.predict(np.stack(pixels)), strict=True):
            best = [int(label) for label in probabilities.argsort(kind="stable")[::-1][:top]]
            ranked = [{"class": classes[k], "label": k, "probability": float(probabilities[k])} for k in best]
            predictions.append({"image": name, **ranked[0], "top": ranked})
            text = ", ".join(f"{classes[k]} {100 * probabilities[k]:.1f} %" for k in best)
            output.say(f"{name}: {text}")
    output.finish({"run": str(run), "round": round_, "predictions": predictions})
