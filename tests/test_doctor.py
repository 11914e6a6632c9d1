"""The checks of an installation pass on a sound engine, and fail on a spoiled one."""

import numpy as np
import pytest

from quatnet import doctor
from quatnet.nn.layers.dense import Expanded
from quatnet.fast.stacked import Stacked


def test_all_checks_pass_on_the_cpu():
    done = list(doctor.checks("cpu"))
    assert [check.name for check in done] == [
        f"{arch}, {algebra}: gradients" for arch in doctor.NETWORKS for algebra in ("real", "quaternion")
    ]
    assert all(check.passed for check in done)


def test_a_wrong_gradient_is_found(monkeypatch):
    right = Stacked.spread
    monkeypatch.setattr(Stacked, "spread", lambda self, dy: 1.001 * right(self, dy))
    failed = [check.name for check in doctor.checks("cpu") if not check.passed]
    assert failed == ["lenet-12, quaternion: gradients", "conv-2, quaternion: gradients"]


def test_a_gradient_that_is_not_a_number_is_found():
    assert not doctor.Check("any", float("nan"), 1.0).passed


@pytest.mark.parametrize("quaternion", [False, True])
def test_two_ways_to_compute_the_same_agree_and_two_networks_do_not(quaternion):
    network, reference = (doctor._small("lenet-12", quaternion, "cpu") for _ in range(2))
    if quaternion:
        network.layers["fc1"].algorithm = Expanded()
    assert doctor.parity_error(network, reference) <= doctor.PARITY_BOUND
    other = doctor._small("lenet-12", quaternion, "cpu")
    other.set_flat(other.flat() * 1.001)
    assert doctor.parity_error(other, doctor._small("lenet-12", quaternion, "cpu")) > doctor.PARITY_BOUND


def test_steps_of_training_are_timed(monkeypatch):
    monkeypatch.setattr(doctor, "TIMED_STEPS", 1)
    times = list(doctor.timings("cpu"))
    assert len(times) == 4
    assert all(np.isfinite(time.milliseconds) and time.milliseconds > 0 for time in times)
