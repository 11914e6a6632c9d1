"""`quatnet export`, and what reads its files again: `predict` and `train --ticket`."""

import re

import numpy as np
import pytest

from quatnet.deploy import native, ticket
from quatnet.deploy.model import Model
from quatnet.runs import Run
from tests.cli.conftest import DATA, NETWORK


def arrays():
    """The arrays of the data set."""
    with np.load(DATA) as file:
        return dict(file)


def test_the_ticket_lies_beside_the_run_and_has_the_accuracy_of_the_round(quatnet, run, tmp_path):
    values = quatnet.json("export", run)
    path = tmp_path / values["path"]
    assert values["path"] == f"{run}-round02.ticket"
    assert values["bytes"] == path.stat().st_size
    assert values["accuracy"] == Run(run).results()[2].accuracy
    restored, model = ticket.read_ticket(path), Model.of(Run(run), 2)
    np.testing.assert_array_equal(restored.network.parameters.value, model.network.parameters.value)


def test_it_says_size_and_accuracy_in_words(quatnet, run):
    lines = quatnet("export", run, "--round", 1, "--values", "int8", "--output", "small.ticket").splitlines()
    assert lines[0] == "lenet-12, real, round 1"
    assert re.fullmatch(r"small.ticket: [\d,]+ bytes; dense, as float32, the network has 3,328", lines[1])
    assert re.fullmatch(r"accuracy [\d.]+ % on 40 test images; the run's: [\d.]+ %", lines[2])


def test_without_the_data_it_is_written_and_said_that_nothing_was_measured(quatnet, run, tmp_path):
    (tmp_path / DATA).unlink()
    values = quatnet.json("export", run)
    assert values["accuracy"] is None
    assert (tmp_path / values["path"]).is_file()
    assert "accuracy not measured: digits.npz: no such file" in quatnet("export", run)


def test_a_ticket_classifies_images_like_its_run(quatnet, run):
    path = quatnet.json("export", run, "--round", 1)["path"]
    np.save("images.npy", arrays()["x_test"][:3])
    own, other = (quatnet.json("predict", *of, "images.npy")["predictions"] for of in ((path,), (run, "--round", 1)))
    assert own == other
    assert "the ticket" in quatnet.error(2, "predict", path, "images.npy", "--round", 1)


def test_what_is_no_ticket_is_refused(quatnet, run):
    np.save("images.npy", arrays()["x_test"][:1])
    assert "images.npy: not a readable ticket" in quatnet.error(1, "predict", "images.npy", "images.npy")


def test_a_seed_ticket_trains_the_round_again_bit_for_bit(quatnet, run):
    path = quatnet.json("export", run, "--format", "seed")["path"]
    values = quatnet.json("train", "--ticket", path)
    assert values["identical"] is True
    ours, theirs = (Run(folder).results()[-1] for folder in (values["run"], run))
    assert (ours.accuracy, ours.loss, ours.kept_weights) == (theirs.accuracy, theirs.loss, theirs.kept_weights)
    assert "bit for bit" in quatnet("train", "--ticket", path)


def test_a_seed_ticket_and_settings_do_not_go_together(quatnet, run):
    path = quatnet.json("export", run, "--format", "seed")["path"]
    assert "'missing.seed' does not exist" in quatnet.error(2, "train", "--ticket", "missing.seed")
    assert "--ticket: --epochs given too" in quatnet.error(2, "train", "--ticket", path, "--epochs", 3)
    assert "--ticket: --arch given too" in quatnet.error(2, "train", "--ticket", path, "--arch", "lenet")
    assert quatnet.error(2, "train").startswith("'--arch' or '--ticket' is needed; architectures are lenet, ")


def test_onnx_is_written(quatnet, run, tmp_path):
    pytest.importorskip("onnx")
    values = quatnet.json("export", run, "--format", "onnx", "--preprocessing")
    assert values["bytes"] == (tmp_path / values["path"]).stat().st_size


@pytest.mark.skipif(native.compiler() is None, reason="there is no C compiler")
@pytest.mark.parametrize("values", ["float32", "int8"])
def test_the_c_program_has_the_accuracy_that_is_said(quatnet, run, tmp_path, values):
    said = quatnet.json("export", run, "--format", "c", "--name", "digits", "--output", "firmware", "--values", values)
    assert f"{said['accuracy']:.2f} %" in (tmp_path / "firmware" / "digits.c").read_text()
    program = native.build(tmp_path / said["source"], "digits", 4)
    data_set, data = arrays(), Run(run).data
    inputs = (data_set["x_test"].reshape(-1, 8, 8, 1) / 255 - data.mean) / data.std
    hits = program.logits(inputs).argmax(axis=1) == data_set["y_test"]
    assert said["accuracy"] == pytest.approx(100 * hits.mean())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "c", "--values", "float16"), "values: 'float16' given; allowed are float32, int8"),
        (("--format", "onnx", "--values", "int8"), "--values: int8 given; --format onnx has only float32"),
        (("--preprocessing",), "--preprocessing: --format ticket given; only --format onnx has it"),
        (("--format", "c", "--name", "7up"), "name: '7up' given"),
        (("--name", "digits"), "--name: --format ticket given; only --format c has it"),
        (("--round", 9), "--round: 9 given"),
    ],
)
def test_what_does_not_go_together_is_refused_and_nothing_is_written(quatnet, run, tmp_path, arguments, said):
    before = sorted(tmp_path.rglob("*"))
    assert said in quatnet.error(2, "export", run, *arguments)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_whose_optimizer_was_never_reset_has_no_seed_ticket(quatnet, tmp_path):
    pruned = quatnet.json("prune", *NETWORK, "--rounds", 1, "--protocol", "paper", "--stop-below", 0)["run"]
    assert "paper" in quatnet.error(2, "export", pruned, "--format", "seed")


def test_a_run_is_exported_from_within_its_folder(quatnet, run, tmp_path, monkeypatch):
    monkeypatch.chdir(run)
    values = quatnet.json("export", ".", "--data-dir", "..")
    assert values["path"] == str(tmp_path / f"{run}-round02.ticket")


def test_images_that_bytes_cannot_hold_are_refused_for_c_alone(quatnet):
    with np.load(DATA) as arrays:
        scaled = {key: a / np.float32(100) - 1 if key.startswith("x") else a for key, a in arrays.items()}
    np.savez("scaled.npz", **scaled)
    run = quatnet.json("train", "--arch", "lenet-12", "--dataset", "scaled.npz", "--epochs", 1)["run"]
    assert "C programs read bytes, for 0 to 1" in quatnet.error(2, "export", run, "--format", "c")
    assert quatnet.json("export", run)["accuracy"] is not None


@pytest.mark.parametrize(
    ("output", "reason"),
    [("runs", "is not a file"), ("no/a.ticket", "is in no, which is not a folder"), ("/dev/null", "is not a file")],
)
def test_a_file_that_cannot_be_written_is_refused(quatnet, run, output, reason):
    assert quatnet.error(2, "export", run, "--output", output) == f"--output: {output} given, which {reason}"
