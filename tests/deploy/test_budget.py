"""Pruning to a goal, judged by the files that an export would write."""

import pytest

from quatnet.deploy import ticket
from quatnet.deploy.budget import Goal, Trial, prune_until
from quatnet.deploy.model import Model
from quatnet.errors import UsageError
from quatnet.experiment import start
from quatnet.runs import RoundResult
from tests import small


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("data") / "small.npz")


@pytest.fixture
def experiment(data, tmp_path):
    return start(tmp_path, small.train_settings(data), small.prune_settings())


def trial(accuracy, size=100):
    return Trial(RoundResult(0, 50.0, 10, accuracy, 1, 0.1, 0.1), size)


def tickets(run):
    return [ticket.size(Model.of(run, result.round)) for result in run.results()]


def test_it_stops_at_the_first_round_whose_ticket_fits(experiment):
    settings = small.prune_settings(rounds=30)
    tried = []
    trials, met = prune_until(experiment, settings, Goal(budget=300), tried.append)
    assert [t.bytes for t in trials] == [t.bytes for t in tried] == tickets(experiment.run)
    assert met is trials[-1]
    assert met.bytes <= 300 < trials[-2].bytes
    assert met.result == experiment.run.results()[-1]


def test_a_goal_that_a_finished_round_meets_needs_no_training(experiment, data, tmp_path):
    settings = small.prune_settings(rounds=6)
    trials, _ = prune_until(experiment, settings, Goal(accuracy=0))
    assert len(trials) == 7
    again = start(tmp_path, small.train_settings(data), settings)
    epochs = len(experiment.run.metrics())
    budget = trials[2].bytes
    found, met = prune_until(again, settings, Goal(budget=budget))
    assert (met, len(found)) == (trials[2], 3)
    assert len(again.run.metrics()) == epochs


def test_int8_tickets_fit_earlier(experiment):
    settings = small.prune_settings(rounds=30)
    _, small_values = prune_until(experiment, settings, Goal(budget=180, values="int8"))
    _, met = prune_until(experiment, settings, Goal(budget=180))
    assert small_values.result.round < met.result.round


def test_without_a_budget_the_smallest_accurate_round_is_taken(experiment):
    trials, met = prune_until(experiment, small.prune_settings(rounds=3), Goal(accuracy=0))
    assert met is trials[-1]
    assert len(trials) == 4


def test_an_accuracy_that_no_round_has_ends_after_two(experiment):
    trials, met = prune_until(experiment, small.prune_settings(rounds=30), Goal(accuracy=100))
    assert met is None
    assert max(t.result.accuracy for t in trials) < 100
    assert len(trials) < 30


def test_one_round_below_the_accuracy_is_forgiven_and_two_are_not():
    goal = Goal(accuracy=90)
    assert not goal.is_decided([trial(95), trial(89)])
    assert not goal.is_decided([trial(95), trial(89), trial(91)])
    assert goal.is_decided([trial(95), trial(89), trial(88)])


def test_both_goals_must_be_met():
    goal = Goal(budget=100, accuracy=90)
    assert [goal.is_met(t) for t in (trial(90, 100), trial(89, 100), trial(90, 101))] == [True, False, False]
    assert goal.is_decided([trial(50, 100)])


def test_when_no_channel_can_go_any_more_it_ends(experiment):
    trials, met = prune_until(experiment, small.prune_settings(rounds=30, unit="channel", amount=0.5), Goal(budget=120))
    assert met is None
    kept = [t.result.kept_weights for t in trials]
    assert kept[-1] == kept[-2] < kept[-3]
    assert len(kept) < 10


def test_a_budget_below_the_biases_is_refused_before_any_training(experiment):
    with pytest.raises(UsageError, match=r"--budget: 50 bytes given; the ticket has \d+ even without weights"):
        prune_until(experiment, small.prune_settings(), Goal(budget=50))
    assert not experiment.run.metrics()


def test_protocols_that_search_first_are_refused(experiment):
    with pytest.raises(UsageError, match="--protocol paper given, which searches all masks first"):
        prune_until(experiment, small.prune_settings(protocol="paper"), Goal(budget=300))


@pytest.mark.parametrize(
    ("goal", "said"),
    [({}, "--budget or"), ({"budget": 0}, "--budget: 0"), ({"accuracy": 101.0}, "--target-accuracy: 101 given")],
)
def test_goals_that_are_none_are_refused(goal, said):
    with pytest.raises(UsageError, match=said):
        Goal(**goal)
