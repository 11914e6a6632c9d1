"""`quatnet runs`."""

import os

from tests.cli.conftest import NETWORK


def test_without_runs_it_says_how_to_start_one(quatnet):
    assert quatnet("runs") == "no runs in runs; start one with: quatnet train --arch lenet --quaternion\n"


def test_a_run_is_listed_with_its_state_and_its_accuracies(quatnet, run):
    (row,) = quatnet.json("runs")["runs"]
    rounds = quatnet.json("prune", run)["rounds"]
    assert (row["run"], row["state"], row["protocol"]) == (str(run), "round 2 of 2", "imp")
    assert (row["dense_accuracy"], row["accuracy"]) == (rounds[0]["accuracy"], rounds[2]["accuracy"])


def test_the_table_has_a_line_per_run_the_newest_first(quatnet, run):
    os.utime(run / "config.json", (0, 0))
    os.utime(run / "checkpoint.npz", (0, 0))
    newest = quatnet.json("train", *NETWORK, "--seed", 1)["run"]
    header, first, second = quatnet("runs").splitlines()
    assert header.split() == ["run", "state", "protocol", "dense", "last", "weights", "left"]
    assert first.startswith(newest.removeprefix("runs/"))
    assert "round 0 " in first
    assert second.startswith(run.name)
    assert second.endswith("64.7 %")


def test_a_run_that_went_further_than_it_is_asked_to_is_whole(quatnet, run):
    quatnet("prune", run, "--rounds", 1)
    assert quatnet.json("runs")["runs"][0]["state"] == "round 2 of 2"


def test_a_run_without_a_finished_round_is_in_training(quatnet, run):
    for result in run.glob("rounds/*/result.json"):
        result.unlink()
    assert quatnet.json("runs")["runs"][0]["state"] == "training"


def test_a_damaged_run_is_listed_as_such(quatnet, run):
    (run / "config.json").write_text("{")
    (row,) = quatnet.json("runs")["runs"]
    assert row["state"] == "damaged"
    assert "config.json: not a readable JSON file" in row["error"]
    assert quatnet("runs").splitlines()[1].split() == [run.name, "damaged", "-", "-", "-", "-"]


def test_runs_dir_is_where_runs_are_looked_for(quatnet, run):
    assert quatnet.json("runs", "--runs-dir", "elsewhere") == {"runs": []}
