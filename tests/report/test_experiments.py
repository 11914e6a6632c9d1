"""What belongs together, and what cannot be compared."""

import json
import shutil
from dataclasses import replace

import pytest

from quatnet.errors import DataError, UsageError
from quatnet.report import points
from quatnet.report.experiments import gather, read
from tests.report.made import LEVELS, experiment, source, trial


def test_a_run_folder_gives_points_settings_and_environment(small_runs):
    run = small_runs[0]
    found = read(run.path)
    assert list(found.points) == points.of_run(run)
    assert (found.settings["epochs"], found.settings["amount"]) == (2, 0.5)
    assert "numpy" in found.environment["packages"]
    assert found.run.path == run.path


def test_a_file_gives_points_only(small_runs):
    found = read(small_runs[0].path / "results.csv")
    assert list(found.points) == points.of_run(small_runs[0])
    assert (found.settings, found.environment, found.run) == ({}, {}, None)


def test_a_folder_of_collected_results_gives_points_and_the_settings_beside_them(small_runs, tmp_path):
    for name in ("results.csv", "config.json", "environment.json"):
        shutil.copy(small_runs[0].path / name, tmp_path)
    found = read(tmp_path)
    assert list(found.points) == points.of_run(small_runs[0])
    assert found.settings["epochs"] == 2
    assert found.environment["python"]
    assert found.run is None


def test_a_folder_with_nothing_but_a_table_is_enough(small_runs, tmp_path):
    shutil.copy(small_runs[0].path / "results.csv", tmp_path)
    assert list(read(tmp_path).points) == points.of_run(small_runs[0])


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"is not a run folder, a results\.csv, or a folder with a results\.csv"):
        read(tmp_path)


def test_a_run_whose_table_was_deleted_is_read_from_its_rounds(small_runs, tmp_path):
    copy = shutil.copytree(small_runs[0].path, tmp_path / "run")
    (copy / "results.csv").unlink()
    assert list(read(copy).points) == points.of_run(small_runs[0])


def test_runs_of_other_networks_data_protocols_and_initial_weights_are_other_experiments():
    first = trial("real", 0, [90.0])
    others = [
        [replace(point, **{name: "other"}) for point in first] for name in ("arch", "dataset", "protocol", "init")
    ]
    titles = [e.title for e in gather([source(trial) for trial in (first, *others)])]
    assert sorted(titles) == [
        "lenet-12 on mnist, protocol imp",
        "lenet-12 on mnist, protocol imp, initial weights other",
        "lenet-12 on mnist, protocol other",
        "lenet-12 on other, protocol imp",
        "other on mnist, protocol imp",
    ]


def test_an_experiment_of_dense_networks_says_that_they_are_not_pruned():
    assert experiment(trial("real", 0, [90.0], protocol="")).title == "lenet-12 on mnist, not pruned"


def test_a_data_set_that_was_given_by_its_path_is_called_by_its_name():
    assert experiment(trial("real", 0, [90.0], dataset="some/where/mine.npz")).title.startswith("lenet-12 on mine,")


def test_accuracies_have_a_row_per_seed_and_a_column_per_round():
    found = experiment(trial("real", 4, [90, 80, 70]), trial("real", 1, [91, 81, 71]), trial("quaternion", 1, [60]))
    assert list(found.curves) == ["real", "quaternion"]
    curve = found.curves["real"]
    assert curve.seeds == (1, 4)
    assert curve.accuracy.tolist() == [[91, 81, 71], [90, 80, 70]]
    assert curve.mean.tolist() == [90.5, 80.5, 70.5]
    assert curve.weights_left.tolist() == list(LEVELS["real"][:3])


def test_points_may_come_in_any_order_and_from_several_sources():
    first, second = trial("real", 0, [90, 80, 70]), trial("real", 1, [91, 81, 71])
    (found,) = gather([source([second[2], first[0], first[2]]), source([second[0], first[1], second[1]])])
    assert found.curves["real"].accuracy.tolist() == [[90, 80, 70], [91, 81, 71]]
    assert list(found.points) == [*first, *second]


