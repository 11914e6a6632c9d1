"""`quatnet prune`."""

import csv
import re

import pytest

from quatnet.pruning import protocols
from tests.cli.conftest import NETWORK

PRUNING = ("--rounds", 2, "--stop-below", 0)


def stop(*arguments):
    raise KeyboardInterrupt


def test_with_arch_it_starts_a_new_run(quatnet, tmp_path):
    values = quatnet.json("prune", *NETWORK, *PRUNING)
    assert (tmp_path / values["run"] / "rounds" / "02" / "result.json").is_file()


def test_without_run_and_without_any_run_it_starts_a_quaternion_lenet(quatnet):
    sizes = ("--train-size", 10, "--test-size", 10, "--epochs", 1)
    lines = quatnet("prune", "--rounds", 1, *sizes).splitlines()
    assert lines[0] == "no RUN given and none in runs: starting the default one, --arch lenet --quaternion"
    assert lines[1].startswith("lenet-300-100, quaternion, on mnist-mini: 10 + 10 images, built in; for the paper's")


def test_without_run_it_takes_the_newest_and_says_which(quatnet, run):
    lines = quatnet("prune").splitlines()
    assert lines[:2] == ["no RUN given: taking the newest in runs", f"pruning the run {run}"]


def test_a_trained_run_is_pruned(quatnet):
    trained = quatnet.json("train", *NETWORK)
    pruned = quatnet.json("prune", trained["run"], *PRUNING)
    assert pruned["run"] == trained["run"]
    assert pruned["rounds"][0]["accuracy"] == trained["accuracy"]


def test_the_json_object_has_all_rounds_beginning_with_the_dense_network(quatnet, run):
    values = quatnet.json("prune", run)
    assert [set(r) for r in values["rounds"]] == [{"round", "weights_left", "kept_weights", "accuracy"}] * 3
    assert [r["round"] for r in values["rounds"]] == [0, 1, 2]
    assert [r["kept_weights"] for r in values["rounds"]] == [816, 653, 522]
    assert values["rounds"][0]["weights_left"] == 100
    assert values["weights_left"] == values["rounds"][2]["weights_left"] == 100 * (522 + 16) / 832
    assert values["accuracy"] == values["rounds"][2]["accuracy"]


def test_the_table_has_a_line_per_round(quatnet, run):
    lines = quatnet("prune", run).splitlines()
    header = lines.index("round  weights left  pruned  weights  accuracy")
    assert [line.split()[:6] for line in lines[header + 1 : header + 4]] == [
        ["0", "100.0", "%", "0.0", "%", "816"],
        ["1", "80.4", "%", "19.6", "%", "653"],
        ["2", "64.7", "%", "35.3", "%", "522"],
    ]


def test_the_last_line_says_weights_left_and_pruned(quatnet, run):
    assert quatnet("prune", run).splitlines()[-1].endswith("weights left 64.7 % (pruned 35.3 %)")


def test_the_results_are_in_the_run_folder_as_a_table_and_a_picture(quatnet, run):
    quatnet("prune", run)
    rows = list(csv.DictReader((run / "results.csv").read_text().splitlines()))
    assert [row["round"] for row in rows] == ["0", "1", "2"]
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_it_says_so(quatnet, run, monkeypatch):
    monkeypatch.setattr("quatnet.report.figures.save_curves", lambda *arguments: False)
    assert "no picture: matplotlib is not installed (extra `plot`)" in quatnet("prune", run)


def test_the_same_command_again_shows_the_same(quatnet, run):
    assert quatnet("prune", *NETWORK, *PRUNING) == quatnet("prune", *NETWORK, *PRUNING)


def test_more_rounds_continue_a_run(quatnet, run):
    output = quatnet("prune", run, "--rounds", 3)
    assert output.count("epoch 2/2") == 1
    assert "round 3/3  epoch 2/2" in output


def test_fewer_rounds_than_there_are_change_nothing(quatnet, run):
    before = (run / "config.json").read_bytes()
    assert len(quatnet.json("prune", run, "--rounds", 1)["rounds"]) == 3
    assert (run / "config.json").read_bytes() == before


def test_settings_of_a_run_need_not_be_given_again(quatnet):
    pruned = quatnet.json("prune", *NETWORK, *PRUNING, "--amount", 0.5)["run"]
    assert quatnet.json("prune", pruned, "--rounds", 3)["rounds"][3]["kept_weights"] == 102


