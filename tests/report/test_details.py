"""Losses by epoch and weights left by layer and component, from run folders."""

import json
import re
import shutil

import numpy as np
import pytest

from quatnet.errors import RunError
from quatnet.pruning.masks import Masks
from quatnet.report import charts, details
from quatnet.runs import Run
from quatnet.streams import Phase, Position


@pytest.fixture
def quaternion_runs(small_experiment):
    return small_experiment.runs("quaternion")


@pytest.fixture
def copied(small_runs, tmp_path):
    """A copy of a run that may be changed."""
    return Run(shutil.copytree(small_runs[0].path, tmp_path / "run"))


def lines_of(run, round_):
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["round"] == round_]


def masks_of(run, round_):
    return run.load_round(Position(Phase.ROUNDS, round_))[1]


def test_the_trainings_are_the_dense_one_a_middle_and_the_last(quaternion_runs):
    results = quaternion_runs[0].results()
    assert [training.round for training in details.trainings(quaternion_runs)] == [0, 2, 3]
    assert [training.weights_left for training in details.trainings(quaternion_runs)] == [
        results[k].weights_left for k in (0, 2, 3)
    ]


def test_losses_and_accuracies_are_the_means_of_the_runs_by_epoch(quaternion_runs):
    last = details.trainings(quaternion_runs)[-1]
    first_run, second_run = (lines_of(run, 3) for run in quaternion_runs)
    assert last.epochs == (1, 2)
    for name, values in (("loss", last.loss), ("accuracy", last.accuracy)):
        expected = [(a[name] + b[name]) / 2 for a, b in zip(first_run, second_run, strict=True)]
        assert values == pytest.approx(expected)


def rewrite_metrics(run, change):
    """Change the lines of metrics.jsonl; the checkpoint still says how long the file may be."""
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    run._metrics_length = lambda: 10**9
    (run.path / "metrics.jsonl").write_text("".join(line + "\n" for line in change(lines)))


def test_the_search_for_masks_is_no_training_that_is_shown(copied):
    rewrite_metrics(copied, lambda lines: [line.replace('"rounds"', '"search"') for line in lines])
    assert details.trainings([copied]) == []


def test_of_runs_that_stopped_early_the_epochs_that_all_have_are_shown(copied, small_runs):
    rewrite_metrics(copied, lambda lines: [line for line in lines if '"epoch": 2' not in line])
    assert [training.epochs for training in details.trainings([copied, small_runs[1]])] == [(1,)] * 3


def test_an_epoch_after_which_not_all_runs_were_tested_has_a_loss_and_no_accuracy(copied, small_runs):
    accuracy = f'"accuracy": {lines_of(copied, 0)[0]["accuracy"]}'
    rewrite_metrics(copied, lambda lines: [lines[0].replace(accuracy, '"accuracy": null'), *lines[1:]])
    dense = details.trainings([copied, small_runs[1]])[0]
    assert np.isnan(dense.accuracy).tolist() == [True, False]
    assert np.isfinite(dense.loss).all()
    titles = [title for title, _ in charts.trainings({"real": [dense]})]
    assert titles == ["real: training loss", "real: test accuracy, %"]


def test_a_training_without_any_test_has_no_chart_of_its_accuracy():
    training = details.Training(0, 100.0, (1, 2), np.array([2.0, 1.0]), np.array([np.nan, np.nan]))
    assert [title for title, _ in charts.trainings({"real": [training]})] == ["real: training loss"]


def test_of_an_epoch_that_was_trained_twice_the_second_time_counts(copied):
    before = details.trainings([copied])[0]
    again = json.dumps({**lines_of(copied, 0)[0], "loss": 7.5})
    rewrite_metrics(copied, lambda lines: [*lines, again])
    assert details.trainings([copied])[0].loss == pytest.approx([7.5, before.loss[1]])


