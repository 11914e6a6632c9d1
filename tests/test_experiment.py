"""From settings, or a run folder, to a bench; and the networks of finished rounds."""

import functools
import os

import numpy as np
import pytest

from quatnet.errors import DataError, UsageError
from quatnet.experiment import finished_round, network_for, reopen, start, trained_network
from quatnet.pruning.protocols import prune, train_dense
from quatnet.runs import Run, run_name
from quatnet.streams import Phase, Position
from quatnet.training import evaluate
from tests import small
from tests.runs.made import one_line_error
from tests.small import build


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def settings(tmp_path):
    return small.train_settings(small.write(tmp_path / "small.npz"))


@pytest.fixture
def pruned(tmp_path, settings):
    """A run with two finished rounds of pruning."""
    return small.experiment(tmp_path / "runs", settings, small.prune_settings())


def test_a_new_run_is_made_under_the_name_of_its_settings(tmp_path, settings):
    pruning = small.prune_settings()
    run = start(tmp_path, settings, pruning).run
    assert run.path == tmp_path / run_name(settings, pruning)
    assert run.train_settings == settings


def test_a_run_keeps_the_settings_it_is_pruned_with(pruned):
    assert Run(pruned.path).prune_settings == small.prune_settings()


def test_a_run_that_was_pruned_with_other_settings_is_an_error_that_names_them(pruned):
    call = functools.partial(prune, reopen(pruned), small.prune_settings(amount=0.5))
    one_line_error(UsageError, call, pruned.path, "amount 0.2 there, 0.5 given")


@pytest.mark.parametrize("init", ["paper", "he"])
def test_a_new_run_has_the_initial_weights_of_its_seed(tmp_path, settings, init):
    given = small.train_settings(settings.dataset, init=init, seed=5)
    expected = build("lenet-12", quaternion=True, input_shape=(4, 4, 1), classes=3, seed=5, init=init)
    initial = start(tmp_path, given).run.initial()
    assert list(initial) == list(expected.parameters)
    for name, parameter in expected.parameters.items():
        np.testing.assert_array_equal(initial[name], parameter.value)


def test_the_same_settings_open_the_same_run(tmp_path, settings):
    first = start(tmp_path, settings)
    train_dense(first)
    again = start(tmp_path, settings)
    assert again.run.path == first.run.path
    assert again.run.results() == first.run.results()


def test_other_settings_in_the_folder_of_that_name_are_an_error_that_names_them(tmp_path, settings):
    path = start(tmp_path, settings).run.path
    config = (path / "config.json").read_text()
    (path / "config.json").write_text(config.replace('"batch_size": 20', '"batch_size": 30'))
    one_line_error(UsageError, lambda: start(tmp_path, settings), path, "batch-size 30 there, 20 given")


@pytest.mark.parametrize("open_again", ["start", "reopen"])
def test_data_that_have_changed_are_an_error(tmp_path, settings, open_again):
    run = start(tmp_path, settings).run
    small.write(tmp_path / "small.npz", seed=1)
    calls = {"start": lambda: start(tmp_path, settings), "reopen": lambda: reopen(run)}
    one_line_error(DataError, calls[open_again], run.path, settings.dataset, "(60 + 25 images then, 60 + 25 now)")


def test_data_that_are_gone_are_an_error(tmp_path, settings):
    run = start(tmp_path, settings).run
    (tmp_path / "small.npz").unlink()
    one_line_error(DataError, lambda: reopen(run), settings.dataset)


def test_a_dense_run_that_is_reopened_can_be_pruned(tmp_path, settings):
    dense = start(tmp_path, settings)
    train_dense(dense)
    pruning = small.prune_settings(amount=0.5)
    experiment = reopen(Run(dense.run.path))
    assert prune(experiment, pruning) == 2
    assert [result.kept_weights for result in experiment.run.results()] == [84, 42, 21]


@pytest.mark.parametrize("how", ["start", "reopen"])
@pytest.mark.parametrize("epoch", [2, 3])
def test_a_rewind_beyond_the_last_epoch_is_an_error(tmp_path, settings, how, epoch):
    run = start(tmp_path, settings).run
    pruning = small.prune_settings(rewind_epoch=epoch)
    call = {"start": lambda: start(tmp_path, settings, pruning), "reopen": lambda: prune(reopen(run), pruning)}[how]
    one_line_error(UsageError, call, f"rewind_epoch: {epoch} given; less than the 2 ")


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_network_of_a_round_has_its_weights_and_masks(pruned, k):
    network = trained_network(pruned, k)
    weights, masks = pruned.load_round(Position(Phase.ROUNDS, k))
    for name, parameter in network.parameters.items():
        np.testing.assert_array_equal(parameter.value, weights[name])
    assert network.parameters.count_kept() == masks.count() == [84, 67, 54][k]


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_network_of_a_round_has_its_accuracy(pruned, k):
    arrays = small.arrays()
    accuracy = evaluate(trained_network(pruned, k), pruned.data, arrays["x_test"], arrays["y_test"])[1]
    assert accuracy == pruned.results()[k].accuracy


def test_a_network_of_some_settings_has_their_algebra_and_dtype(pruned, settings):
    given = small.train_settings(settings.dataset, quaternion=False, dtype="float64")
    parameters = network_for(given, pruned.data).parameters
    assert parameters["fc1.weight"].shape == (16, 12)
    assert parameters.dtype == np.float64


def test_the_last_round_is_taken_unless_one_is_given(pruned):
    assert finished_round(pruned, None).round == 2
    assert finished_round(pruned, 1).round == 1


def test_a_round_that_is_not_there_is_an_error_that_names_those_that_are(pruned):
    one_line_error(UsageError, lambda: finished_round(pruned, 3), "round: 3 given;", "has the rounds 0 to 2")


def test_a_run_without_a_finished_round_is_an_error(tmp_path, settings):
    run = start(tmp_path, settings).run
    one_line_error(UsageError, lambda: finished_round(run, None), run.path, "has no finished round yet")
