"""Training curves (Figures 2, 3 and 5a): accuracy or loss of the dense networks by epoch, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quatnet.report import paper, statistics
from quatnet.report.figures import BEHIND, COLOURS, blank
from quatnet.runs import Run
from quatnet.streams import Phase

VALUES = {"accuracy": "test accuracy, %", "loss": "test loss"}


@dataclass(frozen=True)
class EpochCurve:
    """Epochs counted from 1, the mean over the seeds, and the sample deviation (None with one seed)."""

    epochs: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray | None


def ours(runs: Sequence[Run], value: str) -> EpochCurve:
    """Return the mean curve of the dense training of runs over the epochs after which all of them were tested.

    `value` is accuracy or loss, on the test images.
    """
    key = "accuracy" if value == "accuracy" else "test_loss"
    dense = (Phase.ROUNDS.folder, 0)
    trials = [
        {
            line["epoch"]: line[key]
            for line in run.metrics()
            if (line["phase"], line["round"]) == dense and line[key] is not None
        }
        for run in runs
    ]
    epochs = sorted(set.intersection(*map(set, trials)))
    values = np.array([[trial[epoch] for epoch in epochs] for trial in trials])
    return EpochCurve(np.array(epochs), values.mean(axis=0), statistics.sample_deviation(values))


def save_epochs(path: Path, curves: Mapping[str, EpochCurve], figure: str, value: str, title: str) -> bool:
    """Draw the curves by algebra with the paper's behind them, where it has them. False without matplotlib."""
    drawing = blank()
    if drawing is None:
        return False
    from matplotlib.ticker import MaxNLocator

    axes = drawing.add_subplot()
    for algebra, theirs in paper.epochs(figure).items():
        axes.errorbar(*theirs, color=COLOURS[algebra], label=f"{algebra}, Figure {figure}", **BEHIND)
    for algebra, curve in curves.items():
        axes.plot(curve.epochs, curve.mean, marker=".", color=COLOURS[algebra], label=algebra)
        if curve.deviation is not None:
            band = curve.mean - curve.deviation, curve.mean + curve.deviation
            axes.fill_between(curve.epochs, *band, color=COLOURS[algebra], alpha=0.2, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(VALUES[value])
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()
    drawing.savefig(path, dpi=150)
    return True
