"""The command as a process of its own."""

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import NETWORK

CLI = Path(__file__).parents[2] / "cli.py"
MODULE = (sys.executable, "-m", "quatnet")
NETWORK = tuple(map(str, NETWORK))


def process(command, *arguments):
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.usefixtures("quatnet")
@pytest.mark.parametrize("command", [MODULE, (sys.executable, str(CLI))], ids=["python -m quatnet", "python cli.py"])
def test_both_ways_to_start_it_train_and_print_one_json_object(command):
    done = process(command, "train", *NETWORK, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["arch"] == "lenet-12"
    assert "round 0  epoch 2/2" in done.stderr


@pytest.mark.usefixtures("quatnet")
@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("train", *NETWORK, "--rate", "1e30"), 1),
        (("train", *NETWORK, "--epochs", "0"), 2),
        (("train", *NETWORK, "--dataset", "other.npz"), 3),
    ],
)
def test_the_exit_code_says_whose_affair_an_error_is(arguments, exit_code):
    done = process(MODULE, *arguments, "--quiet")
    assert done.returncode == exit_code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.usefixtures("quatnet")
def test_ctrl_c_saves_the_epoch_and_prints_a_command_that_goes_on():
    arguments = ("train", *NETWORK, "--epochs", "100")
    with subprocess.Popen(
        [*MODULE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` ignores it
    ) as running:
        next(line for line in running.stdout if "epoch 1/100" in line)
        running.send_signal(signal.SIGINT)
        stderr = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "Traceback" not in stderr
    python, *resume = shlex.split(stderr.partition("to resume: ")[2])
    assert (python, *resume) == ("python", "-m", "quatnet", *arguments)
    resumed = process((sys.executable, *resume))
    assert resumed.returncode == 0
    assert "resuming round 0 after epoch" in resumed.stdout
    assert "round 0  epoch 1/100" not in resumed.stdout
    assert "round 0  epoch 100/100" in resumed.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell with a pipe")
def test_a_reader_that_goes_away_leaves_no_traceback():
    done = process(("sh", "-c", f"{shlex.join(MODULE)} models | head -n 1"))
    assert done.stdout.startswith("architecture")
    assert done.stderr == ""
