"""Pruning to a goal: until the ticket fits a number of bytes, or as far as an accuracy allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from quatnet.deploy import ticket
from quatnet.deploy.model import Description, Model
from quatnet.errors import UsageError
from quatnet.experiment import Experiment
from quatnet.pruning import protocols
from quatnet.runs import RoundResult
from quatnet.settings import PruneSettings

MOST_ROUNDS = 100
"""After so many rounds of 20 % not one of a billion weights is left."""


@dataclass(frozen=True)
class Goal:
    """What a pruned network is to meet.

    Attributes
    ----------
    budget : most bytes that its ticket may have, or None.
    accuracy : least test accuracy in percent, or None.
    values : how the ticket stores weights: float32, float16 or int8. Accuracies are those of float32.

    Raises
    ------
    UsageError
        If neither is given, or the budget is not positive, or the accuracy not in [0, 100].
    """

    budget: int | None = None
    accuracy: float | None = None
    values: str = "float32"

    def __post_init__(self) -> None:
        if self.budget is None and self.accuracy is None:
            raise UsageError("--budget or --target-accuracy is needed")
        if self.budget is not None and self.budget < 1:
            raise UsageError(f"--budget: {self.budget} given; a positive number of bytes is needed")
        if self.accuracy is not None and not 0 <= self.accuracy <= 100:
            raise UsageError(f"--target-accuracy: {self.accuracy:g} given; 0 to 100 is needed")

    def is_met(self, trial: Trial) -> bool:
        """Say whether a round meets all of the goal."""
        return self._fits(trial) and self._is_accurate(trial)

    def is_decided(self, trials: list[Trial]) -> bool:
        """Say whether further rounds are of no use: it fits, or two successive rounds are not accurate enough."""
        return (self.budget is not None and self._fits(trials[-1])) or (
            len(trials) > 1 and not any(map(self._is_accurate, trials[-2:]))
        )

    def _fits(self, trial: Trial) -> bool:
        return self.budget is None or trial.bytes <= self.budget

    def _is_accurate(self, trial: Trial) -> bool:
        return self.accuracy is None or trial.result.accuracy >= self.accuracy


@dataclass(frozen=True)
class Trial:
    """A finished round and the bytes of its ticket."""

    result: RoundResult
    bytes: int


def prune_until(
    experiment: Experiment, settings: PruneSettings, goal: Goal, tried: Callable[[Trial], None] = lambda trial: None
) -> tuple[list[Trial], Trial | None]:
    """Prune round by round, up to `settings.rounds`, until the goal is decided; return all rounds, and the one to take.

    That is the smallest that meets the goal, None if none does. `tried` follows every round.

    Raises
    ------
    UsageError
        If the protocol searches all masks before it re-trains any, or the network without weights is above the budget.
    """
    if settings.two_phases:
        raise UsageError(
            f"--budget, --target-accuracy: --protocol {settings.protocol} given, which searches all masks first; "
            "allowed are imp, finetune"
        )
    _check_possible(experiment, goal)
    trials: list[Trial] = []
    for rounds in range(settings.rounds + 1):
        if rounds:
            last = protocols.prune(experiment, replace(settings, rounds=rounds))
        else:
            protocols.train_dense(experiment)
            last = 0
        if last < rounds:  # collapsed
            break
        trials.append(_trial(experiment, rounds, goal))
        tried(trials[-1])
        if goal.is_decided(trials) or _removed_nothing(trials):
            break
    met = [trial for trial in trials if goal.is_met(trial)]
    return trials, min(met, key=lambda trial: trial.bytes, default=None)


def _removed_nothing(trials: list[Trial]) -> bool:
    """Say whether the last round has the weights of the one before: no channel can go any more."""
    return len(trials) > 1 and trials[-1].result.kept_weights == trials[-2].result.kept_weights


def _trial(experiment: Experiment, round: int, goal: Goal) -> Trial:
    (result,) = (result for result in experiment.run.results() if result.round == round)
    return Trial(result, ticket.size(Model.of(experiment.run, round), goal.values))


def _check_possible(experiment: Experiment, goal: Goal) -> None:
    """Raise a UsageError if not even the biases fit."""
    if goal.budget is None:
        return
    empty = Description.of(experiment.run).build()
    empty.parameters.set_mask(~empty.parameters.prunable)
    least = ticket.size(Model(Description.of(experiment.run), empty), goal.values)
    if least > goal.budget:
        raise UsageError(f"--budget: {goal.budget:,} bytes given; the ticket has {least:,} even without weights")
