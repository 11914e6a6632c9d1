"""Rewinding to a later epoch: the weights of that epoch of round 0 are in the run folder, once and for all."""

import os
import shutil

import numpy as np
import pytest

from quatnet import experiment as experiment_module
from quatnet.api import reopen, start
from quatnet.errors import RunError
from quatnet.experiment import DENSE, Listener
from quatnet.pruning.protocols import prune, train_dense
from quatnet.runs import Run
from tests import small
from tests.folders import content

PRUNING = small.prune_settings(rewind_epoch=2)


@pytest.fixture
def settings(small_set):
    return small.train_settings(small_set, epochs=4)


@pytest.fixture
def expected(tmp_path, small_set):
    """The weights of a network that was trained for two epochs only."""
    shorter = start(tmp_path / "shorter", small.train_settings(small_set, epochs=2))
    train_dense(shorter)
    return shorter.run.load_round(DENSE)[0]


@pytest.fixture
def dense(tmp_path, settings):
    """A run that was trained before anybody thought of pruning it."""
    trained = start(tmp_path / "dense", settings)
    train_dense(trained)
    return trained.run


@pytest.fixture
def no_more_epochs(monkeypatch):
    """Let nobody train the first epochs of round 0 once more."""
    return lambda: monkeypatch.setattr(experiment_module, "train_epoch", None)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_round_0_writes_the_weights_when_it_passes_the_epoch(tmp_path, settings, expected, no_more_epochs):
    no_more_epochs()
    run = small.experiment(tmp_path, settings, PRUNING)
    assert_same(run.load_rewind_point(2), expected)
    assert [path.name for path in (run.path / "rewind").iterdir()] == ["02"]


def test_they_are_there_before_the_epoch_is_reported(tmp_path, settings):
    there = []
    experiment = start(tmp_path, settings, PRUNING)
    experiment.listener = Listener(epoch=lambda *_: there.append(experiment.run.load_rewind_point(2) is not None))
    prune(experiment, PRUNING)
    assert there[:4] == [False, True, True, True]


def test_a_run_that_does_not_rewind_to_a_later_epoch_has_none(tmp_path, settings):
    run = small.experiment(tmp_path, settings, small.prune_settings())
    assert not (run.path / "rewind").exists()
    assert run.load_rewind_point(2) is None


def test_the_first_epochs_of_a_run_that_was_trained_before_are_trained_once_more(dense, expected):
    prune(reopen(dense), PRUNING)
    assert_same(dense.load_rewind_point(2), expected)


def test_they_are_trained_only_once(dense, no_more_epochs):
    prune(reopen(dense), small.prune_settings(rewind_epoch=2, rounds=1))
    no_more_epochs()
    prune(reopen(Run(dense.path)), small.prune_settings(rewind_epoch=2, rounds=2))
    assert [result.round for result in dense.results()] == [0, 1, 2]


def test_it_makes_no_difference_to_the_rounds_when_the_weights_were_written(tmp_path, settings, dense):
    prune(reopen(dense), PRUNING)
    through = small.experiment(tmp_path / "through", settings, PRUNING)
    first, second = (content(path) for path in (dense.path, through.path))
    assert first == second


def test_training_them_once_more_leaves_masks_and_optimizer_alone(dense):
    experiment = reopen(dense)
    experiment.resume(0)
    experiment.mask(1, PRUNING)
    mask = experiment.network.parameters.mask.copy()
    moments, steps = experiment.optimizer.state(), experiment.optimizer.steps
    assert steps == 4 * 3
    experiment.rewind(2)
    np.testing.assert_array_equal(experiment.network.parameters.mask, mask)
    assert_same(experiment.optimizer.state(), moments)
    assert experiment.optimizer.steps == steps


def test_a_kill_at_any_moment_makes_no_difference(tmp_path, dense, monkeypatch):
    copies, replace = tmp_path / "copies", os.replace

    def copying(old, new):
        shutil.copytree(dense.path, copies / f"{len(list(copies.iterdir()))}")
        replace(old, new)

    copies.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", copying)
        prune(reopen(dense), PRUNING)
    for folder in copies.iterdir():
        prune(reopen(Run(folder)), PRUNING)
        assert content(folder) == content(dense.path), folder.name


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")])
def test_weights_that_are_not_those_that_were_written_are_a_one_line_error(tmp_path, settings, damage):
    run = small.experiment(tmp_path, settings, small.prune_settings(rewind_epoch=2, rounds=1))
    path = run.path / "rewind" / "02" / "weights.npz"
    damage(path)
    with pytest.raises(RunError, match=r"^[^\n]*weights\.npz is (missing|damaged)[^\n]*$") as caught:
        prune(reopen(run), PRUNING)
    assert str(path) in str(caught.value)