@pytest.mark.parametrize(
    ("given", "difference"),
    [
        (("--amount", 0.5), "amount 0.2 there, 0.5 given"),
        (("--protocol", "finetune"), "protocol imp there, finetune given"),
        (("--epochs", 3), "epochs 2 there, 3 given"),
        (("--quaternion", "--seed", 1), "quaternion False there, True given, seed 0 there, 1 given"),
        (("--arch", "lenet"), "arch lenet-12 there, lenet-300-100 given"),
    ],
)
def test_other_settings_of_a_run_are_an_error_that_names_them(quatnet, run, given, difference):
    assert quatnet.error(2, "prune", run, *given) == f"{run} was made with other settings: {difference}"


@pytest.mark.parametrize("protocol", ["paper", "finetune", "reinit"])
def test_every_protocol_reports_every_round(quatnet, protocol):
    values = quatnet.json("prune", *NETWORK, *PRUNING, "--protocol", protocol)
    assert values["protocol"] == protocol
    assert [r["round"] for r in values["rounds"]] == [0, 1, 2]


def test_the_search_for_masks_is_named_in_the_lines_of_its_epochs(quatnet):
    assert "search round 1/2  epoch 1/2" in quatnet("prune", *NETWORK, *PRUNING, "--protocol", "paper")


def test_it_says_why_it_stopped_early(quatnet):
    output = quatnet("prune", *NETWORK, "--rounds", 5, "--stop-below", 99, "--rate", 1e-9)
    assert output.splitlines()[-1] == "stopped before round 2: two rounds below 99 % (--stop-below)"


def test_quiet_prints_nothing(quatnet, run):
    assert quatnet("prune", run, "--quiet") == ""


def test_after_an_interruption_the_command_to_resume_names_the_run(quatnet, run, monkeypatch):
    monkeypatch.setattr(protocols, "prune", stop)
    assert quatnet.interrupted("prune", "--rounds", 3).splitlines()[-1] == (
        f"Interrupted; the last finished epoch is saved; to resume: quatnet prune {run} --rounds 3"
    )


def test_after_an_interruption_of_the_default_run_the_command_to_resume_names_its_network(quatnet, monkeypatch):
    monkeypatch.setattr(protocols, "prune", stop)
    given = ("--train-size", 10, "--epochs", 1)
    assert quatnet.interrupted("prune", *given).splitlines()[-1].endswith(
        "to resume: quatnet prune --arch lenet --quaternion --train-size 10 --epochs 1"
    )  # fmt: skip


def test_a_resumed_run_says_from_where(quatnet, run):
    (run / "rounds" / "02" / "result.json").unlink()
    assert "resuming round 2/2 after epoch 2/2" in quatnet("prune", run)


def test_with_a_budget_it_prunes_until_the_ticket_fits_and_says_what_it_cost(quatnet):
    goal = ("prune", *NETWORK, "--budget", "1.5kB", "--stop-below", 0)
    values = quatnet.json(*goal)
    found, last = values["goal"], values["rounds"][-1]
    assert found["ticket_bytes"] <= 1500 < found["dense_ticket_bytes"]
    assert (found["round"], found["accuracy"]) == (last["round"], last["accuracy"])
    lines = quatnet(*goal).splitlines()
    expected = f"round {last['round']} has a ticket of at most 1,500 bytes: {found['ticket_bytes']:,} bytes, "
    assert any(line.startswith(expected) for line in lines)
    assert lines[-1] == f"to write it: quatnet export {values['run']} --round {last['round']}"


def test_a_goal_that_is_not_met_is_an_error_and_the_rounds_stay(quatnet, tmp_path):
    goal = ("--budget", "1400", "--target-accuracy", 100, "--rounds", 4, "--stop-below", 0)
    message = quatnet.error(1, "prune", *NETWORK, *goal)
    assert re.search(r"none of the rounds 0 to \d has a ticket of at most 1,400 bytes and at least 100 % acc", message)
    assert list(tmp_path.glob("runs/*/rounds/01/result.json"))


@pytest.mark.parametrize("size", ["16 parsecs", "-3", "kB"])
def test_a_size_that_is_none_is_refused(quatnet, size):
    assert "a size like 900B, 16kB, 64KiB or 1MB is needed" in quatnet.error(2, "prune", f"--budget={size}")


def test_values_without_a_budget_are_refused(quatnet):
    assert quatnet.error(2, "prune", *NETWORK, "--values", "int8").startswith(
        "--values: int8 given; it has an effect only with --budget"
    )
