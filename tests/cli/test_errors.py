"""What is wrong is said in one line, and the exit code says whose affair it is."""

import errno
import json
import os
import signal

import numpy as np
import pytest

import quatnet as package
from quatnet.cli.group import COMMANDS
from tests import small
from tests.cli.conftest import NETWORK, invoke

TRAIN = ("train", *NETWORK)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("tran",), ("'tran'", "quatnet --help")),
        (("train",), ("'--arch'", "lenet", "conv-6", "quatnet train --help")),
        (("train", "--arch", "lent"), ("--arch: 'lent' given", "lenet-300-100", "did you mean lenet?")),
        ((*TRAIN, "--epochs", "many"), ("'--epochs'", "'many'")),
        ((*TRAIN, "--epochs", 0), ("--epochs", "0 given", "1 or more")),
        ((*TRAIN, "--batch-size", 0), ("--batch-size", "0 given", "1 or more")),
        ((*TRAIN, "--rate", -1), ("--rate", "-1 given", "more than 0")),
        ((*TRAIN, "--rate", "nan"), ("--rate", "nan given", "a finite number")),
        ((*TRAIN, "--rate", "inf"), ("--rate", "inf given")),
        ((*TRAIN, "--optimizer", "sgd", "--momentum", 1), ("--momentum", "1 given", "less than 1")),
        ((*TRAIN, "--seed", -1), ("--seed", "-1 given", "0 or more")),
        ((*TRAIN, "--threads", 0), ("'--threads'", "0 is not in the range x>=1")),
        ((*TRAIN, "--train-size", -3), ("--train-size", "-3 given", "1 or more")),
        ((*TRAIN, "--train-size", 81), ("81", "4 to 80")),
        ((*TRAIN, "--test-size", 3), ("3", "4 to 40")),
        ((*TRAIN, "--validation-size", 80), ("80", "4 to 76")),
        ((*TRAIN, "--patience", 2), ("--patience: 2 given", "validation_size")),
        ((*TRAIN, "--device", "tpu"), ("--device", "'tpu' given", "auto, cpu, gpu and gpu:K")),
        ((*TRAIN, "--colour"), ("--colour", "quatnet train --help")),
        ((*TRAIN, "--dataset", "mnist-mimi"), ("'mnist-mimi'", "did you mean mnist-mini?")),
        ((*TRAIN, "more"), ("(more)",)),
        (("prune", *NETWORK, "--rounds", 0), ("--rounds", "0 given", "1 or more")),
        (("prune", *NETWORK, "--amount", 1), ("--amount", "1 given", "more than 0 and less than 1")),
        (("prune", *NETWORK, "--stop-below", 101), ("--stop-below", "101 given", "less than 100")),
        (("prune", *NETWORK, "--rewind-epoch", 2), ("--rewind-epoch", "2 given", "less than the 2 epochs")),
        (
            ("prune", *NETWORK, "--rewind-epoch", 1, "--protocol", "paper"),
            ("--rewind-epoch: only with protocol imp, which rewinds",),
        ),
        (("prune", *NETWORK, "--fresh-optimizer"), ("--fresh-optimizer: only with protocol paper, which keeps",)),
        (("prune", "nothing"), ("nothing is not a run folder", "quatnet runs")),
        (("prune", "digits.npz"), ("digits.npz is not a run folder (it is a file)",)),
        (("evaluate",), ("'RUN'", "quatnet evaluate --help")),
        (("evaluate", "nothing"), ("nothing is not a run folder",)),
        (("predict", "nothing"), ("'IMAGES...'",)),
        (("predict", "nothing", "one.png"), ("nothing is not a run folder",)),
        (("runs", "--runs-dir", "digits.npz"), ("'--runs-dir'", "'digits.npz' is a file")),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_wrong_argument_is_named_with_what_was_given_and_what_is_allowed(quatnet, arguments, parts):
    message = quatnet.error(2, *arguments)
    assert [part for part in parts if part not in message] == []


def test_without_a_command_the_help_is_shown(quatnet):
    result = invoke()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


def test_missing_data_say_how_to_get_them(quatnet):
    message = quatnet.error(3, "train", "--arch", "lenet", "--dataset", "mnist")
    assert "quatnet data fetch mnist" in message


def test_a_data_file_that_is_not_there_is_missing_data(quatnet):
    assert quatnet.error(3, *TRAIN, "--dataset", "other.npz").startswith("other.npz: no such file")


def test_data_that_have_changed_since_are_an_error(quatnet, run, tmp_path):
    small.write(tmp_path / "digits.npz", side=8, train=80, test=40, classes=4, seed=1)
    assert "digits.npz has changed since" in quatnet.error(3, "prune", run)


