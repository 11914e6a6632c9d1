"""`quatnet reproduce`, on a small data set."""

import csv
import json
import os
from pathlib import Path

import pytest

from quatnet.presets import PRESETS
from quatnet.report import epochs
from quatnet.runs import Run, list_runs
from quatnet.sweep import run as sweep_run
from tests import small
from tests.cli.conftest import DATA

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes and locks are those of POSIX")
TINY = ("--dataset", DATA, "--epochs", 2, "--rate", 0.01)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(sweep_run, "FOLLOW_SECONDS", 0.02)


def test_a_dry_run_says_what_it_costs_and_starts_nothing(quatnet, tmp_path):
    text = quatnet("reproduce", "5b", *TINY, "--rounds", 3, "--dry-run")
    first, second, third = text.splitlines()
    assert first == "Figure 5b: pruning, lenet-12 on digits.npz, 10 runs"
    assert second == "not the paper's settings: dataset digits.npz, epochs 2, rate 0.01, rounds 3"
    assert third.startswith("10 runs to do, up to 14 epochs a run, 2 steps an epoch;")
    assert not (tmp_path / "runs").exists()
    values = quatnet.json("reproduce", "5b", *TINY, "--rounds", 3, "--dry-run")
    assert (values["runs"], values["to_do"]) == (10, 10)
    assert values["seconds"] > 0


def test_a_figure_of_pruning_is_made_with_its_report_and_again_for_nothing(quatnet, tmp_path):
    command = ("reproduce", "5b", *TINY, "--seeds", 2, "--rounds", 2, "--test-every", 2)
    text = quatnet(*command)
    runs = [Run(path) for path in list_runs(tmp_path / "runs")]
    assert sorted((run.train_settings.algebra, run.train_settings.seed) for run in runs) == [
        (algebra, seed) for algebra in ("quaternion", "real") for seed in (0, 1)
    ]
    assert {run.prune_settings.protocol for run in runs} == {"paper"}
    assert "lenet-12 on digits, protocol paper" in text
    assert (tmp_path / "runs" / "figure-5b.html").is_file()
    assert "all runs are finished" in quatnet(*command)


def test_a_figure_of_training_shows_the_last_epoch_and_draws_the_curves(quatnet, tmp_path):
    text = quatnet("reproduce", "5a", *TINY, "--seeds", 2)
    runs = [Run(path) for path in list_runs(tmp_path / "runs")]
    for algebra in ("real", "quaternion"):
        curve = epochs.ours([run for run in runs if run.train_settings.algebra == algebra], "accuracy")
        line = next(line for line in text.splitlines() if line.startswith(f"{algebra} "))
        assert line.split() == [algebra, "2", f"{curve.mean[-1]:.3f}", "±", f"{curve.deviation[-1]:.2f}"]
    assert (tmp_path / "runs" / "figure-5a.png").read_bytes()[:4] == b"\x89PNG"


def test_a_figure_of_training_with_few_tests_has_the_epochs_of_all(quatnet):
    values = quatnet.json("reproduce", "5a", *TINY, "--seeds", 1, "--test-every", 2)
    assert [values[algebra]["epochs"] for algebra in ("real", "quaternion")] == [2, 2]


def test_the_loss_of_figure_3_is_that_on_the_test_images(quatnet, tmp_path):
    values = quatnet.json("reproduce", "3a", *TINY, "--seeds", 1)
    (run,) = (Run(p) for p in list_runs(tmp_path / "runs") if not Run(p).train_settings.quaternion)
    assert values["real"] == {"epochs": 2, "loss": pytest.approx(run.results()[0].test_loss)}


def test_ablations_are_shown_side_by_side(quatnet, tmp_path):
    values = quatnet.json("reproduce", "ablations-lenet-12", *TINY, "--seeds", 1, "--rounds", 1, "--amount", 0.5)
    assert list(values["accuracy"]) == [variant.label for variant in PRESETS["ablations-lenet-12"].variants]
    assert all(len(cells) == len(values["levels"]) for cells in values["accuracy"].values())
    assert values["accuracy"]["quaternion"][0] is not None
    assert {"quaternion - real", "quaternion, shuffled signs - unchanged"} < set(values["differences"])
    assert (tmp_path / "runs" / "ablations-lenet-12.png").is_file()
    settings = json.loads((tmp_path / "runs" / "ablations-lenet-12.json").read_text())
    assert list(settings) == list(values["accuracy"])
    assert settings["quaternion, shuffled signs"]["train"]["signs"] == "shuffled"
    assert settings["real, random masks"]["prune"]["criterion"] == "random"
    with (tmp_path / "runs" / "ablations-lenet-12.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["variant"] for row in rows)) == list(values["accuracy"])
    assert len(rows) == 2 * len(values["accuracy"])
    assert {row["weights_left"] for row in rows if row["variant"] == "real, thin"} < {
        row["weights_left"] for row in rows
    }


def test_one_ablation_alone_comes_with_the_unchanged_networks(quatnet, tmp_path):
    few = ("--seeds", 1, "--rounds", 1, "--test-every", 2, "--only", "thin")
    values = quatnet.json("reproduce", "ablations-lenet-12", *TINY, *few)
    assert list(values["accuracy"]) == ["real", "quaternion", "real, thin"]
    assert list(values["differences"]) == ["quaternion - real", "real, thin - unchanged"]
    runs = [Run(path) for path in list_runs(tmp_path / "runs")]
    tested = {(line["epoch"], line["accuracy"] is not None) for run in runs for line in run.metrics()}
    assert (len(runs), tested) == (3, {(1, False), (2, True)})
    assert (tmp_path / "runs" / "ablations-lenet-12-thin.csv").is_file()
    assert "--only: Figure 5b is not an ablation" in quatnet.error(2, "reproduce", "5b", "--only", "thin")


def test_an_unknown_figure_is_an_error_that_lists_those_there_are(quatnet):
    assert "'4c', '4d'" in quatnet.error(2, "reproduce", "4g")


def test_a_data_set_that_is_missing_is_said_before_anything_starts(quatnet, tmp_path):
    assert quatnet.error(3, "reproduce", "5b").startswith("data set mnist is not here")
    assert not (tmp_path / "runs").exists()


def test_section_5_2_is_the_residual_network_unless_another_is_named(quatnet):
    data = small.write(Path("colour.npz"), side=8, channels=3, train=40, test=20, classes=4)
    text = quatnet("reproduce", "5.2", "--dataset", data, "--epochs", 1, "--rounds", 1, "--seeds", 1, "--dry-run")
    assert text.startswith("5.2-resnet-20: pruning, resnet-20-conv on colour.npz, 2 runs")
