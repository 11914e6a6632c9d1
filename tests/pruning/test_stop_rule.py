"""When pruning stops: after two successive rounds below an accuracy. All trainings are scripted."""

import pytest

from quatnet.experiment import start
from quatnet.pruning.protocols import prune
from quatnet.settings import PruneSettings
from tests import small

NEVER = [90, 90, 90, 90, 90]


@pytest.fixture
def last_round(tmp_path, small_set, script_accuracies):
    """The last round of an experiment of four rounds with these accuracies, and the trainings done."""

    def do(rounds=NEVER, search=NEVER, **pruning):
        seen = script_accuracies({"rounds": rounds, "search": search})
        settings = PruneSettings(**{"rounds": 4, **pruning})
        experiment = start(tmp_path, small.train_settings(small_set), settings)
        return prune(experiment, settings), [f"{phase} {k}" for phase, k in seen]

    return do


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
@pytest.mark.parametrize(
    ("accuracies", "last"),
    [
        ([90, 80, 70, 60, 50], 4),
        ([90, 80, 20, 20, 90], 3),
        ([90, 20, 20, 90, 90], 2),
        ([20, 20, 90, 90, 90], 1),
        ([90, 20, 80, 20, 80], 4),
        ([90, 20, 30, 20, 30], 4),
        ([90, 29.99, 29.99, 90, 90], 2),
        ([20, 90, 90, 90, 20], 4),
    ],
)
def test_pruning_stops_after_two_successive_rounds_below_thirty_percent(last_round, protocol, accuracies, last):
    found, seen = last_round(accuracies, protocol=protocol)
    assert found == last
    assert [where for where in seen if where.startswith("rounds")] == [f"rounds {k}" for k in range(last + 1)]


@pytest.mark.parametrize(("stop_below", "last"), [(0, 4), (10, 4), (50, 2), (99.9, 1)])
def test_the_accuracy_at_which_to_stop_can_be_set(last_round, stop_below, last):
    assert last_round([60, 40, 40, 5, 5], stop_below=stop_below)[0] == last


def test_zero_never_stops_even_when_nothing_is_right(last_round):
    assert last_round([0, 0, 0, 0, 0], stop_below=0)[0] == 4


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_the_search_stops_as_well_and_only_masks_that_were_found_are_retrained(last_round, protocol):
    found, seen = last_round(search=[None, 90, 20, 20, 90], protocol=protocol)
    assert found == 3
    assert seen == ["rounds 0", *(f"search {k}" for k in (1, 2, 3)), *(f"rounds {k}" for k in (1, 2, 3))]


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_the_dense_round_is_no_part_of_the_search(last_round, protocol):
    assert last_round([20, 90, 90, 90, 90], search=[None, 20, 90, 90, 90], protocol=protocol)[0] == 4


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
def test_an_experiment_that_has_stopped_stays_stopped(last_round, protocol):
    accuracies = [90, 80, 20, 20, 90]
    assert last_round(accuracies, accuracies, protocol=protocol)[0] == 3
    assert last_round(accuracies, accuracies, protocol=protocol) == (3, [])
