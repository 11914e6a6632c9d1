"""Rounds: their files, in which order they are written, and checksums; results.csv."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quatnet.errors import RunError
from quatnet.runs import Run
from quatnet.settings import PruneSettings
from quatnet.streams import Phase, Position
from tests.runs.made import DATA, INITIAL, MASKS, RESULT, ROUND_1, SEARCH_1, SETTINGS, one_line_error

# rounds


def test_a_round_comes_back_as_it_was_saved(saved):
    weights, masks = saved.load_round(ROUND_1)
    assert list(weights) == list(INITIAL)
    for name, values in INITIAL.items():
        np.testing.assert_array_equal(weights[name], values)
    np.testing.assert_array_equal(masks.dense()["fc1.weight"], MASKS.dense()["fc1.weight"])


def test_a_result_comes_back_as_it_was_saved(saved):
    assert Run(saved.path).results() == [RESULT]


def test_the_result_is_written_after_weights_and_mask(run, writes):
    run.save_round(ROUND_1, INITIAL, MASKS, RESULT)
    assert writes[:3] == ["weights.npz", "mask.npz", "result.json"]


def test_a_round_without_a_result_is_not_finished(run, monkeypatch):
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: 1 / 0 if Path(new).name == "result.json" else replace(old, new))
    with pytest.raises(ZeroDivisionError):
        run.save_round(ROUND_1, INITIAL, MASKS, RESULT)
    assert (run.path / "rounds" / "01" / "weights.npz").is_file()
    assert not run.is_finished(ROUND_1)
    assert run.results() == []


def test_rounds_and_the_search_are_kept_apart(saved):
    assert saved.is_finished(ROUND_1)
    assert not saved.is_finished(SEARCH_1)
    assert saved.results(Phase.SEARCH) == []


@pytest.mark.parametrize(("position", "folder"), [(ROUND_1, "rounds/01"), (Position(Phase.SEARCH, 12), "search/12")])
def test_a_round_has_a_folder_of_its_own(run, position, folder):
    run.save_round(position, INITIAL, MASKS, RESULT)
    assert {path.name for path in (run.path / folder).iterdir()} == {"weights.npz", "mask.npz", "result.json"}


def test_results_are_in_the_order_of_the_rounds(run):
    for k in (100, 9, 11, 0):
        run.save_round(Position(Phase.ROUNDS, k), INITIAL, MASKS, replace(RESULT, round=k))
    assert [result.round for result in run.results()] == [0, 9, 11, 100]


@pytest.mark.parametrize("name", ["weights.npz", "mask.npz"])
def test_a_file_that_is_not_the_one_written_is_a_one_line_error(saved, name):
    path = saved.folder(ROUND_1) / name
    np.savez(path, **{"fc1.weight": np.zeros((4, 1, 2)), "fc1.bias": np.zeros(8)})
    one_line_error(RunError, lambda: saved.load_round(ROUND_1), path, "is damaged: its SHA-256 is not the one")


@pytest.mark.parametrize("name", ["weights.npz", "mask.npz"])
def test_a_missing_file_of_a_round_is_a_one_line_error(saved, name):
    path = saved.folder(ROUND_1) / name
    path.unlink()
    one_line_error(RunError, lambda: saved.load_round(ROUND_1), f"{path} is missing")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "1", '{"round": 1, "sha256": {}}', '{"sha256": []}'])
def test_a_damaged_result_is_a_one_line_error(saved, content):
    path = saved.folder(ROUND_1) / "result.json"
    path.write_text(content)
    one_line_error(RunError, saved.results, path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "1", '{"sha256": []}', '{"sha256": {}}'])
def test_a_result_without_checksums_is_a_one_line_error(saved, content):
    (saved.folder(ROUND_1) / "result.json").write_text(content)
    one_line_error(RunError, lambda: saved.load_round(ROUND_1), saved.folder(ROUND_1))


# results.csv


def test_results_csv_has_one_line_per_round(run):
    run.set_prune_settings(PruneSettings(protocol="finetune"))
    for k in (0, 1):
        run.save_round(Position(Phase.ROUNDS, k), INITIAL, MASKS, replace(RESULT, round=k))
    assert (run.path / "results.csv").read_text() == (
        "arch,dataset,algebra,protocol,init,seed,round,weights_left,kept_weights,accuracy\n"
        "lenet-12,mnist-mini,quaternion,finetune,paper,3,0,25.5,5,81.25\n"
        "lenet-12,mnist-mini,quaternion,finetune,paper,3,1,25.5,5,81.25\n"
    )


def test_results_csv_of_a_dense_run_has_no_protocol(tmp_path):
    run = Run.create(tmp_path / "run", replace(SETTINGS, quaternion=False), DATA, INITIAL, {})
    run.save_round(Position(Phase.ROUNDS, 0), INITIAL, MASKS, replace(RESULT, round=0))
    line = (run.path / "results.csv").read_text().splitlines()[1]
    assert line == "lenet-12,mnist-mini,real,,paper,3,0,25.5,5,81.25"


def test_results_csv_leaves_out_the_search(run):
    run.save_round(SEARCH_1, INITIAL, MASKS, RESULT)
    assert len((run.path / "results.csv").read_text().splitlines()) == 1


def test_results_csv_is_brought_up_to_date_when_it_is_not(saved):
    path = saved.path / "results.csv"
    content = path.read_text()
    for change in (path.unlink, lambda: path.write_text("old")):
        change()
        saved.write_results()
        assert path.read_text() == content


def test_results_csv_is_not_written_again_when_it_is_up_to_date(saved, writes):
    saved.write_results()
    assert writes == []
