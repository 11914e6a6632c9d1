"""`quatnet doctor`."""

import pytest

from quatnet import backend, doctor

PROBLEM = "CuPy cannot be imported (ImportError: none here)"


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch):
    monkeypatch.setattr(backend, "gpu_problem", lambda: PROBLEM)
    monkeypatch.setattr(doctor, "TIMED_STEPS", 1)


def test_it_says_why_no_gpu_is_used_and_checks_the_cpu(quatnet):
    lines = quatnet("doctor").splitlines()
    assert f"GPU:        {PROBLEM}" in lines
    assert "checked:    cpu" in lines
    assert sum(line.startswith("ok     ") for line in lines) == 6
    assert any(line.startswith("packages:   numpy ") for line in lines)


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(quatnet):
    assert quatnet.error(2, "doctor", "--device", "gpu").startswith(f"--device: gpu given, but {PROBLEM}")


def test_the_device_may_come_from_the_environment(quatnet, monkeypatch):
    monkeypatch.setenv("QUATNET_DEVICE", "gpu")
    assert quatnet.error(2, "doctor").startswith("--device: gpu given, but ")
    monkeypatch.setenv("QUATNET_DEVICE", "cpu")
    assert quatnet.json("doctor")["device"] == "cpu"


def test_a_check_that_fails_is_exit_code_1(quatnet, monkeypatch):
    monkeypatch.setattr(doctor, "checks", lambda device: [doctor.Check("gradients", 0.5, 1e-5)])
    assert quatnet.error(1, "doctor") == "1 of 1 checks failed on cpu: gradients"


def test_the_json_object_has_everything(quatnet):
    values = quatnet.json("doctor")
    assert values["gpu_problem"] == PROBLEM
    assert all(check["passed"] for check in values["checks"])
    assert set(values["step_ms"]) == {f"{a}, {q}" for a in doctor.TIMED for q in ("real", "quaternion")}
