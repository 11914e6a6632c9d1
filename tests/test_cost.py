"""What a run will cost is counted right."""

import pytest

from quatnet import cost
from quatnet.data import load
from quatnet.fast import Compute
from quatnet.settings import PruneSettings, TrainSettings
from tests import small

COMPUTE = Compute(device="cpu", threads=1)


@pytest.fixture
def dataset(tmp_path):
    return load(small.write(tmp_path / "digits.npz", side=8, train=80, test=40, classes=4))


def settings(**given):
    return TrainSettings.for_architecture("lenet-12", True, **given)


@pytest.mark.parametrize(
    ("given", "steps"),
    [({}, 2), ({"batch_size": 20}, 4), ({"train_size": 60}, 1), ({"train_size": 61}, 2), ({"validation_size": 20}, 1)],
)
def test_the_steps_of_an_epoch_are_those_of_its_batches(dataset, given, steps):
    measured = cost.measure(settings(epochs=3, **given), PruneSettings(rounds=4), dataset, COMPUTE)
    assert (measured.steps, measured.epochs) == (steps, 15)


def test_seconds_grow_with_the_steps_and_the_images_tested(dataset, monkeypatch):
    monkeypatch.setattr(cost, "_fastest", lambda call: (call(), 1.0)[1])
    few = cost.measure(settings(epochs=1), None, dataset, COMPUTE)
    assert few.epoch_seconds == few.seconds == pytest.approx(2 * (1 / 2) + 40 * (1 / 40))
    more = cost.measure(settings(epochs=5, batch_size=10, validation_size=20, test_size=20), None, dataset, COMPUTE)
    assert more.seconds == pytest.approx(5 * (6 * (1 / 5) + 40 * (1 / 20)))
    seldom = cost.measure(settings(epochs=5, test_every=2), None, dataset, COMPUTE)
    assert seldom.seconds == pytest.approx(5 * 2 * (1 / 2) + 3 * 40 * (1 / 40))
    early = cost.measure(
        settings(epochs=5, test_every=2, validation_size=20, patience=2, test_size=20), None, dataset, COMPUTE
    )
    assert early.seconds == pytest.approx(5 * (2 * (1 / 2) + 40 * (1 / 20)))


def test_the_fastest_of_several_calls_counts(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 23.0])
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(clock))
    assert cost._fastest(lambda: None) == 1.0
