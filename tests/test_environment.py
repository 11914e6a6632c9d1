"""What a run ran on."""

import json
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import quatnet
from quatnet import environment
from quatnet.errors import UsageError


def test_it_has_the_versions_that_matter():
    found = environment.describe(device="cpu", engine="fast", conv="auto", threads=1)
    assert found["quatnet"] == quatnet.__version__
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"].keys() >= {"scipy", "click", "rich"}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout of one file, which environment.py takes for the place it lies in; and its commit."""
    folder = tmp_path / "checkout"
    (folder / "quatnet").mkdir(parents=True)
    (folder / "quatnet" / "environment.py").write_text("1\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one", "--no-gpg-sign"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(environment, "__file__", str(folder / "quatnet" / "environment.py"))
    return folder, subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit():
    return environment.describe(device="cpu", engine="fast", conv="auto", threads=1)["commit"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_it_has_the_commit_of_the_checkout_and_says_whether_that_has_been_changed(checkout):
    folder, head = checkout
    assert commit() == head
    (folder / "quatnet" / "environment.py").write_text("2\n")
    assert commit() == f"{head}-dirty"


def test_outside_a_checkout_or_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "quatnet" / "environment.py"))
    assert commit() is None
    (tmp_path / ".git").mkdir()
    assert commit() is None
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "no-such-package"))
    assert environment.describe(device="cpu", engine="fast", conv="auto", threads=1)["packages"].keys() == {"numpy"}


def test_it_has_the_processor_and_the_threads_of_blas():
    found = environment.describe(device="cpu", engine="fast", conv="auto", threads=1)
    assert found["processor"]
    assert found["cores"] >= 1
    assert all(pool["num_threads"] >= 1 for pool in found["blas"])


def test_it_says_which_array_library_the_device_means():
    found = environment.describe(device="cpu", engine="fast", conv="auto", threads=1)
    assert (found["device"], found["arrays"]) == ("cpu", "numpy")


def test_it_can_be_written_as_json():
    found = environment.describe(device="cpu", engine="fast", conv="auto", threads=1)
    assert json.loads(json.dumps(found)) == found


def test_where_the_system_has_no_cpuinfo_the_platform_names_the_processor(monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert environment.describe(device="cpu", engine="fast", conv="auto", threads=1)["processor"] == (
        platform.processor() or platform.machine()
    )


def test_an_unknown_device_is_an_error():
    with pytest.raises(UsageError, match="device: 'tpu' given"):
        environment.describe(device="tpu", engine="fast", conv="auto", threads=1)
