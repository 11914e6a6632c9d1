"""Checkpoints and metrics.jsonl: what comes back, and an error in one line for everything damaged."""

import json

import numpy as np
import pytest

from quatnet import runs
from quatnet.errors import RunError
from quatnet.training import EpochResult, Progress
from tests.runs.made import ARRAYS, ROUND_1, SEARCH_1, epoch, one_line_error, progress, save_epochs

# checkpoints


def test_a_run_without_an_epoch_has_no_checkpoint(run):
    assert run.load_checkpoint() is None


@pytest.mark.parametrize("position", [ROUND_1, SEARCH_1])
def test_a_checkpoint_comes_back_as_it_was_saved(run, position):
    run.save_checkpoint(position, progress(2), ARRAYS, 7)
    found = run.load_checkpoint()
    assert (found.position, found.progress, found.steps) == (position, progress(2), 7)
    assert list(found.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_the_best_epoch_and_its_weights_come_back_with_a_checkpoint(run):
    best = np.arange(16.0) / 3
    run.save_checkpoint(ROUND_1, Progress(3, epoch(3, 0.5), epoch(1, 0.1), best), ARRAYS, 7)
    found = run.load_checkpoint().progress
    assert (found.epochs, found.last, found.best) == (3, epoch(3, 0.5), epoch(1, 0.1))
    np.testing.assert_array_equal(found.best_value, best)


def test_an_epoch_without_a_test_comes_back_with_a_checkpoint(run):
    untested = Progress(3, EpochResult(3, 0.5, None, None, 0.125))
    run.save_checkpoint(ROUND_1, untested, ARRAYS, 7)
    assert run.load_checkpoint().progress == untested
    assert (run.metrics()[-1]["accuracy"], run.metrics()[-1]["test_loss"]) == (None, None)


def test_only_the_last_checkpoint_is_kept(run):
    save_epochs(run, 1, 2, 3)
    assert run.load_checkpoint().progress.epochs == 3
    assert sorted(path.name for path in run.path.iterdir() if "checkpoint" in path.name) == ["checkpoint.npz"]


@pytest.mark.parametrize("call", ["load_checkpoint", "metrics"])
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_a_one_line_error(run, call, part):
    save_epochs(run, 1)
    path = run.path / "checkpoint.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    one_line_error(RunError, getattr(run, call), path)


@pytest.mark.parametrize("call", ["load_checkpoint", "metrics"])
@pytest.mark.parametrize("state", [None, "", "{", "{}", "[]", "1"])
def test_a_checkpoint_without_a_state_is_a_one_line_error(run, call, state):
    save_epochs(run, 1)
    path = run.path / "checkpoint.npz"
    np.savez(path, **ARRAYS, **({} if state is None else {"state": np.array(state)}))
    one_line_error(RunError, getattr(run, call), path, "not a checkpoint")


def test_a_checkpoint_with_a_pickle_is_a_one_line_error(run):
    save_epochs(run, 1)
    np.savez(run.path / "checkpoint.npz", state=np.array([{}], dtype=object))
    one_line_error(RunError, run.load_checkpoint, run.path / "checkpoint.npz")


# metrics.jsonl


def test_metrics_hold_one_object_per_epoch(run):
    assert run.metrics() == []
    run.save_checkpoint(ROUND_1, progress(1), ARRAYS, 7)
    run.save_checkpoint(SEARCH_1, Progress(2, epoch(2, 0.5)), ARRAYS, 7)
    common = {"round": 1, "accuracy": 100 / 3, "seconds": 0.125}
    expected = [
        {"phase": "rounds", "epoch": 1, "loss": 1.0, "test_loss": 2.0, "validation_loss": None, **common},
        {"phase": "search", "epoch": 2, "loss": 0.5, "test_loss": 1.0, "validation_loss": 0.5, **common},
    ]
    assert run.metrics() == expected
    assert [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()] == expected


def test_a_line_whose_checkpoint_was_never_written_is_not_read(run, monkeypatch):
    save_epochs(run, 1)
    monkeypatch.setattr(runs, "write_npz", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_epochs(run, 2)
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 2
    assert [line["epoch"] for line in run.metrics()] == [1]


@pytest.mark.parametrize("rest", ['{"epoch": 99}\n', '{"epoch": 9', "\n\n\n" + 999 * "x"])
def test_a_line_whose_checkpoint_was_never_written_is_dropped_by_the_next_one(run, rest):
    save_epochs(run, 1)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(rest)
    save_epochs(run, 2)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_a_line_without_any_checkpoint_is_dropped_by_the_next_one(run):
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\n')
    assert run.metrics() == []
    save_epochs(run, 2)
    assert [line["epoch"] for line in run.metrics()] == [2]


def test_metrics_that_were_taken_away_begin_anew(run):
    save_epochs(run, 1)
    (run.path / "metrics.jsonl").unlink()
    assert run.metrics() == []
    save_epochs(run, 2)
    assert [line["epoch"] for line in run.metrics()] == [2]


def test_damaged_metrics_are_a_one_line_error(run):
    save_epochs(run, 1)
    path = run.path / "metrics.jsonl"
    path.write_bytes(b"?" + path.read_bytes()[1:])
    one_line_error(RunError, run.metrics, path)
