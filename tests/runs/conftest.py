"""Run folders without a network, made for every test."""

import os
from pathlib import Path

import pytest

from quatnet.runs import Run
from tests.runs.made import DATA, INITIAL, MASKS, RESULT, ROUND_1, SETTINGS


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", SETTINGS, DATA, INITIAL, {"python": "3"})


@pytest.fixture
def saved(run):
    """A run with round 1 saved."""
    run.save_round(ROUND_1, INITIAL, MASKS, RESULT)
    return run


@pytest.fixture
def writes(monkeypatch):
    """The names of all files in the order in which they take their place."""
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: seen.append(Path(new).name) or replace(old, new))
    return seen
