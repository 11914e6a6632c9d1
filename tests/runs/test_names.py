"""Names of run folders, how they are made and opened, and lists of them."""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from quatnet.errors import RunError, UsageError
from quatnet.runs import Run, list_runs, run_name
from quatnet.settings import PruneSettings, TrainSettings
from tests.runs.made import (
    DATA,
    INITIAL,
    SETTINGS,
    one_line_error,
    save_epochs,
)

# names


def test_the_name_says_architecture_algebra_data_and_seed_and_hashes_the_rest():
    digest = hashlib.sha256(b"{}").hexdigest()[:8]
    settings = TrainSettings.for_architecture("conv-2", False)
    assert run_name(settings, None) == f"conv-2-real-shapes-seed0-{digest}"


def test_the_hash_is_that_of_the_settings_that_differ_from_the_defaults():
    train = TrainSettings.for_architecture("lenet", True, seed=3, epochs=2)
    digest = hashlib.sha256(b'{"amount": 0.5, "epochs": 2, "seed": 3}').hexdigest()[:8]
    assert run_name(train, PruneSettings(amount=0.5)) == f"lenet-quaternion-mnist-mini-seed3-{digest}"


def test_a_data_set_in_a_file_is_named_without_its_folder_and_suffix():
    train = TrainSettings.for_architecture("lenet", True, dataset="some/where/own.npz")
    assert run_name(train, None).startswith("lenet-quaternion-own-seed0-")


def test_two_files_of_one_name_make_two_runs():
    names = {run_name(replace(SETTINGS, dataset=f"{folder}/own.npz"), None) for folder in "ab"}
    assert len(names) == 2


@pytest.mark.parametrize(
    "other",
    [{"epochs": 3}, {"rate": 0.5}, {"augment": False}, {"init": "he"}, {"seed": 4}, {"quaternion": False}],
    ids=str,
)
def test_another_training_makes_another_run(other):
    assert run_name(replace(SETTINGS, **other), None) != run_name(SETTINGS, None)


@pytest.mark.parametrize(
    "other", [{"amount": 0.5}, {"criterion": "random"}, {"protocol": "paper"}, {"rewind_epoch": 1}, {"stop_below": 0}]
)
def test_another_pruning_makes_another_run(other):
    assert run_name(SETTINGS, PruneSettings(**other)) != run_name(SETTINGS, PruneSettings())


def test_the_default_pruning_goes_on_with_the_dense_run():
    assert run_name(SETTINGS, PruneSettings(rounds=5)) == run_name(SETTINGS, None)


# making and opening


def test_a_new_run_holds_settings_data_and_initial_weights(run):
    found = Run(run.path)
    assert (found.train_settings, found.prune_settings, found.data) == (SETTINGS, None, DATA)
    for name, values in INITIAL.items():
        np.testing.assert_array_equal(found.initial()[name], values)


def test_a_new_run_holds_its_environment(run):
    assert json.loads((run.path / "environment.json").read_text()) == {"python": "3"}


def test_the_settings_file_has_every_setting_and_a_schema(run):
    config = json.loads((run.path / "config.json").read_text())
    assert config["schema"] == 1
    assert (config["train"]["seed"], config["train"]["momentum"]) == (3, 0.9)


def test_the_settings_are_written_last(tmp_path, writes):
    Run.create(tmp_path / "run", SETTINGS, DATA, INITIAL, {})
    assert sorted(writes) == ["config.json", "environment.json", "initial.npz"]
    assert writes[-1] == "config.json"


def test_a_folder_without_settings_is_no_run(tmp_path):
    one_line_error(UsageError, lambda: Run(tmp_path), tmp_path, "is not a run folder")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"schema": 1}',
        '{"schema": 1, "train": [], "prune": null, "data": {}}',
        '{"schema": 1, "train": {"arch": "lenet-12"}, "prune": null, "data": {}}',
    ],
)
def test_damaged_settings_are_a_one_line_error(run, content):
    (run.path / "config.json").write_text(content)
    one_line_error(RunError, lambda: Run(run.path), run.path / "config.json")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("train", {"epochs": 0}),
        ("train", {"epochs": "two"}),
        ("train", {"colour": "red"}),
        ("prune", {"rounds": 0}),
        ("data", []),
        ("data", {"fingerprint": 1}),
    ],
)
def test_settings_that_are_none_are_a_one_line_error(run, part, value):
    config = json.loads((run.path / "config.json").read_text())
    config[part] = {**config[part], **value} if part == "train" else value
    (run.path / "config.json").write_text(json.dumps(config))
    one_line_error(RunError, lambda: Run(run.path), run.path / "config.json", "not the settings of a run")


def test_another_schema_is_a_one_line_error(run):
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**config, "schema": 2}))
    one_line_error(RunError, lambda: Run(run.path), run.path, "schema 2 given; this quatnet reads schema 1")


@pytest.mark.parametrize("content", [None, b"", b"PK", b"no archive"])
def test_missing_or_damaged_initial_weights_are_a_one_line_error(run, content):
    path = run.path / "initial.npz"
    path.unlink() if content is None else path.write_bytes(content)
    one_line_error(RunError, run.initial, path)


# lists of runs


def set_time(path, seconds):
    os.utime(path, (seconds, seconds))


def test_runs_are_listed_the_most_recently_active_first(tmp_path):
    for name, made, active in [("a", 100, 400), ("b", 200, None), ("c", 300, 310)]:
        run = Run.create(tmp_path / name, SETTINGS, DATA, INITIAL, {})
        set_time(run.path / "config.json", made)
        if active:
            save_epochs(run, 1)
            set_time(run.path / "checkpoint.npz", active)
    assert [path.name for path in list_runs(tmp_path)] == ["a", "c", "b"]


def test_other_folders_and_files_are_no_runs(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "file.txt").touch()
    assert list_runs(tmp_path) == [run.path]


@pytest.mark.parametrize("folder", [".", "missing"])
def test_where_no_runs_are_the_list_is_empty(tmp_path, folder):
    assert list_runs(tmp_path / folder) == []
