"""Parameters without a network, a tiny image set, and a record of every training of an experiment."""

import os
from dataclasses import dataclass

import numpy as np
import pytest

from quatnet import experiment
from quatnet.nn.parameters import Parameter, Parameters
from quatnet.streams import Position
from quatnet.training import EpochResult
from tests import small


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def parameters_of():
    """Parameters with these weights, in order, each followed by a bias of the length of its last axis."""

    def make(weights, dtype="float64"):
        named = {}
        for name, weight in weights.items():
            named[f"{name}.weight"] = Parameter(weight.shape, prunable=True)
            named[f"{name}.bias"] = Parameter(weight.shape[-1:], prunable=False)
        parameters = Parameters(named, np.dtype(dtype))
        biases = {f"{name}.bias": np.full(weight.shape[-1:], 1e-9) for name, weight in weights.items()}
        parameters.load({f"{name}.weight": weight for name, weight in weights.items()} | biases)
        return parameters

    return make


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """The path of a tiny image set."""
    return small.write(tmp_path_factory.mktemp("data") / "small.npz")


@dataclass(frozen=True)
class State:
    """Copies of what a network and its optimizer hold."""

    value: np.ndarray
    mask: np.ndarray
    moments: dict[str, np.ndarray]
    steps: int

    @classmethod
    def of(cls, network, optimizer):
        moments = {name: moment.copy() for name, moment in optimizer.moments.items()}
        return cls(network.parameters.value.copy(), network.parameters.mask.copy(), moments, optimizer.steps)


@dataclass(frozen=True)
class Training:
    """One training: where in the experiment it is, the epoch it starts from, the states at its start and its end."""

    position: Position
    first_epoch: int
    start: State
    end: State

    @property
    def where(self):
        return ("rounds", "search")[self.position.phase], self.position.round


@pytest.fixture
def trainings(monkeypatch):
    """Every training of this test's experiments, in order."""
    seen = []
    train = experiment.train

    def recording(network, optimizer, data, settings, position, progress, *callbacks):
        start = State.of(network, optimizer)
        result = train(network, optimizer, data, settings, position, progress, *callbacks)
        seen.append(Training(position, progress.epochs, start, State.of(network, optimizer)))
        return result

    monkeypatch.setattr(experiment, "train", recording)
    return seen


@pytest.fixture
def script_accuracies(monkeypatch):
    """Skip all training: every training ends with its scripted accuracy, by phase and round."""

    def script(accuracies):
        seen = []

        def scripted(network, optimizer, data, settings, position, progress, *callbacks):
            phase = ("rounds", "search")[position.phase]
            seen.append((phase, position.round))
            return EpochResult(1, 1.0, 1.0, accuracies[phase][position.round], 0.0)

        monkeypatch.setattr(experiment, "train", scripted)
        return seen

    return script
