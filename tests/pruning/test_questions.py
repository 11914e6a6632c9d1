"""What follows from a protocol: how long a run is, whether it is finished, and which rounds stand alone."""

import pytest

from quatnet.pruning.protocols import PROTOCOLS, epochs, is_finished, stands_alone
from quatnet.runs import RoundResult
from quatnet.settings import PruneSettings, TrainSettings


@pytest.mark.parametrize(
    ("protocol", "searches_first"), [("imp", False), ("paper", True), ("finetune", False), ("reinit", True)]
)
def test_the_search_of_paper_and_reinit_comes_first(protocol, searches_first):
    assert PROTOCOLS[protocol].searches_first == searches_first


@pytest.mark.parametrize(
    ("prune", "expected"),
    [
        (None, 3),
        (PruneSettings(rounds=7), 3 * 8),
        (PruneSettings(rounds=7, protocol="finetune"), 3 * 8),
        (PruneSettings(rounds=7, protocol="paper"), 3 * 15),
        (PruneSettings(rounds=7, protocol="reinit"), 3 * 15),
        (PruneSettings(rounds=7, protocol="paper", retrain_rounds=(6, 7)), 3 * 10),
        (PruneSettings(rounds=7, protocol="reinit", search_epochs=2), 3 * 8 + 2 * 7),
    ],
)
def test_a_network_is_trained_once_and_then_in_every_round_of_every_phase(prune, expected):
    assert epochs(TrainSettings.for_architecture("lenet-12", True, epochs=3), prune) == expected


def results(*accuracies, first):
    return [RoundResult(k, 50.0, 10, accuracy, 1, 0.5, 0.5) for k, accuracy in enumerate(accuracies, start=first)]


@pytest.mark.parametrize(
    ("searched", "reported", "finished"),
    [
        ((60, 40), (90, 90, 90), False),
        ((40, 40), (90, 90), False),
        ((40, 40), (90, 90, 90), True),
        ((40, 60, 40, 40), (90, 90, 90), False),
        ((60, 60, 60, 60, 60), (90, 40, 40), True),
    ],
)
def test_where_the_search_for_masks_stopped_early_no_more_rounds_are_wanted(searched, reported, finished):
    settings = PruneSettings(rounds=5, protocol="paper", stop_below=50)
    assert is_finished(settings, results(*reported, first=0), results(*searched, first=1)) is finished


@pytest.mark.parametrize(
    ("searched", "retrained", "finished"),
    [((90, 80, 70), (), False), ((90, 80, 70), (2,), False), ((90, 80, 70), (2, 3), True), ((20,), (), False),
     ((20, 20), (2,), True), ((20, 20), (), False)],
)  # fmt: skip
def test_of_chosen_rounds_those_that_the_search_has_reached_finish_a_run(searched, retrained, finished):
    settings = PruneSettings(rounds=3, protocol="paper", stop_below=50, retrain_rounds=(2, 3))
    reported = results(90, first=0) + [result for k in retrained for result in results(80, first=k)]
    assert is_finished(settings, reported, results(*searched, first=1)) is finished


@pytest.mark.parametrize("protocol", ["imp", "finetune"])
def test_a_run_of_one_pass_is_finished_with_its_last_round_or_two_below_the_accuracy(protocol):
    settings = PruneSettings(rounds=3, protocol=protocol, stop_below=50)
    reported = [(), (90,), (90, 80, 70), (90, 80, 70, 60), (90, 40, 40), (40, 40), (90, 40, 60)]
    finished = [is_finished(settings, results(*accuracies, first=0), ()) for accuracies in reported]
    assert finished == [False, False, False, True, True, True, False]


def test_a_run_that_is_not_pruned_is_finished_with_round_0():
    assert [is_finished(None, results(*accuracies, first=0), ()) for accuracies in ((), (90,))] == [False, True]


@pytest.mark.parametrize(
    ("settings", "alone"),
    [
        (None, [True, False]),
        (PruneSettings(), [True, True]),
        (PruneSettings(rewind_epoch=1), [True, True]),
        (PruneSettings(protocol="reinit"), [True, True]),
        (PruneSettings(protocol="finetune"), [True, False]),
        (PruneSettings(protocol="paper"), [True, False]),
        (PruneSettings(protocol="paper", fresh_optimizer=True), [True, True]),
    ],
)
def test_a_round_that_needs_nothing_of_the_rounds_before_but_its_masks_stands_alone(settings, alone):
    assert [stands_alone(settings, round) for round in (0, 1)] == alone
