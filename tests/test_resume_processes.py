"""Real processes: `quatnet prune` is killed, terminated and interrupted, and the same command goes on."""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import quatnet
from tests import small
from tests.folders import content

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")

# `python -m quatnet`, with the answer to Ctrl-C that a process in the background may lack.
PROGRAM = (
    "import runpy, signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "runpy.run_module('quatnet', run_name='__main__', alter_sys=True)\n"
)
PATIENCE = 60


class Folder:
    """A folder in which `quatnet` is run; its run folder once there is one."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        small.write(path / "small.npz")

    def begin(self, arguments):
        environment = {**os.environ, "PYTHONPATH": str(Path(quatnet.__file__).parents[1])}
        command = [sys.executable, "-c", PROGRAM, *arguments]
        with (self.path / "out.txt").open("w") as out, (self.path / "err.txt").open("w") as err:
            return subprocess.Popen(command, cwd=self.path, stdout=out, stderr=err, env=environment)

    def finish(self, arguments):
        code = self.begin(arguments).wait(PATIENCE)
        assert code == 0, (self.path / "err.txt").read_text()

    def run(self):
        return next((path for path in self.path.glob("runs/*") if path.is_dir()), None)

    def files(self):
        return len(list(self.path.glob("runs/*/*/*/*.npz")))

    def epochs(self):
        metrics = next(self.path.glob("runs/*/metrics.jsonl"), None)
        return metrics.read_bytes().count(b"\n") if metrics else 0


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "interrupted")


def prune_command(*arguments, epochs=4, rounds=2):
    options = f"--quaternion --dataset small.npz --epochs {epochs} --batch-size 10 --rounds {rounds} --stop-below 0"
    return ["prune", "--arch", "lenet-12", *options.split(), *arguments]


def wait_for(process, condition):
    """Wait until the condition holds; False when the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        if condition():
            return True
        assert time.monotonic() < deadline, "the process neither trains nor ends"
        time.sleep(0.0005)
    return False


def killed(folder, command, counted, delay):
    """Start the command, kill it some time after `counted` has grown, and return whether it was still running."""
    before = counted()
    process = folder.begin(command)
    if wait_for(process, lambda: counted() > before):
        time.sleep(delay)
    process.kill()
    return process.wait(PATIENCE) == -signal.SIGKILL


@pytest.mark.parametrize(
    "arguments",
    [["--protocol", "imp"], ["--protocol", "paper", "--validation-size", "9", "--patience", "2"]],
    ids=["imp", "paper with early stopping"],
)
def test_an_experiment_that_is_killed_again_and_again_ends_like_one_that_is_not(folder, tmp_path, arguments):
    command = prune_command(*arguments)
    through = Folder(tmp_path / "through")
    through.finish(command)
    delays = random.Random(0)
    kills = 0
    for counted in (folder.epochs, folder.files, folder.epochs):
        kills += killed(folder, command, counted, delays.choice([0, 0, delays.uniform(0, 0.02)]))
    assert kills >= 1
    folder.finish(command)
    assert content(folder.run()) == content(through.run())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_experiment_that_is_interrupted_says_which_command_goes_on_and_that_does(folder, number):
    command = prune_command("--seed", "3", epochs=60)
    process = folder.begin(command)
    assert wait_for(process, folder.epochs)
    process.send_signal(number)
    assert process.wait(PATIENCE) == 130
    assert folder.epochs() < 180
    message = (folder.path / "err.txt").read_text().splitlines()[-1]
    resumes = re.fullmatch(
        r"Interrupted\b.*\bthe last finished epoch is saved; to resume: .*?quatnet (prune .*)", message, re.I
    )
    assert resumes, message
    folder.finish(shlex.split(resumes[1]))
    assert len(list(folder.path.glob("runs/*"))) == 1
    epochs = [json.loads(line)["epoch"] for line in (folder.run() / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [*range(1, 61)] * 3
