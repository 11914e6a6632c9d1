"""The lottery-ticket experiment (section 4 of the paper): train, mask, rewind, re-train, stop.

A protocol is one or two passes over the rounds, and says of each how a round gets its masks, where its training starts,
and what happens to the optimizer. What else is asked about protocols follows from these values, and is answered here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from quatnet.streams import Phase

if TYPE_CHECKING:  # at run time the settings and the experiment stand on this file
    from quatnet.experiment import Experiment
    from quatnet.pruning.masks import Masks
    from quatnet.runs import RoundResult
    from quatnet.settings import PruneSettings, TrainSettings


class Start(Enum):
    """The weights that a training starts from: the initial (or those of a later epoch), the present, or new ones."""

    INITIAL = "initial"
    PRESENT = "present"
    NEW = "new"


@dataclass(frozen=True)
class Pass:
    """One training of every round.

    Attributes
    ----------
    phase : whether its trainings are reported, or only search for masks.
    start : the weights that each starts from.
    fresh_optimizer : whether each starts without moments, or with those that the training before left.
    searched : whether the masks are those that the pass before has searched; else each round prunes further.
    """

    phase: Phase
    start: Start
    fresh_optimizer: bool
    searched: bool = False

    def rounds(self, settings: PruneSettings, last: int) -> Sequence[int]:
        """Return the rounds to train, of `last` at most."""
        return settings.retrained(last) if self.phase is Phase.ROUNDS else range(1, last + 1)

    def resets_optimizer(self, settings: PruneSettings) -> bool:
        """Say whether every training has a fresh optimizer, by the protocol or by the settings."""
        return self.fresh_optimizer or (settings.fresh_optimizer and self.phase is Phase.ROUNDS)

    def begin(self, experiment: Experiment, round: int, settings: PruneSettings) -> None:
        """Bring weights and optimizer to where the training of a round starts; the masks are there."""
        if self.start is Start.INITIAL:
            experiment.rewind(settings.rewind_epoch)
        elif self.start is Start.NEW:
            experiment.reinitialize(round)
        if self.resets_optimizer(settings):
            experiment.optimizer.reset()


@dataclass(frozen=True)
class Protocol:
    """The passes of an experiment, in order; the last one is reported."""

    passes: tuple[Pass, ...]

    @property
    def searches_first(self) -> bool:
        """Whether all masks are searched before any is re-trained."""
        return len(self.passes) > 1

    @property
    def rewinds(self) -> bool:
        """Whether each round is pruned and rewound at once, so that it may rewind to a later epoch."""
        return not self.searches_first and self.passes[0].start is Start.INITIAL

    @property
    def keeps_optimizer(self) -> bool:
        """Whether the optimizer's state goes on from one reported training to the next."""
        return not self.passes[-1].fresh_optimizer


IMP = Protocol((Pass(Phase.ROUNDS, Start.INITIAL, fresh_optimizer=True),))
"""Iterative magnitude pruning with rewinding (Frankle and Carbin 2019; to a later epoch: Frankle et al. 2020)."""

PAPER = Protocol(
    (
        Pass(Phase.SEARCH, Start.PRESENT, fresh_optimizer=False),
        Pass(Phase.ROUNDS, Start.INITIAL, fresh_optimizer=False, searched=True),
    )
)
"""What the paper's code did: all masks by prune-and-continue, then re-train them; one Adam state through all of it."""

FINETUNE = Protocol((Pass(Phase.ROUNDS, Start.PRESENT, fresh_optimizer=True),))
"""Prune and train on (Han et al. 2015)."""

REINIT = Protocol(
    (
        Pass(Phase.SEARCH, Start.INITIAL, fresh_optimizer=True),
        Pass(Phase.ROUNDS, Start.NEW, fresh_optimizer=True, searched=True),
    )
)
"""The masks of `imp` with new random weights: the control of Frankle and Carbin 2019."""

PROTOCOLS = {"imp": IMP, "paper": PAPER, "finetune": FINETUNE, "reinit": REINIT}


def train_dense(experiment: Experiment) -> None:
    """Round 0: train the dense network from its initial weights."""
    with experiment.run.locked():
        _train_dense(experiment)


def prune(experiment: Experiment, settings: PruneSettings) -> int:
    """Train round 0, if that is still to be done, then prune round by round; return the last round.

    What the run folder has, whole or begun, is loaded instead of done again. The run keeps the settings: a UsageError
    if it was pruned with others before, or another process works on it.
    """
    with experiment.run.locked():
        experiment.run.set_prune_settings(settings)
        _train_dense(experiment)
        last = settings.rounds
        for part in PROTOCOLS[settings.protocol].passes:
            for k in part.rounds(settings, last):
                if not experiment.resume(k, part.phase):
                    if part.searched:
                        experiment.take_masks(k)
                    else:
                        experiment.mask(k, settings)
                    part.begin(experiment, k, settings)
                experiment.train(k, part.phase)
                if stops(experiment.run.results(part.phase), k, settings.stop_below):
                    last = k
                    break
        return last


def train_alone(experiment: Experiment, round: int, masks: Masks, settings: PruneSettings | None) -> None:
    """Train a round that `stands_alone`, with these masks; without the rounds before it."""
    with experiment.run.locked():
        if settings is not None:
            experiment.run.set_prune_settings(settings)
        if not experiment.resume(round):
            masks.apply(experiment.network.parameters)
            if round and settings is not None:
                PROTOCOLS[settings.protocol].passes[-1].begin(experiment, round, settings)
            else:
                _begin_dense(experiment)
        experiment.train(round)


def _train_dense(experiment: Experiment) -> None:
    if not experiment.resume(0):
        _begin_dense(experiment)
    experiment.train(0)


def _begin_dense(experiment: Experiment) -> None:
    experiment.rewind()
    experiment.optimizer.reset()


def stops(results: Sequence[RoundResult], round: int, stop_below: float) -> bool:
    """Say whether a pass with these results ends with a round: it and the one before are below an accuracy."""
    accuracies = [result.accuracy for result in results if result.round in (round - 1, round)]
    return len(accuracies) == 2 and max(accuracies) < stop_below


def is_finished(
    settings: PruneSettings | None, results: Sequence[RoundResult], searched: Sequence[RoundResult]
) -> bool:
    """Say whether there is nothing left to do, from the results of the reported trainings and of the search."""
    if not results or settings is None:
        return bool(results)
    last = settings.rounds
    for part in PROTOCOLS[settings.protocol].passes:
        done = results if part.phase is Phase.ROUNDS else searched
        for k in part.rounds(settings, last):
            if all(result.round != k for result in done):
                return False
            if stops(done, k, settings.stop_below):
                last = k
                break
    return True


def epochs(train: TrainSettings, settings: PruneSettings | None) -> int:
    """Return the epochs of a whole run that does not stop early."""
    if settings is None:
        return train.epochs
    passes = PROTOCOLS[settings.protocol].passes
    each = {Phase.ROUNDS: train.epochs, Phase.SEARCH: settings.epochs_of_search(train)}
    return train.epochs + sum(each[part.phase] * len(part.rounds(settings, settings.rounds)) for part in passes)


def stands_alone(settings: PruneSettings | None, round: int) -> bool:
    """Say whether a round begins with values that can be drawn again and a fresh optimizer, given its masks."""
    if round == 0 or settings is None:
        return round == 0
    reported = PROTOCOLS[settings.protocol].passes[-1]
    return reported.start is not Start.PRESENT and reported.resets_optimizer(settings)
