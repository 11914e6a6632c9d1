"""What the short cuts of stage 0 change: lenet-12 under `paper`, against the runs of Figure 5b."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from claims import claims, when
from claims.data import ALGEBRAS, column, crossing, results, row, seeds_of
from quatnet.report.crossing import Polyline
from quatnet.report.statistics import PairedT, paired_t

PAGE = "docs/results/README.md"
BASE, FRESH, FASTER = "figure-5b-paper", "stage-0-fresh-optimizer", "stage-0-36-percent"
PLACES = [(algebra, percent) for algebra in ALGEBRAS for percent in (5.7, 3.0, 2.0)]
TOLERANCE = 2.0
"""Points: written down before the runs were looked at."""


def change(name: str, algebra: str, percent: float) -> PairedT:
    """Return the change against Figure 5b, paired by seed, interpolated at a level."""
    ours, base = (results(folder).curves[algebra] for folder in (name, BASE))
    if ours.seeds != base.seeds:
        raise ValueError(f"{name}: other seeds than {BASE}")
    there = (Polyline.of(c.weights_left, c.accuracy).at(np.array([percent]))[:, 0] for c in (ours, base))
    found = paired_t(np.subtract(*there))
    assert found is not None
    return found


def cells(changes: list[PairedT]) -> list[str]:
    """Write changes with half of their intervals."""
    return [f"{c.mean:+.1f} ± {np.nan_to_num(c.half):.1f}" for c in changes]


@claims(PAGE, "Stage 0: what the short cuts change")
def stage_0() -> Iterator[str]:
    yield f"{seeds_of(FRESH)} (0 to 4)"
    yield row(["", *(f"{algebra}, {percent} %" for algebra, percent in PLACES)])
    fresh, faster = ([change(name, *place) for place in PLACES] for name in (FRESH, FASTER))
    yield row(["(a) a fresh Adam in every re-training", *cells(fresh)])
    yield row(["(b) 36 % a round instead of 20 %", *cells(faster)])
    largest = max(abs(c.mean) for c in fresh)
    yield when(largest <= TOLERANCE, f"within the tolerance: the largest change is {largest:.1f} points")
    yield f"of the quaternion network at {PLACES[-1][1]} %, ± {fresh[-1].half:.1f}"
    yield f"overtakes at {crossing(FRESH):.1f} instead of {crossing(BASE):.1f} % of the weights"
    yield f"still has {column(FRESH, ALGEBRAS[0]).accuracy(5.7).split()[0]} % at 5.7 %"
    gains = [c.mean for c in faster[:3]]
    yield when(min(gains) > TOLERANCE, f"the real network gains {min(gains):.0f} to {max(gains):.0f} points")
    yield f"overtakes at {crossing(FASTER):.1f} % instead"
