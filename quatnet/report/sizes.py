"""Accuracy against the bytes of the ticket, both algebras in one picture. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quatnet.deploy.card import Card
from quatnet.report.figures import COLOURS, blank


def save_picture(path: Path, cards: Sequence[Card]) -> bool:
    """Draw a PNG or SVG file: solid lines for float32 tickets, dashed ones for int8. False without matplotlib."""
    figure = blank()
    if figure is None:
        return False
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes = figure.subplots()
    for card in cards:
        for values, style, marker in (("float32", "-", "o"), ("int8", "--", "s")):
            axes.plot(
                [r.bytes[f"ticket {values}"] for r in card.rounds],
                [r.accuracy_int8 if values == "int8" else r.result.accuracy for r in card.rounds],
                style,
                marker=marker,
                markersize=4,
                color=COLOURS[card.algebra],
                label=f"{card.algebra}, {values}",
            )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: kilobytes(size)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.invert_xaxis()
    axes.set_xlabel("bytes of the ticket (logarithmic)")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(f"{cards[0].arch} on {Path(cards[0].dataset).stem}", fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    return True


def kilobytes(size: float) -> str:
    """Write bytes in units of 1024: 512 B, 16 KiB, 2 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024 or unit == "MiB":
            return f"{size:.3g} {unit}"
        size /= 1024
    raise AssertionError
