"""`quatnet evaluate`."""

import numpy as np
import pytest

from tests.cli.conftest import NETWORK
from tests.cli.test_train import KEYS


@pytest.mark.parametrize("round_", [0, 1, 2])
def test_the_accuracy_is_the_one_that_training_measured(quatnet, run, round_):
    reported = quatnet.json("prune", run)["rounds"][round_]
    measured = quatnet.json("evaluate", run, "--round", round_)
    assert {key: measured[key] for key in reported} == reported


def test_the_last_round_is_the_default(quatnet, run):
    assert quatnet.json("evaluate", run) == quatnet.json("evaluate", run, "--round", 2)


def test_the_json_object_describes_the_run(quatnet, run):
    values = quatnet.json("evaluate", run)
    assert values.keys() >= KEYS
    assert values["images"] == 40


def test_it_says_round_weights_left_accuracy_and_loss(quatnet, run):
    first, second = quatnet("evaluate", run).splitlines()
    assert first == "lenet-12, real, round 2, weights left 64.7 % (pruned 35.3 %)"
    assert second.startswith("accuracy ")
    assert second.endswith(" on 40 test images")


def test_a_part_of_the_test_set_can_be_taken(quatnet, run):
    assert quatnet.json("evaluate", run, "--test-size", 20)["images"] == 20


def test_training_images_can_be_measured_too(quatnet, run):
    values = quatnet.json("evaluate", run, "--train-size", 60)
    assert values["train_images"] == 60
    assert values["train_loss"] < values["loss"]


def test_a_trailing_slash_does_no_harm(quatnet, run):
    assert quatnet("evaluate", f"{run}/") == quatnet("evaluate", run)


def test_quiet_prints_nothing(quatnet, run):
    assert quatnet("evaluate", run, "--quiet") == ""


def test_a_round_that_is_not_there_is_an_error_that_names_those_that_are(quatnet, run):
    assert quatnet.error(2, "evaluate", run, "--round", 9) == f"--round: 9 given; {run} has the rounds 0 to 2"


def test_a_run_without_a_finished_round_is_an_error_that_says_what_to_do(quatnet, run):
    for result in run.glob("rounds/*/result.json"):
        result.unlink()
    message = quatnet.error(2, "evaluate", run)
    assert message == f"{run} has no finished round yet; the command that started it resumes it"


def test_data_that_have_changed_since_are_an_error(quatnet, run):
    with np.load("digits.npz") as arrays:
        np.savez("digits.npz", **{**arrays, "x_test": 255 - arrays["x_test"]})
    assert "has changed since" in quatnet.error(3, "evaluate", run)


def test_training_images_are_those_the_network_was_trained_on(quatnet):
    run = quatnet.json("train", *NETWORK, "--validation-size", 20)["run"]
    assert quatnet.json("evaluate", run, "--train-size", 60)["train_images"] == 60
    assert "allowed are 4 to 60" in quatnet.error(2, "evaluate", run, "--train-size", 61)
