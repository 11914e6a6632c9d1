"""Grids: a job per combination of settings, and errors that name the key."""

import json
from pathlib import Path

import pytest

from quatnet.errors import UsageError
from quatnet.runs import run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.sweep import Job, grid, jobs_of
from tests.cli.conftest import invoke


def test_a_grid_has_a_job_per_combination_of_its_lists_seed_by_seed():
    jobs = jobs_of({"arch": ["lenet-12", "conv-2"], "seeds": [3, 5], "protocol": ["imp", "paper"], "epochs": 7})
    assert [(j.train.seed, j.train.arch, j.prune.protocol, j.train.algebra) for j in jobs] == [
        (seed, arch, protocol, algebra)
        for seed in (3, 5)
        for arch in ("lenet-12", "conv-2")
        for protocol in ("imp", "paper")
        for algebra in ("real", "quaternion")
    ]
    assert {j.train.epochs for j in jobs} == {7}


def test_a_grid_of_one_architecture_compares_real_and_quaternion_with_the_defaults_of_prune():
    real, quaternion = jobs_of({"arch": "lenet"})
    assert real == Job(TrainSettings.for_architecture("lenet", False), PruneSettings())
    assert quaternion == Job(TrainSettings.for_architecture("lenet", True), PruneSettings())


def test_a_whole_number_in_a_grid_gives_the_folder_of_the_same_option():
    job, _ = jobs_of({"arch": "lenet-12", "rate": 1, "stop-below": 0, "amount": 0.5})
    train = TrainSettings.for_architecture("lenet-12", False, rate=1.0)
    assert job.name == run_name(train, PruneSettings(stop_below=0.0, amount=0.5))


@pytest.mark.parametrize(
    ("seeds", "numbers"), [(7, [7]), ([2, 0], [2, 0]), ("1-3", [1, 2, 3]), ("0-1,5, 8-8", [0, 1, 5, 8]), ("4", [4])]
)
def test_seeds_are_numbers_or_ranges(seeds, numbers):
    assert [job.train.seed for job in jobs_of({"arch": "lenet-12", "seeds": seeds, "algebra": "real"})] == numbers


