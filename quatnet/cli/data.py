"""`quatnet data list|fetch|show`: the data sets."""

from __future__ import annotations

from pathlib import Path

import click

from quatnet.cli import options
from quatnet.cli.console import Output
from quatnet.data import entries
from quatnet.nn.architectures import ARCHITECTURES


@click.group()
def data() -> None:
    """List, fetch and show data sets.

    \b
    Example: quatnet data list
    """


@data.command("list")
@options.data_dir_option
@options.json_option
@options.quiet_option
def list_(data_dir: Path, as_json: bool, quiet: bool) -> None:
    """List the data sets and where they are.

    \b
    Example: quatnet data list
    """
    output = Output(as_json=as_json, quiet=quiet)
    found = entries(data_dir)
    output.table(
        ["name", "train", "test", "images", "classes", "where"],
        [
            [e.name, f"{e.train_images:,}", f"{e.test_images:,}", _shape(e.shape), str(e.classes), e.where]
            for e in found
        ],
    )
    output.say()
    for e in found:
        output.say(f"{e.name}: {e.description}{_use(e.name)}; licence: {e.licence}")
    output.say("any other: --dataset PATH, an .npz file with x_train, y_train, x_test, y_test")
    output.say("(and class_names), or files in the format of MNIST or CIFAR")
    keys = ("name", "description", "train_images", "test_images", "shape", "classes", "where", "licence")
    output.finish({"data_dir": str(data_dir), "datasets": [{key: getattr(e, key) for key in keys} for e in found]})


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@options.data_dir_option
@options.json_option
@options.quiet_option
def fetch(names: tuple[str, ...], data_dir: Path, as_json: bool, quiet: bool) -> None:
    """Download data sets from their public mirrors.

    Checksums are verified; partial files are resumed.

    \b
    Example: quatnet data fetch mnist
    """
    from quatnet.cli.progress import DownloadBars
    from quatnet.data import fetch as download

    output = Output(as_json=as_json, quiet=quiet)
    paths = {}
    for name in names:
        with DownloadBars(output) as bars:
            paths[name] = download(name, data_dir, progress=bars.update)
        output.say(f"{name}: {paths[name]}")
    output.finish({"paths": {name: str(path) for name, path in paths.items()}})


@data.command()
@click.argument("name_or_path")
@options.data_dir_option
@options.json_option
@options.quiet_option
def show(name_or_path: str, data_dir: Path, as_json: bool, quiet: bool) -> None:
    """Read a data set, check it, and describe it.

    \b
    Example: quatnet data show mnist-mini
    """
    import numpy as np

    from quatnet.data import load

    output = Output(as_json=as_json, quiet=quiet)
    d = load(name_or_path, data_dir=data_dir)
    train = np.bincount(d.y_train, minlength=d.classes)
    test = np.bincount(d.y_test, minlength=d.classes)
    output.say(f"{d.name}: {d.source}")
    output.say(
        f"{len(d.y_train):,} training and {len(d.y_test):,} test images of {_shape(d.input_shape)}, {d.x_train.dtype}"
    )
    output.say(f"normalised with mean {_numbers(d.mean)} and standard deviation {_numbers(d.std)} per channel")
    output.say(f"training with random crop and flip: {'yes' if d.augment else 'no'}")
    output.say()
    output.table(
        ["class", "label", "train", "test"],
        [[name, str(k), f"{train[k]:,}", f"{test[k]:,}"] for k, name in enumerate(d.class_names)],
    )
    output.finish(
        {
            "name": d.name,
            "source": d.source,
            "train_images": len(d.y_train),
            "test_images": len(d.y_test),
            "input_shape": list(d.input_shape),
            "mean": list(d.mean),
            "std": list(d.std),
            "augment": d.augment,
            "classes": [
                {"name": name, "train": int(train[k]), "test": int(test[k])} for k, name in enumerate(d.class_names)
            ],
        }
    )


def _use(name: str) -> str:
    default = [a.name for a in ARCHITECTURES.values() if a.default_dataset == name]
    paper = [a.name for a in ARCHITECTURES.values() if a.paper_dataset == name]
    if default:
        return f" (default of {', '.join(default)})"
    return f" (the paper's for {', '.join(paper)})" if paper else ""


def _shape(shape: tuple[int, int, int]) -> str:
    return "x".join(str(length) for length in shape)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
