"""What the short cuts of stage 0 change: lenet-12 under `paper`, against the runs of Figure 5b."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from claims import claims, when
from claims.data import ALGEBRAS, column, crossing, results, row, seeds_of
from quatnet.report.statistics import PairedT, paired_t

PAGE = "docs/results/README.md"
BASE, FRESH = "figure-5b-paper", "stage-0-fresh-optimizer"
PLACES = [(algebra, percent) for algebra in ALGEBRAS for percent in (5.7, 3.0, 2.0)]
TOLERANCE = 2.0
"""Points: written down before the runs were looked at."""


def change(name: str, algebra: str, percent: float) -> PairedT:
    """Return the change against Figure 5b at a level that both have, paired by seed."""
    ours, base = (results(folder).curves[algebra] for folder in (name, BASE))
    k, j = (int(np.abs(np.log(curve.weights_left / percent)).argmin()) for curve in (ours, base))
    if ours.kept_weights[k] != base.kept_weights[j] or ours.seeds != base.seeds:
        raise ValueError(f"{name}: other seeds or other numbers of weights than {BASE}")
    found = paired_t(ours.accuracy[:, k] - base.accuracy[:, j])
    assert found is not None
    return found


@claims(PAGE, "Stage 0: what the short cuts change")
def stage_0() -> Iterator[str]:
    yield f"{seeds_of(FRESH)} (0 to 4)"
    yield row(["", *(f"{algebra}, {percent} %" for algebra, percent in PLACES)])
    fresh = [change(FRESH, *place) for place in PLACES]
    yield row(
        ["(a) a fresh Adam in every re-training", *(f"{c.mean:+.1f} ± {np.nan_to_num(c.half):.1f}" for c in fresh)]
    )
    largest = max(abs(c.mean) for c in fresh)
    yield when(largest <= TOLERANCE, f"within the tolerance: the largest change is {largest:.1f} points")
    yield f"of the quaternion network at {PLACES[-1][1]} %, ± {fresh[-1].half:.1f}"
    yield f"overtakes at {crossing(FRESH):.1f} instead of {crossing(BASE):.1f} % of the weights"
    yield f"still has {column(FRESH, ALGEBRAS[0]).accuracy(5.7).split()[0]} % at 5.7 %"