@pytest.mark.parametrize(
    "line", ["{}", "[]", '{"phase": "rounds", "round": 0, "epoch": 1, "loss": "low", "accuracy": 1}']
)
def test_lines_that_are_no_epochs_are_a_damaged_run(copied, line):
    rewrite_metrics(copied, lambda lines: [line])
    with pytest.raises(RunError, match=r"metrics\.jsonl: not the epochs of a run"):
        details.trainings([copied])


def test_of_every_layer_is_left_what_the_masks_say(quaternion_runs):
    survival = details.survival(quaternion_runs)
    assert survival.names == ("fc1.weight", "fc2.weight")
    for k in range(4):
        densities = [[m.mean() for m in masks_of(run, k).dense().values()] for run in quaternion_runs]
        assert survival.layers[k] == pytest.approx(100 * np.mean(densities, axis=0))


def test_of_every_component_is_left_what_the_masks_say(quaternion_runs):
    survival = details.survival(quaternion_runs)
    assert list(survival.components) == ["fc1.weight"]
    for k in range(4):
        by_component = [masks_of(run, k).dense()["fc1.weight"].mean(axis=(1, 2)) for run in quaternion_runs]
        assert survival.components["fc1.weight"][k] == pytest.approx(100 * np.mean(by_component, axis=0))
    assert survival.components["fc1.weight"][0].tolist() == [100] * 4


def test_components_of_all_layers_are_counted_together():
    conv = np.zeros((4, 1, 1, 1, 2), bool)  # two entries per component
    conv[0] = True
    dense = np.zeros((4, 2, 3), bool)  # six entries per component
    dense[1, 0, 0] = dense[0] = True
    left = details._Left.of(Masks({"conv1.weight": conv, "fc1.weight": dense, "fc2.weight": np.ones((3, 2), bool)}))
    assert left.components["conv1.weight"].tolist() == [100, 0, 0, 0]
    assert left.components["fc1.weight"] == pytest.approx([100, 100 / 6, 0, 0])
    assert left.together == pytest.approx([100, 100 / 8, 0, 0])
    assert left.layers == pytest.approx({"conv1.weight": 25, "fc1.weight": 100 * 7 / 24, "fc2.weight": 100})


def test_real_networks_have_no_components(small_experiment):
    survival = details.survival(small_experiment.runs("real"))
    assert survival.components == {}
    assert survival.together.size == 0


@pytest.mark.parametrize(
    ("shape", "components"),
    [((4, 3, 2), True), ((4, 3, 3, 2, 2), True), ((4, 3), False), ((4, 4, 2, 2), False), ((3, 3, 2), False)],
)
def test_a_quaternion_weight_has_a_leading_axis_of_four(shape, components):
    assert details.is_quaternion(shape) is components


def test_only_rounds_that_all_runs_have_are_counted(copied, small_runs):
    (copied.path / "rounds" / "03" / "result.json").unlink()
    assert len(details.survival([copied, small_runs[1]]).layers) == 3
    assert [training.round for training in details.trainings([copied, small_runs[1]])] == [0, 1, 2]


def test_a_damaged_mask_is_named(copied):
    (copied.path / "rounds" / "02" / "mask.npz").write_bytes(b"no archive")
    with pytest.raises(RunError, match=r"rounds/02/mask.npz: not a readable .npz file"):
        details.survival([copied])


def test_rounds_may_be_missing_between_others(copied, small_runs):
    (copied.path / "rounds" / "01" / "result.json").unlink()
    survival = details.survival([copied, small_runs[1]])
    assert survival.rounds == (0, 2, 3)
    whole = details.survival([small_runs[0], small_runs[1]])
    assert survival.layers == pytest.approx(whole.layers[[0, 2, 3]])
    found = details.trainings([copied, small_runs[1]])
    results = small_runs[0].results()
    assert [(t.round, t.weights_left) for t in found] == [(k, results[k].weights_left) for k in (0, 2, 3)]
    _, chart = charts.layers("real", survival)
    lines = re.findall('<path class="line" d="([^"]*)"', chart.partition('<svg class="chart"')[2])
    assert [line.count("M") for line in lines] == [2, 2]
