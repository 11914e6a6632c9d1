"""What train, prune and evaluate say about a run: the opening lines, and the keys of the JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quatnet.cli.console import Output
from quatnet.nn.architectures import architecture
from quatnet.runs import RoundResult, Run

if TYPE_CHECKING:
    from quatnet.experiment import Experiment


def parameters(run: Run) -> int:
    """Return the number of parameters of the run's network, dense."""
    return sum(_counts(run))


def dense_percent(run: Run) -> float:
    """Return the weights left of the unpruned network, in percent of the real one of full width."""
    from quatnet.nn.networks import count_parameters
    from quatnet.pruning.masks import weights_left

    train, data = run.train_settings, run.data
    return weights_left(*_counts(run), count_parameters(train.arch, False, data.input_shape, len(data.class_names)))


def _counts(run: Run) -> tuple[int, int]:
    from quatnet.nn.networks import count_parameters

    train, classes = run.train_settings, len(run.data.class_names)
    return count_parameters(train.arch, train.quaternion, run.data.input_shape, classes, train.width, train.norm)


def introduce(output: Output, experiment: Experiment, *, default_data: bool) -> None:
    """Say what is trained on what, and how to get the paper's data when the built-in set was taken by default."""
    run, settings = experiment.run, experiment.settings
    data = experiment.data.dataset
    images = f"{run.data.train_images:,} + {run.data.test_images:,} images"
    line = f"{settings.arch}, {settings.algebra}, on {data.name}: {images}"
    paper = architecture(settings.arch).paper_dataset
    if default_data:
        line += f", built in; for the paper's data: quatnet data fetch {paper}, then --dataset {paper}"
    output.say(line)
    size, percent = parameters(run), dense_percent(run)
    output.say(
        f"{size:,} parameters, {percent:.4g} % of the real network's; weights left are always given in % of those"
    )


def summary(run: Run, result: RoundResult) -> dict[str, Any]:
    """Return the JSON object of a run's result."""
    settings = run.train_settings
    return {
        "run": str(run.path),
        "arch": settings.arch,
        "algebra": settings.algebra,
        "dataset": settings.dataset,
        "seed": settings.seed,
        "init": settings.init,
        "parameters": parameters(run),
        "round": result.round,
        "accuracy": result.accuracy,
        "weights_left": result.weights_left,
        "kept_weights": result.kept_weights,
    }
