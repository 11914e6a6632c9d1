"""Small runs, made once: both algebras, two seeds, three rounds that halve the weights."""

import os

import pytest

from quatnet.report import experiments
from tests import small


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory):
    """Run folders. Tests that change one take a copy."""
    folder = tmp_path_factory.mktemp("report")
    data = small.write(folder / "digits.npz")
    prune = small.prune_settings(rounds=3, amount=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        return [
            small.experiment(folder / "runs", small.train_settings(data, quaternion=quaternion, seed=seed), prune)
            for quaternion in (False, True)
            for seed in (0, 1)
        ]


@pytest.fixture(scope="session")
def small_experiment(small_runs):
    """The one experiment of these runs."""
    (experiment,) = experiments.gather([experiments.read(run.path) for run in small_runs])
    return experiment
