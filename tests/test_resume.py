"""Interruptions: the same command goes on, and in the end the run folder is the one of an uninterrupted experiment.

Inside this process, a copy of the folder is taken before every file takes its place (what a kill would leave), and an
exception is raised after some step; real processes are killed in test_resume_processes.py.
"""

import os
import random
import shutil

import pytest

from quatnet.api import reopen, start
from quatnet.experiment import Listener
from quatnet.pruning.protocols import prune
from quatnet.runs import Run
from tests import small
from tests.folders import content

EXPERIMENTS = {
    "imp": ({}, {"protocol": "imp"}),
    "imp of a real network": ({"quaternion": False}, {"protocol": "imp"}),
    "imp to a later epoch": ({"epochs": 3}, {"protocol": "imp", "rewind_epoch": 1}),
    "imp at random": ({}, {"protocol": "imp", "criterion": "random"}),
    "paper": ({}, {"protocol": "paper"}),
    "paper with a fresh optimizer": ({}, {"protocol": "paper", "fresh_optimizer": True}),
    "finetune": ({}, {"protocol": "finetune"}),
    "reinit": ({}, {"protocol": "reinit"}),
    "early stopping": ({"epochs": 5, "rate": 0.1, "validation_size": 9, "patience": 1}, {"protocol": "paper"}),
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01, "schedule": "step", "step_epochs": 1},
        {"protocol": "paper"},
    ),
    "augmented colour images": ({"augment": True}, {"protocol": "imp"}),
    "imp to few weights": ({}, {"protocol": "imp", "amount": 0.7, "rounds": 4}),
    "paper to few weights": ({}, {"protocol": "paper", "amount": 0.7, "rounds": 4}),
    "stopped early": ({}, {"protocol": "imp", "rounds": 4, "stop_below": 99}),
}


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(params=EXPERIMENTS)
def settings(request, tmp_path):
    """The settings of training and pruning of every kind of experiment."""
    training, pruning = EXPERIMENTS[request.param]
    path = small.write(tmp_path / "small.npz", channels=3 if training.get("augment") else 1)
    return small.train_settings(path, **training), small.prune_settings(**pruning)


def test_an_experiment_goes_on_from_a_kill_at_any_moment(tmp_path, settings, monkeypatch):
    copies = tmp_path / "copies"
    replace = os.replace

    def copying(old, new):
        shutil.copytree(tmp_path / "runs", copies / f"{len(list(copies.iterdir()))}")
        replace(old, new)

    copies.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", copying)
        expected = content(small.experiment(tmp_path / "runs", *settings).path)
    kills = sorted(copies.iterdir(), key=lambda path: int(path.name))
    assert len(kills) >= 15
    for runs_dir in kills:
        assert content(small.experiment(runs_dir, *settings).path) == expected, runs_dir.name


@pytest.mark.parametrize("seed", range(2))
def test_an_experiment_goes_on_however_often_it_is_interrupted_after_a_step(tmp_path, settings, seed):
    expected = content(small.experiment(tmp_path / "through", *settings).path)
    steps = random.Random(seed)
    interruptions = 0
    while True:
        left = iter(range(steps.randint(1, 12)))

        def step(batch, batches, left=left):
            if next(left, None) is None:
                raise Killed

        try:
            run = small.experiment(tmp_path / "runs", *settings, Listener(step=step))
        except Killed:
            interruptions += 1
        else:
            break
    assert interruptions >= 1
    assert content(run.path) == expected


def test_an_experiment_goes_on_after_an_interruption_of_every_epoch(tmp_path, settings):
    expected = content(small.experiment(tmp_path / "through", *settings).path)

    def epoch(position, progress, weights_left):
        raise Killed

    interruptions = 0
    while True:
        try:
            run = small.experiment(tmp_path / "runs", *settings, Listener(epoch=epoch))
        except Killed:
            interruptions += 1
        else:
            break
    assert interruptions == len(run.metrics())
    assert content(run.path) == expected


def test_a_run_that_is_reopened_goes_on_as_one_that_is_started_again(tmp_path, settings):
    expected = content(small.experiment(tmp_path / "through", *settings).path)

    def finished(position, result):
        if position.round:
            raise Killed

    experiment = start(tmp_path / "runs", *settings, listener=Listener(finished=finished))
    with pytest.raises(Killed):
        prune(experiment, settings[1])
    again = reopen(Run(experiment.run.path))
    prune(again, settings[1])
    assert content(experiment.run.path) == expected


def test_a_finished_experiment_is_left_as_it_is(tmp_path, settings):
    run = small.experiment(tmp_path / "runs", *settings)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*.*") if path.name != "config.json"}
    small.experiment(tmp_path / "runs", *settings)
    assert {path: path.stat().st_mtime_ns for path in before} == before
