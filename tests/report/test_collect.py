"""scripts/collect_results.py: runs as one small folder that can be reported again."""

import csv
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


def test_what_is_collected_has_every_epoch_of_every_training_once(script, small_runs, tmp_path):
    script.collect("digits", small_runs, tmp_path)
    lines = (tmp_path / "results" / "digits" / "epochs.csv").read_text().splitlines()
    rows = {tuple(row.values())[:5]: (float(row["test_loss"]), float(row["accuracy"])) for row in csv.DictReader(lines)}
    assert len(rows) == len(lines) - 1
    assert rows == {
        (
            run.train_settings.algebra,
            str(run.train_settings.seed),
            line["phase"],
            str(line["round"]),
            str(line["epoch"]),
        ): (
            pytest.approx(line["test_loss"], rel=1e-4),
            pytest.approx(line["accuracy"]),
        )
        for run in small_runs
        for line in run.metrics()
    }
