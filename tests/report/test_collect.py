"""scripts/collect_results.py: runs as one small folder that can be reported again."""

import importlib.util
from pathlib import Path

import pytest

from quatnet.report import experiments

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "collect_results.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("collect_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_collected_is_the_same_experiment_as_the_runs(script, small_runs, small_experiment, tmp_path):
    script.collect("digits", small_runs, tmp_path)
    (found,) = experiments.gather([experiments.read(tmp_path / "results" / "digits")])
    assert found.points == small_experiment.points
    assert found.sources[0].settings["epochs"] == 2
