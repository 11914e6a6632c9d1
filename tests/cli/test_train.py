"""`quatnet train`."""

import pytest

from tests.cli.conftest import NETWORK

KEYS = {"run", "arch", "algebra", "dataset", "seed", "accuracy", "weights_left", "parameters"}


def test_a_new_run_folder_has_settings_weights_and_metrics(quatnet, tmp_path):
    run = quatnet.json("train", *NETWORK)["run"]
    files = {str(path.relative_to(tmp_path / run)) for path in (tmp_path / run).rglob("*.*")}
    assert files >= {"config.json", "environment.json", "initial.npz", "metrics.jsonl", "rounds/00/result.json"}


def test_the_json_object_describes_the_run(quatnet):
    values = quatnet.json("train", *NETWORK, "--quaternion", "--seed", 3)
    assert values.keys() >= KEYS
    assert (values["arch"], values["algebra"], values["seed"]) == ("lenet-12", "quaternion", 3)
    assert values["dataset"] == "digits.npz"
    assert values["parameters"] == 16 * 3 * 4 + 12 + 12 * 4 + 4


def test_a_quaternion_network_counts_in_percent_of_the_real_one(quatnet):
    real = quatnet.json("train", *NETWORK)
    quaternion = quatnet.json("train", *NETWORK, "--quaternion")
    assert real["weights_left"] == 100
    assert quaternion["weights_left"] == pytest.approx(100 * quaternion["parameters"] / real["parameters"])


def test_it_says_the_data_the_size_every_epoch_and_what_to_do_next(quatnet):
    lines = quatnet("train", *NETWORK).splitlines()
    assert lines[0] == "lenet-12, real, on digits: 80 + 40 images"
    assert lines[1].startswith("832 parameters, 100 % of the real network's")
    assert [line.split("  loss")[0] for line in lines[2:4]] == ["round 0  epoch 1/2", "round 0  epoch 2/2"]
    assert all("weights left 100.0 % (pruned 0.0 %)" in line for line in lines[2:5])
    assert lines[-1].endswith(f"to prune it: quatnet prune {lines[-1].split()[2].rstrip(';')}")


@pytest.mark.parametrize(("arch", "data", "paper"), [("lenet", "mnist-mini", "mnist"), ("conv-2", "shapes", "cifar10")])
def test_the_first_line_names_the_default_data_and_how_to_get_the_paper_s(quatnet, arch, data, paper):
    sizes = ("--train-size", 10, "--test-size", 10, "--epochs", 1)
    first = quatnet("train", "--arch", arch, "--quaternion", *sizes).splitlines()[0]
    assert f"on {data}: 10 + 10 images, built in" in first
    assert first.endswith(f"quatnet data fetch {paper}, then --dataset {paper}")


def test_the_same_command_again_shows_the_result_without_training(quatnet):
    first = quatnet("train", *NETWORK).splitlines()
    again = quatnet("train", *NETWORK).splitlines()
    assert again == [line for line in first if not line.startswith("round 0")]


def test_other_settings_make_another_run(quatnet):
    assert quatnet.json("train", *NETWORK)["run"] != quatnet.json("train", *NETWORK, "--seed", 1)["run"]


def test_other_settings_in_the_same_folder_are_an_error_that_names_them(quatnet, tmp_path):
    run = tmp_path / quatnet.json("train", *NETWORK)["run"]
    config = run / "config.json"
    config.write_text(config.read_text().replace('"batch_size": 20', '"batch_size": 10'))
    message = quatnet.error(2, "train", *NETWORK)
    assert message.endswith("was made with other settings: batch-size 10 there, 20 given")


def test_quiet_prints_nothing(quatnet):
    assert quatnet("train", *NETWORK, "--quiet") == ""


def test_sizes_cut_the_data(quatnet):
    lines = quatnet("train", *NETWORK, "--train-size", 40, "--test-size", 20).splitlines()
    assert lines[0].endswith("40 + 20 images")


def test_early_stopping_reports_the_epoch_of_lowest_validation_loss(quatnet):
    lines = quatnet("train", *NETWORK, "--validation-size", 20, "--patience", 1, "--epochs", 3).splitlines()
    assert lines[0].endswith("60 + 40 images")
    assert "after epoch" in lines[-2]
