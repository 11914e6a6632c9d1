"""Accuracy against weights left, as in the paper's Figure 4: logarithmic axis, dense on the left."""

from __future__ import annotations

from pathlib import Path

from quatnet.runs import RoundResult

COLOURS = {"real": "#b5482a", "quaternion": "#2a5fb5"}


def save_curve(path: Path, results: list[RoundResult], algebra: str, title: str) -> bool:
    """Draw the rounds of one run into a PNG or SVG file; return False where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
    except ImportError:
        return False
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(
        [r.weights_left for r in results],
        [r.accuracy for r in results],
        marker="o",
        markersize=4,
        color=COLOURS[algebra],
        label=algebra,
    )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([100 / 2**k for k in range(20)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}" if x < 10 else f"{x:.3g}"))
    most, least = results[0].weights_left, min(result.weights_left for result in results)
    axes.set_xlim(1.15 * most, min(least, most / 2) / 1.15)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("weights left, % of the real network (logarithmic)")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    return True
