"""Charts as SVG text for a page: axes, lines with markers, bands and error bars.

Colours and fonts are CSS classes (page.css), so that one chart serves light, dark and print. Everything is given in the
pixels of the chart's own width and height.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

LEFT, RIGHT, TOP, BOTTOM = 42, 10, 8, 40
LABEL = 18
MARKER = 3.2


@dataclass(frozen=True)
class Axis:
    """A scale from `start` (left or bottom) to `end`, which may be the smaller one, and where it has ticks."""

    label: str
    start: float
    end: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Return where a value lies between start (0) and end (1)."""
        start, end = self._scaled(self.start), self._scaled(self.end)
        return (self._scaled(value) - start) / (end - start)

    def text(self, tick: float) -> str:
        """Write a tick, with as many digits as tell it from the next one."""
        if self.logarithmic or len(self.ticks) < 2:
            return tick_text(tick)
        decimals = math.ceil(-math.log10(self.ticks[1] - self.ticks[0]) - 1e-9)
        return f"{round(tick, max(0, decimals)):g}"

    def _scaled(self, value: float) -> float:
        return math.log2(value) if self.logarithmic else value


@dataclass(frozen=True)
class Line:
    """A curve. `style` has its CSS classes: a colour, and perhaps `paper`, `dashed` or `dotted`.

    `band` is a lower and an upper edge, `bars` half the lengths of error bars, `tips` what the markers say when they
    are pointed at. Without `marker` the points have none. `hue` (degrees) is the colour of the style `layer`. The curve
    and its band are interrupted before the points at the positions `gaps`.
    """

    name: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    marker: bool = False
    band: tuple[Sequence[float], Sequence[float]] | None = None
    bars: Sequence[float] | None = None
    tips: Sequence[str] = ()
    hue: float | None = None
    gaps: Sequence[int] = ()


def halvings(values: Iterable[float], label: str, *, falling: bool) -> Axis:
    """Return a logarithmic axis for percentages, with ticks at 100, 50, 25, ...: the dense network first if falling."""
    values = list(values)
    most, least = max(values), min(values)
    high, low = most * 1.1, min(least, most / 2) / 1.1
    ticks = tuple(100 / 2**k for k in range(40) if low <= 100 / 2**k <= high)
    start, end = (high, low) if falling else (low, high)
    return Axis(label, start, end, ticks, logarithmic=True)


def linear(values: Iterable[float], label: str, *, whole: bool = False) -> Axis:
    """Return an axis with about six ticks at round numbers, or at whole ones; it ends at the outermost ones."""
    values = list(values)
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    rough = max(span / 6, 1 if whole else 1e-12)  # less is no number of ours
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return Axis(label, first * step, last * step, tuple(k * step for k in range(first, last + 1)))


def tick_text(value: float) -> str:
    """Write a tick as short as it is exact enough: 100, 12.5, 6.2, 0.39."""
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.3g}"


@dataclass(frozen=True)
class Frame:
    """The rectangle between the axes, in pixels, and the axes."""

    left: int
    top: int
    width: int
    height: int
    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies, from the upper left corner of the frame."""
        return self.x.part(x) * self.width, (1 - self.y.part(y)) * self.height


def chart(lines: Sequence[Line], x: Axis, y: Axis, *, size: tuple[int, int], label: str) -> str:
    """Return a chart as an <svg> element; `label` says what it shows to those who do not see it."""
    width, height = size
    top = TOP + (LABEL if y.label else 0)
    frame = Frame(LEFT, top, width - LEFT - RIGHT, height - top - BOTTOM, x, y)
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(label)}">',
        *_grid(frame),
        _text(frame.left + frame.width / 2, height - 6, x.label, "middle", "label"),
        _text(0, 12, y.label, "start", "label") if y.label else "",
        # A nested svg clips what is beyond the axes, such as long error bars.
        f'<svg x="{frame.left}" y="{frame.top}" width="{frame.width}" height="{frame.height}">',
        *(_line(line, frame) for line in lines),
        "</svg>",
        "</svg>",
    ]
    return "\n".join(parts)


def legend(lines: Sequence[Line]) -> str:
    """Return the names of the lines beside a piece of each, as an HTML list."""
    items = []
    for line in lines:
        piece = _group(line, ['<path class="line" d="M1 7H27"/>', _marker(line, 14, 7) if line.marker else ""])
        key = f'<svg viewBox="0 0 28 14" width="28" height="14" aria-hidden="true">{piece}</svg>'
        items.append(f"<li>{key}{escape(line.name)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _grid(frame: Frame) -> list[str]:
    right, bottom = frame.left + frame.width, frame.top + frame.height
    parts = []
    for tick in frame.y.ticks:
        place = bottom - frame.y.part(tick) * frame.height
        parts.append(f'<path class="grid" d="M{frame.left} {place:.1f}H{right}"/>')
        parts.append(_text(frame.left - 6, place + 4, frame.y.text(tick), "end"))
    for tick in frame.x.ticks:
        place = frame.left + frame.x.part(tick) * frame.width
        parts.append(f'<path class="grid" d="M{place:.1f} {frame.top}V{bottom}"/>')
        parts.append(_text(place, bottom + 16, frame.x.text(tick), "middle"))
    return [*parts, f'<path class="axis" d="M{frame.left} {bottom}H{right}"/>']


def _text(x: float, y: float, text: str, anchor: str, style: str = "tick") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(line: Line, frame: Frame) -> str:
    shapes = []
    pieces = [slice(*ends) for ends in pairwise([0, *line.gaps, len(line.x)])]
    if line.band is not None:
        low, high = (list(map(frame.place, line.x, edge)) for edge in line.band)
        outlines = (_path(_outline(low[piece], high[piece])) + "Z" for piece in pieces)
        shapes.append(f'<path class="band" d="{"".join(outlines)}"/>')
    for x, y, half in zip(line.x, line.y, line.bars or (), strict=False):
        (place, bottom), (_, top) = frame.place(x, y - half), frame.place(x, y + half)
        ends = f"M{place - 3:.1f} {top:.1f}h6M{place - 3:.1f} {bottom:.1f}h6"
        shapes.append(f'<path class="bar" d="M{place:.1f} {top:.1f}V{bottom:.1f}{ends}"/>')
    points = list(map(frame.place, line.x, line.y))
    shapes.append(f'<path class="line" d="{"".join(_path(points[piece]) for piece in pieces)}"/>')
    if line.marker:
        tips = line.tips or [""] * len(points)
        shapes += [_marker(line, x, y, tip) for (x, y), tip in zip(points, tips, strict=True)]
    return _group(line, shapes)


def _group(line: Line, shapes: Sequence[str]) -> str:
    hue = "" if line.hue is None else f' style="--h:{line.hue:.0f}"'
    return f'<g class="{escape(line.style)}"{hue}>{"".join(shapes)}</g>'


def _marker(line: Line, x: float, y: float, tip: str = "") -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    if "quaternion" in line.style.split():
        r = MARKER * 0.9
        return (
            f'<rect class="marker" x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:.1f}" height="{2 * r:.1f}">'
            f"{title}</rect>"
        )
    return f'<circle class="marker" cx="{x:.1f}" cy="{y:.1f}" r="{MARKER}">{title}</circle>'


def _outline(low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of a piece of a band; that of a single point is as wide as its marker."""
    if len(low) == 1:
        ((x, bottom),), ((_, top),) = low, high
        return [(x - MARKER, top), (x + MARKER, top), (x + MARKER, bottom), (x - MARKER, bottom)]
    return [*high, *reversed(low)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
