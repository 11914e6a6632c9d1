"""Two processes and one run folder."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import quatnet
from quatnet.errors import QuatnetError
from quatnet.runs import Run


def locked_elsewhere(path):
    """Lock a run in another process, and return its exit code and what it printed."""
    program = (
        "import sys, pathlib, quatnet\n"
        "try:\n"
        "    with quatnet.Run(pathlib.Path(sys.argv[1])).locked():\n"
        "        print('locked')\n"
        "except quatnet.QuatnetError as error:\n"
        "    sys.exit(f'{type(error).__name__}: {error}')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(quatnet.__file__).parents[1])}
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_a_second_process_is_kept_out_with_one_line(run):
    with run.locked():
        assert locked_elsewhere(run.path) == (1, f"UsageError: {run.path} is in use by another process")


def test_the_lock_is_released_even_after_a_failure(run):
    with pytest.raises(ZeroDivisionError), run.locked():
        _ = 1 / 0
    assert locked_elsewhere(run.path) == (0, "locked")


def test_a_run_that_was_made_meanwhile_stays_as_it_is(run):
    before = (run.path / "config.json").read_bytes()
    again = Run.create(run.path, run.train_settings, run.data, {"other": np.zeros(1)}, {"other": "machine"})
    assert (run.path / "config.json").read_bytes() == before
    assert "other" not in again.initial()


def test_a_run_is_not_made_while_another_process_makes_it(run, tmp_path):
    (run.path / "config.json").rename(tmp_path / "config.json")
    with run.locked(), pytest.raises(QuatnetError, match="in use by another process"):
        Run.create(run.path, run.train_settings, run.data, run.initial(), {})
    assert not (run.path / "config.json").exists()


def test_a_file_system_without_locks_is_not_called_in_use(run, monkeypatch):
    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="No locks available"), run.locked():
        pass


def test_a_lock_within_one_process_is_kept_too(run):
    with run.locked(), pytest.raises(QuatnetError, match="in use by another process"), Run(run.path).locked():
        pass