def test_curves_are_cut_to_the_rounds_that_all_seeds_have():
    curve = experiment(trial("real", 0, [90, 80, 70]), trial("real", 1, [91, 81])).curves["real"]
    assert curve.accuracy.tolist() == [[90, 80], [91, 81]]
    assert len(curve.weights_left) == len(curve.kept_weights) == 2
    assert curve.rounds == (0, 1)
    assert curve.rounds_of == ((0, 1, 2), (0, 1))


def test_the_run_folders_are_kept_in_the_order_of_their_seeds(small_runs):
    (found,) = gather([read(run.path) for run in reversed(small_runs)])
    assert [run.train_settings.seed for run in found.runs("quaternion")] == [0, 1]
    assert {run.train_settings.algebra for run in found.runs("quaternion")} == {"quaternion"}


def test_a_round_that_is_given_twice_is_an_error_that_names_both_places():
    given = trial("real", 2, [90])
    with pytest.raises(UsageError) as caught:
        gather([source(given, "here"), source(given, "there")])
    assert str(caught.value) == "round 0 of lenet-12, real, seed 2 is given twice: in here and in there"


def test_rounds_may_be_missing_and_those_of_the_seeds_go_together_by_their_numbers():
    whole, other = trial("real", 0, [90, 80, 70, 60]), trial("real", 1, [92, 0, 72, 62])
    curve = experiment(whole, [other[0], other[2], other[3]]).curves["real"]
    assert curve.rounds == (0, 2, 3)
    assert curve.accuracy.tolist() == [[90, 70, 60], [92, 72, 62]]
    assert curve.weights_left.tolist() == [100, 25, 12.5]
    assert curve.kept_weights == (1000, 250, 125)


def test_a_run_without_its_dense_network_is_an_error():
    with pytest.raises(UsageError, match="real, seed 2: round 0, the dense network, is missing"):
        gather([source(trial("real", 2, [90, 80, 70])[1:])])


def test_seeds_may_differ_by_a_unit_and_stand_at_their_median():
    trials = [trial("real", seed, [90, 80], levels=(100.0, left)) for seed, left in enumerate((50.0, 52.0, 51.0))]
    (found,) = gather([source(given, str(k)) for k, given in enumerate(trials)])
    assert found.curves["real"].weights_left.tolist() == [100, 51]


def test_seeds_with_different_numbers_of_weights_are_an_error():
    other = trial("real", 1, [90, 80], levels=(100.0, 60.0))
    with pytest.raises(UsageError, match="seeds 0 and 1 have different numbers of weights left"):
        experiment(trial("real", 0, [90, 80]), other)


def test_runs_with_other_settings_cannot_be_compared():
    sources = [source(trial("real", seed, [90]), f"run{seed}", epochs=20 + seed, seed=seed) for seed in (0, 1)]
    with pytest.raises(UsageError, match="run0 and run1 cannot be compared: epochs 20 and 21"):
        gather(sources)


def test_how_far_a_run_goes_is_no_other_setting():
    given = [{"rounds": 20, "stop_below": 30}, {"rounds": 25, "stop_below": 0}]
    sources = [source(trial("real", seed, [90]), **settings) for seed, settings in enumerate(given)]
    assert gather(sources)[0].curves["real"].seeds == (0, 1)


def test_runs_without_a_finished_round_are_an_error_that_names_them():
    with pytest.raises(UsageError, match="no finished round in here, there"):
        gather([source([], "here"), source([], "there")])


def test_a_run_without_a_finished_round_does_not_disturb_the_others():
    assert gather([source([], "here"), source(trial("real", 0, [90]))])[0].curves["real"].seeds == (0,)


def test_a_damaged_table_in_a_folder_is_an_error_that_names_it(tmp_path):
    (tmp_path / "results.csv").write_text("a,b\n")
    with pytest.raises(DataError, match=r"results\.csv: no column arch"):
        read(tmp_path)


def test_settings_that_an_older_version_did_not_have_are_their_defaults(small_runs, tmp_path):
    copy = shutil.copytree(small_runs[0].path, tmp_path / "run")
    config = json.loads((copy / "config.json").read_text())
    del config["train"]["patience"]
    (copy / "config.json").write_text(json.dumps(config))
    assert read(copy).settings["patience"] == 0
