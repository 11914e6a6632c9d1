"""`quatnet bench`: what every round of a run costs on a device, in bytes, work and time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output, share
from quatnet.deploy.choices import LAYOUTS
from quatnet.errors import UsageError
from quatnet.files import write_json
from quatnet.runs import Run

if TYPE_CHECKING:
    from quatnet.deploy.card import Card, RoundCard

SIZES = ("ticket float32", "ticket int8", "seed", "C float32", "C int8", "ONNX")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), help="A second run, with the other algebra.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw accuracy against bytes, .png or .svg.")
@click.option("--card", "file", type=click.Path(path_type=Path), help="Write everything as a JSON file.")
@click.option(
    "--test-size", type=int, help="Measure accuracies on N test images, class-balanced.  [default: the run's]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=0.2,
    show_default=True,
    help="Seconds per latency.",
)
@click.option(
    "--layout",
    type=click.Choice(["auto", *LAYOUTS]),
    default="auto",
    show_default=True,
    help="Layout of the layers of the compiled network; auto chooses the fastest.",
)
@options.data_dir_option
@options.json_option
@options.quiet_option
def bench(
    run: Path,
    against: Path | None,
    figure: Path | None,
    file: Path | None,
    test_size: int | None,
    seconds: float,
    layout: str,
    data_dir: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure what RUN's rounds cost in bytes, work and time.

    Shows the bytes of each format of `quatnet export`, the multiply-adds, and the latencies on one thread: NumPy with
    all zeros; the network compiled to dense layers, to sparse layers, and to the fastest layout of each layer; the C
    program (with a C compiler); and onnxruntime (where it is installed).

    \b
    Example: quatnet bench runs/lenet-12-real-mnist-seed0 --figure card.png
    """
    from quatnet.deploy.card import BATCHES, card_of
    from quatnet.environment import describe
    from quatnet.experiment import data_of
    from quatnet.report.sizes import save_picture

    output = Output(as_json=as_json, quiet=quiet)
    runs = [Run(path) for path in (run, against) if path is not None]
    _check(runs)
    _check_files(figure, file)
    cards = []
    for one in runs:
        dataset = data_of(one, data_dir=data_dir).dataset.subset(None, test_size, one.train_settings.seed)
        output.say(f"{one.path}: {len(one.results())} rounds")
        cards.append(
            card_of(
                one,
                dataset,
                layout=layout,
                seconds=seconds,
                finished=lambda r: output.say(f"round {r.result.round} done"),
            )
        )
    output.say()
    _show_bytes(output, cards)
    for batch in BATCHES:
        output.say()
        _show_latencies(output, cards, batch)
    output.say()
    for sentence in findings(cards):
        output.say(sentence)
    if figure is not None:
        drawn = save_picture(figure, cards)
        output.say(f"picture: {figure}" if drawn else "no picture: matplotlib is not installed (extra `plot`)")
    value = {
        "cards": [_as_json(one) for one in cards],
        "environment": describe(device="cpu", engine="fast", conv="auto", threads=1),
    }
    if file is not None:
        write_json(file, value)
        output.say(f"card: {file}")
    output.finish(value)


def _check(runs: list[Run]) -> None:
    for one in runs:
        if not one.results():
            raise UsageError(f"{one.path} has no finished round yet")
    of = {(one.train_settings.arch, one.train_settings.dataset) for one in runs}
    if len(of) > 1:
        raise UsageError(f"--against: {runs[1].path} has another network or data set than {runs[0].path}")


def _check_files(figure: Path | None, file: Path | None) -> None:
    """Raise a UsageError for files that could not be written, before everything is measured."""
    if figure is not None and figure.suffix not in (".png", ".svg"):
        raise UsageError(f"--figure: {figure} given; a name that ends in .png or .svg is needed")
    for option, path in (("--figure", figure), ("--card", file)):
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{option}: {path} given; the folder {path.parent} does not exist")


def _show_bytes(output: Output, cards: list[Card]) -> None:
    rows = []
    for one in cards:
        for r in one.rounds:
            rows.append(
                [
                    one.algebra,
                    str(r.result.round),
                    share(r.result.weights_left),
                    f"{r.result.kept_weights:,}",
                    f"{r.multiply_adds:,}",
                    f"{r.result.accuracy:.2f}",
                    f"{r.accuracy_int8:.2f}",
                    *(f"{r.bytes[name]:,}" if name in r.bytes else "-" for name in SIZES),
                    f"{r.ram:,}",
                ]
            )
    columns = ["algebra", "round", "weights left", "weights", "multiply-adds", "accuracy, %", "int8", *SIZES, "C RAM"]
    output.table(columns, rows)


def _show_latencies(output: Output, cards: list[Card], batch: int) -> None:
    from quatnet.deploy.card import COMPILED, DENSE, NUMPY, ONNX, SPARSE, C

    names = [name for name in (NUMPY, DENSE, SPARSE, COMPILED, C, ONNX) if name in cards[0].rounds[0].latency]
    images = "one image" if batch == 1 else f"{batch} images"
    output.say(f"microseconds for {images}: median (95 %)")
    rows = [
        [one.algebra, str(r.result.round), share(r.result.weights_left), *(_latency(r, name, batch) for name in names)]
        for one in cards
        for r in one.rounds
    ]
    output.table(["algebra", "round", "weights left", *names], rows)


def _latency(card: RoundCard, name: str, batch: int) -> str:
    latency = card.latency[name][batch]
    return f"{latency.p50:.3g} ({latency.p95:.3g})"


def findings(cards: list[Card]) -> list[str]:
    """Say in sentences what the card shows: the work of both algebras, and where dense is faster."""
    from quatnet.deploy.card import BATCHES, DENSE, SPARSE

    sentences = []
    for one in cards:
        if one.algebra == "quaternion":
            sentences.append(
                f"quaternion: {one.parameters:,} parameters, {one.multiply_adds:,} multiply-adds dense: a quarter of "
                "the real layers' weights, and the same products"
            )
        for batch in BATCHES:
            images = "one image" if batch == 1 else f"{batch} images"
            faster = [r.latency[SPARSE][batch].p50 < r.latency[DENSE][batch].p50 for r in one.rounds]
            place = one.break_even(batch)
            if all(faster) or not any(faster):
                text = f"{'sparse' if faster[0] else 'dense'} is faster in all rounds"
            elif place is not None:
                text = f"sparse is faster than dense below {share(place)} of the weights"
            else:
                text = "neither sparse nor dense is faster throughout"
            sentences.append(f"{one.algebra}, {images}: {text}")
    return sentences


def _as_json(one: Card) -> dict[str, Any]:
    from quatnet.deploy.card import BATCHES

    return {**asdict(one), "break_even": {str(batch): one.break_even(batch) for batch in BATCHES}}
