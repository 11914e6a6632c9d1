"""The checks of an installation pass on a sound engine, and fail on a spoiled one."""

import numpy as np
import pytest

from quatnet import doctor
from quatnet.fast import Compute
from quatnet.fast.stacked import Stacked
from tests.nn import every


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
def test_two_engines_agree_and_two_networks_do_not(quaternion):
    def network(engine, factor=1.0):
        made = Compute(engine=engine).prepare(every.network("lenet-12", quaternion))
        made.set_flat(factor * made.flat())
        return made

    assert doctor.parity_error(network("fast"), network("reference")) <= doctor.PARITY_BOUND
    assert doctor.parity_error(network("fast", 1.001), network("reference")) > doctor.PARITY_BOUND


def test_steps_of_training_are_timed(monkeypatch):
    monkeypatch.setattr(doctor, "TIMED_STEPS", 1)
    times = list(doctor.timings("cpu"))
    assert len(times) == 4
    assert all(np.isfinite(time.milliseconds) and time.milliseconds > 0 for time in times)