def test_a_diverging_run_fails_with_the_advice_to_lower_the_rate(quatnet):
    message = quatnet.error(1, *TRAIN, "--rate", 1e30)
    assert "loss is" in message
    assert "try a --rate below 1e+30" in message


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("config.json", b"\xff\xfe"),
        ("config.json", b'{"schema": 99}'),
        ("checkpoint.npz", b"no archive"),
        ("checkpoint.npz", b""),
        ("initial.npz", b"no archive"),
        ("rounds/02/weights.npz", b"no archive"),
        ("rounds/02/mask.npz", b""),
        ("rounds/02/result.json", b"{"),
        ("rounds/02/result.json", b"[]"),
        ("rounds/02/result.json", b"{}"),
    ],
)
def test_a_damaged_file_of_a_run_fails_and_is_named(quatnet, run, file, content):
    (run / file).write_bytes(content)
    assert quatnet.error(1, "prune", run, "--rounds", 3).startswith(str(run))


@pytest.mark.parametrize("file", ["initial.npz", "rounds/02/weights.npz", "rounds/02/mask.npz"])
def test_a_missing_file_of_a_run_fails_and_is_named(quatnet, run, file):
    (run / file).unlink()
    assert quatnet.error(1, "prune", run, "--rounds", 3).startswith(str(run / file))


def test_a_run_in_use_by_another_process_is_an_error(quatnet, run):
    fcntl = pytest.importorskip("fcntl")
    with (run / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert quatnet.error(2, "prune", run, "--rounds", 3) == f"{run} is in use by another process"


def test_a_gpu_that_is_not_there_is_an_error_that_says_why(quatnet, monkeypatch):
    monkeypatch.setattr("quatnet.backend.gpu_problem", lambda: "CuPy cannot be imported")
    message = quatnet.error(2, *TRAIN, "--device", "gpu")
    assert message == "--device: gpu given, but CuPy cannot be imported; cpu works everywhere"


def test_a_folder_that_cannot_be_written_fails_and_is_named(quatnet):
    assert quatnet.error(1, *TRAIN, "--runs-dir", "digits.npz/runs").startswith("digits.npz/runs")


def test_a_reader_that_goes_away_is_no_error(quatnet, monkeypatch):
    def write(*arguments):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("quatnet.cli.models.entries", write)
    assert invoke("models").stderr == ""


def test_a_failed_command_prints_no_json(quatnet):
    assert invoke(*TRAIN, "--epochs", 0, "--json").stdout == ""


def test_ctrl_c_ends_with_the_command_that_resumes(quatnet, monkeypatch):
    def interrupt(experiment):
        raise KeyboardInterrupt

    monkeypatch.setattr("quatnet.pruning.protocols.train_dense", interrupt)
    message = quatnet.interrupted("train", *NETWORK, "--runs-dir", "my runs").splitlines()[-1]
    assert message == (
        "Interrupted; the last finished epoch is saved; to resume: quatnet train --arch lenet-12 --dataset digits.npz "
        "--epochs 2 --batch-size 20 --rate 0.01 --runs-dir 'my runs'"
    )


def test_a_termination_signal_is_as_good_as_ctrl_c(quatnet, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(
        "quatnet.pruning.protocols.train_dense", lambda experiment: os.kill(os.getpid(), signal.SIGTERM)
    )
    assert "Interrupted" in quatnet.interrupted(*TRAIN)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("data", "fetch"), ("data", "show")])
@pytest.mark.parametrize("width", [80, 100])
def test_the_help_has_an_example_and_fits_the_window(quatnet, command, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = quatnet(*command, "--help")
    assert "Example" in text
    assert max(map(len, text.splitlines())) <= width


def test_the_version_is_the_package_s(quatnet):
    assert quatnet("--version") == f"quatnet, version {package.__version__}\n"


def edit_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("rounds/00/result.json", {"accuracy": "high"}),
        ("config.json", {"data": {"class_names": 3, "input_shape": [8, 8, 1]}}),
    ],
    ids=["text for a number", "a number for a list"],
)
def test_a_file_of_the_run_with_other_contents_is_named(quatnet, run, file, changes):
    edit_json(run / file, **changes)
    assert file in quatnet.error(1, "evaluate", run)


def test_initial_weights_of_another_network_are_an_error(quatnet, run):
    np.savez(run / "initial.npz", other=np.zeros(3))
    assert "initial.npz does not fit the network" in quatnet.error(1, "prune", run, "--rounds", 3, "--quiet")


def test_weights_of_another_architecture_are_an_error(quatnet, run):
    config = json.loads((run / "config.json").read_text())
    edit_json(run / "config.json", train={**config["train"], "arch": "lenet-300-100"})
    assert "round 2 does not fit the network" in quatnet.error(1, "evaluate", run)
