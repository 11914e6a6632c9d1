"""Settings that fit a run, and settings that do not."""

from dataclasses import replace
from pathlib import Path

import pytest

from quatnet.errors import DataError, UsageError
from quatnet.runs import Run, check_same_settings
from quatnet.settings import PruneSettings
from tests.runs.made import DATA, SETTINGS, one_line_error


def test_pruning_settings_are_kept_in_the_folder(run):
    run.set_prune_settings(PruneSettings(rounds=5))
    assert Run(run.path).prune_settings == PruneSettings(rounds=5)


def test_other_pruning_settings_are_an_error_that_names_them(run):
    run.set_prune_settings(PruneSettings(amount=0.5, criterion="random"))
    message = one_line_error(UsageError, lambda: run.set_prune_settings(PruneSettings()), run.path)
    assert message.endswith("amount 0.5 there, 0.2 given, criterion random there, global given")
    assert Run(run.path).prune_settings.amount == 0.5


@pytest.mark.parametrize("protocol", ["imp", "finetune"])
def test_the_number_of_rounds_may_grow_where_more_rounds_continue_fewer(run, protocol):
    for rounds in (5, 7, 6):
        run.set_prune_settings(PruneSettings(rounds=rounds, protocol=protocol))
    assert Run(run.path).prune_settings.rounds == 7


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_the_number_of_rounds_is_fixed_where_all_masks_are_searched_first(run, protocol):
    run.set_prune_settings(PruneSettings(rounds=5, protocol=protocol))
    more = PruneSettings(rounds=7, protocol=protocol)
    one_line_error(UsageError, lambda: run.set_prune_settings(more), "rounds 5 there, 7 given")


def test_only_settings_that_differ_are_named():
    old, new = {"a": 1, "batch_size": 20, "c": 3}, {"a": 1, "batch_size": 30, "c": 3}
    message = one_line_error(UsageError, lambda: check_same_settings(Path("run"), old, new))
    assert message == "run was made with other settings: batch-size 20 there, 30 given"


def test_rewinding_to_an_epoch_does_not_go_with_early_stopping(run):
    early = replace(run.train_settings, epochs=9, patience=2, validation_size=9)
    one_line_error(UsageError, lambda: PruneSettings(rewind_epoch=3).check_training(early), "with patience")


def test_a_run_of_the_same_data_goes_on(run):
    run.check_data(replace(DATA))


def test_a_run_of_other_data_is_an_error(run):
    other = replace(DATA, fingerprint="f" * 16, train_images=1234)
    message = one_line_error(DataError, lambda: run.check_data(other), run.path, SETTINGS.dataset)
    assert message.endswith("(60 + 25 images then, 1,234 + 25 now)")
