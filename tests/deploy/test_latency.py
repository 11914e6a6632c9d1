"""Latencies, with functions that take as long as they say."""

import time

from quatnet.deploy import latency


def test_functions_are_called_in_turn_and_the_slower_one_takes_longer(monkeypatch):
    monkeypatch.setattr(latency, "BURST_SECONDS", 0.001)
    called = []
    functions = {
        "slow": lambda: (called.append("slow"), time.sleep(0.002)),
        "fast": lambda: called.append("fast"),
    }
    found = latency.measure(functions, 0.006)
    assert 2000 <= found["slow"].p50 <= found["slow"].p95
    assert found["fast"].p50 < 500
    turns = [name for name, before in zip(called, [None, *called], strict=False) if name != before]
    assert turns == ["slow", "fast"] * (len(turns) // 2)
    assert len(turns) >= 6


def test_quantiles_are_those_of_single_calls_and_the_first_of_a_turn_is_not_counted(monkeypatch):
    now = [0.0]
    durations = iter([9.0, 9.0, *[1e-3] * 90, *[5e-3] * 10])  # a call before all turns, and the first of the only turn

    def function():
        now[0] += next(durations, 0.2)

    monkeypatch.setattr(latency, "BURST_SECONDS", 0.1399)
    assert latency.measure({"f": function}, 0.1, lambda: now[0])["f"] == latency.Latency(1000.0, 5000.0)


def test_nothing_to_measure_is_nothing():
    assert latency.measure({}, 1.0) == {}
