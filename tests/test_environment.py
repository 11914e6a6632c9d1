"""What a run ran on."""

import json
import platform
from pathlib import Path

import numpy as np
import pytest

import quatnet
from quatnet import environment
from quatnet.errors import UsageError


def test_it_has_the_versions_that_matter():
    found = environment.describe(device="cpu", conv="auto", threads=1)
    assert found["quatnet"] == quatnet.__version__
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"].keys() >= {"scipy", "click", "rich"}


def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "no-such-package"))
    assert environment.describe(device="cpu", conv="auto", threads=1)["packages"].keys() == {"numpy"}


def test_it_has_the_processor_and_the_threads_of_blas():
    found = environment.describe(device="cpu", conv="auto", threads=1)
    assert found["processor"]
    assert found["cores"] >= 1
    assert all(pool["num_threads"] >= 1 for pool in found["blas"])


def test_it_says_which_array_library_the_device_means():
    found = environment.describe(device="cpu", conv="auto", threads=1)
    assert (found["device"], found["arrays"]) == ("cpu", "numpy")


def test_it_can_be_written_as_json():
    found = environment.describe(device="cpu", conv="auto", threads=1)
    assert json.loads(json.dumps(found)) == found


def test_where_the_system_has_no_cpuinfo_the_platform_names_the_processor(monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert environment.describe(device="cpu", conv="auto", threads=1)["processor"] == (
        platform.processor() or platform.machine()
    )


def test_an_unknown_device_is_an_error():
    with pytest.raises(UsageError, match="--device"):
        environment.describe(device="tpu", conv="auto", threads=1)
