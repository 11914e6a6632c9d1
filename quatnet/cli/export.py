"""`quatnet export`: a pruned network as a small file, as ONNX, or as C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output
from quatnet.deploy.choices import VALUES
from quatnet.errors import DataError, UsageError
from quatnet.runs import RoundResult, Run

if TYPE_CHECKING:
    from quatnet.data import Dataset
    from quatnet.deploy.model import Model

SUFFIXES = {"ticket": ".ticket", "seed": ".seed", "onnx": ".onnx", "c": ""}


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(SUFFIXES)),
    default="ticket",
    show_default=True,
    help="ticket: smallest file that restores the network; seed: seed and mask, to train it again; onnx: ONNX; c: C99.",
)
@click.option("--round", "round_", type=click.IntRange(min=0), help="Pruning round.  [default: the last]")
@click.option(
    "--values",
    type=click.Choice(VALUES),
    default="float32",
    show_default=True,
    help="Type of the stored weights (ticket and c); c has no float16.",
)
@click.option("--preprocessing", is_flag=True, help="Take raw uint8 pixels as input (onnx only).")
@click.option("--name", help="Name of the files and of all functions (c only).  [default: network]")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Output file, or folder for c.  [default: beside RUN, named like it]",
)
@options.data_dir_option
@options.json_option
@options.quiet_option
def export(
    run: Path,
    format_: str,
    round_: int | None,
    values: str,
    preprocessing: bool,
    name: str | None,
    output: Path | None,
    data_dir: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write RUN's network as a small file, as ONNX or as C.

    Prints the size of the file and the accuracy of the network in it. docs/deploy.md shows the formats in use.

    \b
    Examples: quatnet export runs/lenet-12-real-mnist-seed0 --values int8
              quatnet export runs/lenet-12-real-mnist-seed0 --format c
    """
    from quatnet.deploy import onnx, seed_ticket, ticket
    from quatnet.deploy.model import Model
    from quatnet.experiment import finished_round

    screen = Output(as_json=as_json, quiet=quiet)
    if preprocessing and format_ != "onnx":
        raise UsageError(f"--preprocessing: --format {format_} given; only --format onnx has it")
    if name is not None and format_ != "c":
        raise UsageError(f"--name: --format {format_} given; only --format c has it")
    if values != "float32" and format_ in ("seed", "onnx"):
        raise UsageError(f"--values: {values} given; --format {format_} has only float32")
    opened = Run(run)
    result = finished_round(opened, round_)
    folder = run.resolve() if run.name in ("", "..") else run
    path = output or folder.with_name(f"{folder.name}-round{result.round:02d}{SUFFIXES[format_]}")
    if not path.parent.is_dir() or (path.exists() and not (path.is_dir() if format_ == "c" else path.is_file())):
        what = "exists and is not a folder" if format_ == "c" else "is not a file"
        reason = what if path.exists() else f"is in {path.parent}, which is not a folder"
        raise UsageError(f"--output: {path} given, which {reason}")
    screen.say(f"{opened.train_settings.arch}, {opened.train_settings.algebra}, round {result.round}")
    if format_ == "seed":
        size = seed_ticket.write_seed_ticket(path, opened, result.round)
        screen.say(f"{path}: {size:,} bytes; to train it again: quatnet train --ticket {path}")
        shown: dict[str, Any] = {"bytes": size}
    elif format_ == "c":
        shown = _export_c(screen, opened, result, path, name or "network", values, data_dir)
    else:
        model = Model.of(opened, result.round)
        if format_ == "ticket":
            size = ticket.write_ticket(path, model, values)
            stored = ticket.read_ticket(path)
        else:
            size, stored = onnx.write_onnx(path, model, preprocessing=preprocessing), model
        parameters = model.network.parameters.size
        screen.say(f"{path}: {size:,} bytes; dense, as float32, the network has {4 * parameters:,}")
        shown = {"bytes": size, "accuracy": _say_accuracy(screen, opened, result, stored, data_dir)}
    screen.finish({"run": str(run), "round": result.round, "format": format_, "path": str(path), **shown})


def _export_c(
    screen: Output, run: Run, result: RoundResult, folder: Path, name: str, values: str, data_dir: Path
) -> dict[str, Any]:
    """Write the C program with what the network of float32 or int8 weights reaches on the test set, if that is here."""
    import numpy as np

    from quatnet.deploy import c
    from quatnet.deploy.model import Model
    from quatnet.images import as_bytes

    model = Model.of(run, result.round)
    dataset = _test_set(screen, run, data_dir)
    accuracy = None
    if dataset is None:
        images = np.random.default_rng(0).integers(0, 256, (4, *run.data.input_shape), np.uint8)
    else:
        images = as_bytes(dataset.x_test)
        accuracy = c.accuracy(model, values, images, dataset.y_test)
        screen.say(
            f"accuracy {accuracy:.2f} % on {len(dataset.y_test):,} test images; the run's: {result.accuracy:.2f} %"
        )
    files = c.write_c(folder, model, name=name, values=values, accuracy=accuracy, test_images=images)
    screen.say(f"{files.source} and {files.header}: {files.flash:,} bytes of constants, {files.ram:,} of buffers")
    return {
        "header": str(files.header),
        "source": str(files.source),
        "flash": files.flash,
        "ram": files.ram,
        "accuracy": accuracy,
    }


def _say_accuracy(screen: Output, run: Run, result: RoundResult, model: Model, data_dir: Path) -> float | None:
    """Measure what came back from the file on the run's test set, say it beside the run's, and return it."""
    dataset = _test_set(screen, run, data_dir)
    if dataset is None:
        return None
    accuracy = model.accuracy(dataset.x_test, dataset.y_test)
    _say(screen, accuracy, dataset, result)
    return accuracy


def _say(screen: Output, accuracy: float, dataset: Dataset, result: RoundResult) -> None:
    screen.say(f"accuracy {accuracy:.2f} % on {len(dataset.y_test):,} test images; the run's: {result.accuracy:.2f} %")


def _test_set(screen: Output, run: Run, data_dir: Path) -> Dataset | None:
    """Return the data of a run; where they are not here, say that nothing can be measured."""
    from quatnet.experiment import data_of

    try:
        return data_of(run, data_dir=data_dir).dataset
    except DataError as error:
        screen.say(f"accuracy not measured: {error}")
        return None
