"""The experiment of section 4 as a function per protocol: train, mask, rewind, re-train, stop.

`lab.resume(k)` says whether round k exists, whole or begun, and loads it; `lab.train(k)` trains it to the end. So a
protocol's steps are done once, however often the experiment is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable

from quatnet.pruning.lab import Lab
from quatnet.settings import PruneSettings
from quatnet.streams import Phase


def train_dense(lab: Lab) -> None:
    """Round 0: train the dense network from its initial weights."""
    with lab.run.locked():
        _round_0(lab)


def prune(lab: Lab, settings: PruneSettings) -> int:
    """Train round 0, if that is still to be done, then prune round by round; return the last round.

    The run keeps the settings. A UsageError if it was pruned with others before, or another process works on it.
    """
    with lab.run.locked():
        lab.run.set_prune_settings(settings)
        _round_0(lab)
        return PROTOCOLS[settings.protocol](lab, settings)


def _round_0(lab: Lab) -> None:
    lab.resume(0)
    lab.train(0)


def imp(lab: Lab, settings: PruneSettings, phase: Phase = Phase.ROUNDS) -> int:
    """Prune by magnitude and rewind (Frankle and Carbin 2019; to a later epoch: Frankle et al. 2020).

    The smallest of the trained weights go; those left return to their initial values and are trained anew. Returns the
    last round.
    """
    for k in range(1, settings.rounds + 1):
        if not lab.resume(k, phase):
            lab.mask(k, settings)
            lab.rewind(settings.rewind_epoch)
            lab.optimizer.reset()
        lab.train(k, phase, first_epoch=settings.rewind_epoch)
        if lab.collapsed(k, settings, phase):
            return k
    return settings.rounds


def paper(lab: Lab, settings: PruneSettings) -> int:
    """Do what the paper's code did: first all masks, by prune-and-continue; then re-train them, or the chosen ones.

    One Adam state goes through all of it and is never reset, unless `fresh_optimizer` resets it before every
    re-training.
    """
    searched = _prune_and_continue(lab, settings)
    for k in settings.retrained(searched):
        if not lab.resume(k):
            lab.take_mask(k)
            lab.rewind()
            if settings.fresh_optimizer:
                lab.optimizer.reset()
        lab.train(k)
        if lab.collapsed(k, settings):
            return k
    return searched


def _prune_and_continue(lab: Lab, settings: PruneSettings) -> int:
    """Search the masks of `paper`: prune, and train on from the present weights with the present optimizer."""
    for k in range(1, settings.rounds + 1):
        if not lab.resume(k, Phase.SEARCH):
            lab.mask(k, settings)
        lab.train(k, Phase.SEARCH)
        if lab.collapsed(k, settings, Phase.SEARCH):
            return k
    return settings.rounds


def finetune(lab: Lab, settings: PruneSettings) -> int:
    """Prune and train on without rewinding, with a fresh optimizer in every round (Han et al. 2015)."""
    for k in range(1, settings.rounds + 1):
        if not lab.resume(k):
            lab.mask(k, settings)
            lab.optimizer.reset()
        lab.train(k)
        if lab.collapsed(k, settings):
            return k
    return settings.rounds


def reinit(lab: Lab, settings: PruneSettings) -> int:
    """Re-train the masks that `imp` finds from new random weights: the control of Frankle and Carbin 2019."""
    searched = imp(lab, settings, Phase.SEARCH)
    for k in settings.retrained(searched):
        if not lab.resume(k):
            lab.take_mask(k)
            lab.reinitialize(k)
            lab.optimizer.reset()
        lab.train(k)
        if lab.collapsed(k, settings):
            return k
    return searched


PROTOCOLS: dict[str, Callable[[Lab, PruneSettings], int]] = {
    "imp": imp,
    "paper": paper,
    "finetune": finetune,
    "reinit": reinit,
}
