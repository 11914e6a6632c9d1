"""`quatnet evaluate`: the accuracy of a finished round, measured again."""

from __future__ import annotations

from pathlib import Path

import click

from quatnet.cli import options
from quatnet.cli.console import Output, weights_left
from quatnet.cli.summary import dense_percent, summary
from quatnet.runs import Run


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--round", "round_", type=click.IntRange(min=0), help="Pruning round.  [default: the last]")
@click.option("--train-size", type=int, help="Measure also on N training images, class-balanced.  [default: none]")
@click.option("--test-size", type=int, help="Measure on N test images, class-balanced.  [default: the run's]")
@options.compute_options
@options.data_dir_option
@options.json_option
@options.quiet_option
def evaluate(
    run: Path,
    round_: int | None,
    train_size: int | None,
    test_size: int | None,
    device: str,
    engine: str,
    conv: str,
    threads: int | None,
    data_dir: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure RUN's accuracy on the test set again.

    \b
    Example: quatnet evaluate runs/lenet-real-mnist-mini-seed0-44136fa3 --round 5
    """
    from quatnet import training
    from quatnet.experiment import data_of, finished_round, trained_network
    from quatnet.fast import Compute

    output = Output(as_json=as_json, quiet=quiet)
    opened = Run(run)
    settings = opened.train_settings
    result = finished_round(opened, round_)
    dataset = data_of(opened, data_dir=data_dir).dataset.subset(train_size, test_size, settings.seed)
    network = trained_network(opened, result.round, Compute(device, conv, threads, engine))
    loss, accuracy = training.evaluate(network, opened.data, dataset.x_test, dataset.y_test)
    values = {**summary(opened, result), "accuracy": accuracy, "loss": loss, "images": len(dataset.y_test)}
    left = weights_left(result.weights_left, dense_percent(opened))
    output.say(f"{settings.arch}, {settings.algebra}, round {result.round}, {left}")
    output.say(f"accuracy {accuracy:.2f} % and loss {loss:.4f} on {len(dataset.y_test):,} test images")
    if train_size is not None:
        loss, accuracy = training.evaluate(network, opened.data, dataset.x_train, dataset.y_train)
        output.say(f"accuracy {accuracy:.2f} % and loss {loss:.4f} on {train_size:,} training images")
        values |= {"train_accuracy": accuracy, "train_loss": loss, "train_images": train_size}
    output.finish(values)
