"""How long functions take, side by side: single calls, in turn, so that a busy machine is busy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

BURST_SECONDS = 0.004
"""A function's turn: long enough that its data are in the cache for most calls."""


@dataclass(frozen=True)
class Latency:
    """Microseconds of a call: half of the calls took at most `p50`, 95 % at most `p95`."""

    p50: float
    p95: float


def measure(
    functions: Mapping[str, Callable[[], object]], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Latency]:
    """Call all functions in turn, each for about `seconds` together, and return their latencies.

    The first call of a turn is not counted. Threads of BLAS are the caller's business.
    """
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    spent = dict.fromkeys(functions, 0.0)
    while any(taken < seconds for taken in spent.values()):
        for name, function in functions.items():
            spent[name] += _turn(function, samples[name], clock)
    return {
        name: Latency(*(round(1e6 * float(q), 2) for q in np.quantile(taken, [0.5, 0.95])))
        for name, taken in samples.items()
    }


def _turn(function: Callable[[], object], samples: list[float], clock: Callable[[], float]) -> float:
    function()
    begin = now = clock()
    while now - begin < BURST_SECONDS:
        function()
        before, now = now, clock()
        samples.append(now - before)
    return now - begin
