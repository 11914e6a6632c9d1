"""Latencies, with functions that take as long as they say."""

import time

import pytest

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


def test_quantiles_are_those_of_single_calls(monkeypatch):
    clock = iter([0.0, *[k * 1e-6 for k in range(1, 101)], 1.0, 2.0])
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock))
    samples = []
    latency._turn(lambda: None, samples)
    assert samples[:100] == pytest.approx([1e-6] * 100)


def test_nothing_to_measure_is_nothing():
    assert latency.measure({}, 1.0) == {}