def test_protocol_none_only_trains():
    jobs = jobs_of({"arch": "lenet-12", "protocol": ["none", "imp"], "rounds": 3, "algebra": "real", "amount": 0.4})
    assert [job.prune for job in jobs] == [None, PruneSettings(rounds=3, amount=0.4)]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"epoch": 3}, ("unknown key 'epoch'", "did you mean epochs?", "train-size")),
        ({"train_size": 3}, ("unknown key 'train_size'", "did you mean train-size?")),
        ({"seed": 3}, ("unknown key 'seed'", "did you mean seeds?")),
        ({"quaternion": True}, ("unknown key 'quaternion'", "algebra")),
        ({"epochs": "3"}, ("epochs: '3' given", "an integer")),
        ({"epochs": True}, ("epochs: True given", "an integer")),
        ({"epochs": 2.5}, ("epochs: 2.5 given", "an integer")),
        ({"epochs": [1, 2]}, ("epochs: [1, 2] given", "an integer")),
        ({"rate": "fast"}, ("rate: 'fast' given", "a finite number")),
        ({"rate": -1}, ("rate: -1 given", "more than 0")),
        ({"augment": 1}, ("augment: 1 given", "true or false")),
        ({"criterion": 1}, ("criterion: 1 given", "a string")),
        ({"optimizer": ["adam", "sgd"]}, ("optimizer: ['adam', 'sgd'] given", "a string")),
        ({"batch-size": 0}, ("batch-size: 0 given", "1 or more")),
        ({"protocol": "paper", "retrain-rounds": "7-5"}, ("retrain-rounds: '7-5' given", "0-4,7")),
        ({"rounds": 0}, ("rounds: 0 given", "1 or more")),
        ({"arch": []}, ("arch: an empty list", "at least one")),
        ({"arch": 12}, ("arch: 12 given", "a string")),
        ({"arch": "lenet-13"}, ("arch: 'lenet-13' given", "did you mean lenet-12?")),
        ({"arch": ["lenet", "lenet-300-100"]}, ("arch: lenet-300-100 is given twice",)),
        ({"algebra": ["real", "real"]}, ("algebra: real is given twice",)),
        ({"algebra": "octonion"}, ("algebra: 'octonion' given", "real, quaternion")),
        ({"algebra": [["real"]]}, ("algebra: ['real'] given", "real, quaternion")),
        ({"protocol": "imps"}, ("protocol: 'imps' given", "imp, paper, finetune, reinit, none")),
        ({"init": "kaiming"}, ("init: 'kaiming' given", "paper", "he", "glorot")),
        ({"dataset": 1}, ("dataset: 1 given", "a string")),
        ({"seeds": "0-2,1"}, ("seeds: 1 is given twice",)),
        ({"seeds": "4-2"}, ("seeds: '4-2' given", "0-4,7")),
        ({"seeds": "one"}, ("seeds: 'one' given", "0-4,7")),
        ({"seeds": 1.5}, ("seeds: 1.5 given", "an integer")),
        ({"seeds": -1}, ("seeds: -1 given", "0 or more")),
        ({"protocol": "none", "rounds": 3}, ("rounds", "nothing is pruned with protocol none")),
        ({"protocol": ["imp", "paper"], "fresh-optimizer": True}, ("fresh-optimizer: only with protocol paper",)),
        ({"rewind-epoch": 20}, ("rewind-epoch: 20 given", "less than the 20 epochs")),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_grid_is_named_with_what_was_given_and_what_is_allowed(given, parts):
    with pytest.raises(UsageError) as error:
        jobs_of({"arch": "lenet-12", **given})
    assert [part for part in parts if part not in str(error.value)] == []
    assert "\n" not in str(error.value)


def test_a_grid_needs_an_architecture():
    with pytest.raises(UsageError, match="arch: none given"):
        jobs_of({"seeds": "0-3"})


def test_a_grid_is_read_from_a_toml_file(tmp_path):
    (tmp_path / "grid.toml").write_text('arch = "lenet-12"\nseeds = [0, 2]\n# why\nrate = 1e-3\n')
    assert grid.read(tmp_path / "grid.toml") == {"arch": "lenet-12", "seeds": [0, 2], "rate": 1e-3}


@pytest.mark.parametrize("content", [b"arch = ", b'arch = "a"\narch = "b"\n', b'arch = "\xff"'])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    (tmp_path / "grid.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"grid\.toml: not a TOML file"):
        grid.read(tmp_path / "grid.toml")


@pytest.mark.parametrize("rounds", ["7-8", [8, 7], "8,7"])
def test_rounds_to_retrain_are_numbers_or_ranges(rounds):
    job, _ = jobs_of({"arch": "lenet-12", "protocol": "paper", "retrain-rounds": rounds})
    assert job.prune.retrain_rounds == (7, 8)


def test_the_command_line_gives_a_grid_the_rounds_to_retrain(tmp_path):
    options = ("--protocol", "paper", "--retrain-rounds", "7-8", "--search-epochs", 3, "--dry-run", "--json")
    command = ["sweep", "--arch", "lenet-12", "--runs-dir", tmp_path, *options]
    (real, _) = json.loads(invoke(*command).stdout)["runs"]
    expected = PruneSettings(protocol="paper", retrain_rounds=(7, 8), search_epochs=3)
    assert Path(real["run"]).name == run_name(TrainSettings.for_architecture("lenet-12", False), expected)


def test_a_single_round_to_retrain_needs_no_list():
    job, _ = jobs_of({"arch": "lenet-12", "protocol": "paper", "retrain-rounds": 7})
    assert job.prune.retrain_rounds == (7,)
