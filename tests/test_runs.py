"""The run folder: names, atomic order of writes, checksums, and an error in one line for everything damaged."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import quatnet
from quatnet import runs
from quatnet.errors import DataError, QuatnetError, RunError, UsageError
from quatnet.pruning.masks import Masks
from quatnet.runs import DataDescription, RoundResult, Run, check_same_settings, list_runs, run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position
from quatnet.training import EpochResult, Progress, TrainingData
from tests import small

SETTINGS = TrainSettings.for_architecture("lenet-12", True, seed=3)
DATA = DataDescription("0123456789abcdef", 60, 25, (4, 4, 1), ("a", "b"), (0.5,), (0.25,))
INITIAL = {"fc1.weight": np.arange(8.0).reshape(4, 1, 2), "fc1.bias": np.zeros(8)}
MASKS = Masks({"fc1.weight": np.arange(8).reshape(4, 1, 2) % 3 > 0})
RESULT = RoundResult(1, 25.5, 5, 81.25, 2, 0.1, 0.2)
ROUND_1, SEARCH_1 = Position(Phase.ROUNDS, 1), Position(Phase.SEARCH, 1)
ARRAYS = {"value": np.arange(16.0), "mask": np.arange(16) % 3 > 0, "m": np.ones(16), "v": np.full(16, 2.0)}


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", SETTINGS, DATA, INITIAL, {"python": "3"})


@pytest.fixture
def saved(run):
    """A run with round 1 saved."""
    run.save_round(ROUND_1, INITIAL, MASKS, RESULT)
    return run


@pytest.fixture
def writes(monkeypatch):
    """The names of all files in the order in which they take their place."""
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: seen.append(Path(new).name) or replace(old, new))
    return seen


def epoch(number, validation_loss=None):
    return EpochResult(number, 1 / number, 2 / number, 100 / 3, 0.125, validation_loss)


def progress(epochs):
    return Progress(epochs, epoch(epochs))


def save_epochs(run, *epochs):
    for number in epochs:
        run.save_checkpoint(ROUND_1, progress(number), ARRAYS, 7)


def one_line_error(error, call, *parts):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message


# names


def test_the_name_says_architecture_algebra_data_and_seed_and_hashes_the_rest():
    digest = hashlib.sha256(b"{}").hexdigest()[:8]
    settings = TrainSettings.for_architecture("conv-2", False)
    assert run_name(settings, None) == f"conv-2-real-shapes-seed0-{digest}"


def test_the_hash_is_that_of_the_settings_that_differ_from_the_defaults():
    train = TrainSettings.for_architecture("lenet", True, seed=3, epochs=2)
    digest = hashlib.sha256(b'{"amount": 0.5, "epochs": 2, "seed": 3}').hexdigest()[:8]
    assert run_name(train, PruneSettings(amount=0.5)) == f"lenet-quaternion-mnist-mini-seed3-{digest}"


def test_a_data_set_in_a_file_is_named_without_its_folder_and_suffix():
    train = TrainSettings.for_architecture("lenet", True, dataset="some/where/own.npz")
    assert run_name(train, None).startswith("lenet-quaternion-own-seed0-")


def test_two_files_of_one_name_make_two_runs():
    names = {run_name(replace(SETTINGS, dataset=f"{folder}/own.npz"), None) for folder in "ab"}
    assert len(names) == 2


@pytest.mark.parametrize(
    "other",
    [{"epochs": 3}, {"rate": 0.5}, {"augment": False}, {"init": "he"}, {"seed": 4}, {"quaternion": False}],
    ids=str,
)
def test_another_training_makes_another_run(other):
    assert run_name(replace(SETTINGS, **other), None) != run_name(SETTINGS, None)


@pytest.mark.parametrize(
    "other", [{"amount": 0.5}, {"criterion": "random"}, {"protocol": "paper"}, {"rewind_epoch": 1}, {"stop_below": 0}]
)
def test_another_pruning_makes_another_run(other):
    assert run_name(SETTINGS, PruneSettings(**other)) != run_name(SETTINGS, PruneSettings())


def test_the_default_pruning_goes_on_with_the_dense_run():
    assert run_name(SETTINGS, PruneSettings(rounds=5)) == run_name(SETTINGS, None)


# making and opening


def test_a_new_run_holds_settings_data_and_initial_weights(run):
    found = Run(run.path)
    assert (found.train_settings, found.prune_settings, found.data) == (SETTINGS, None, DATA)
    for name, values in INITIAL.items():
        np.testing.assert_array_equal(found.initial()[name], values)


def test_a_new_run_holds_its_environment(run):
    assert json.loads((run.path / "environment.json").read_text()) == {"python": "3"}


def test_the_settings_file_has_every_setting_and_a_schema(run):
    config = json.loads((run.path / "config.json").read_text())
    assert config["schema"] == 1
    assert (config["train"]["seed"], config["train"]["momentum"]) == (3, 0.9)


def test_the_settings_are_written_last(tmp_path, writes):
    Run.create(tmp_path / "run", SETTINGS, DATA, INITIAL, {})
    assert sorted(writes) == ["config.json", "environment.json", "initial.npz"]
    assert writes[-1] == "config.json"


def test_a_folder_without_settings_is_no_run(tmp_path):
    one_line_error(UsageError, lambda: Run(tmp_path), tmp_path, "is not a run folder")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"schema": 1}',
        '{"schema": 1, "train": [], "prune": null, "data": {}}',
        '{"schema": 1, "train": {"arch": "lenet-12"}, "prune": null, "data": {}}',
    ],
)
def test_damaged_settings_are_a_one_line_error(run, content):
    (run.path / "config.json").write_text(content)
    one_line_error(RunError, lambda: Run(run.path), run.path / "config.json")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("train", {"epochs": 0}),
        ("train", {"epochs": "two"}),
        ("train", {"colour": "red"}),
        ("prune", {"rounds": 0}),
        ("data", []),
        ("data", {"fingerprint": 1}),
    ],
)
def test_settings_that_are_none_are_a_one_line_error(run, part, value):
    config = json.loads((run.path / "config.json").read_text())
    config[part] = {**config[part], **value} if part == "train" else value
    (run.path / "config.json").write_text(json.dumps(config))
    one_line_error(RunError, lambda: Run(run.path), run.path / "config.json", "not the settings of a run")


def test_another_schema_is_a_one_line_error(run):
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**config, "schema": 2}))
    one_line_error(RunError, lambda: Run(run.path), run.path, "schema 2 given; this quatnet reads schema 1")


@pytest.mark.parametrize("content", [None, b"", b"PK", b"no archive"])
def test_missing_or_damaged_initial_weights_are_a_one_line_error(run, content):
    path = run.path / "initial.npz"
    path.unlink() if content is None else path.write_bytes(content)
    one_line_error(RunError, run.initial, path)


# settings that fit and settings that do not


def test_pruning_settings_are_kept_in_the_folder(run):
    run.set_prune_settings(PruneSettings(rounds=5))
    assert Run(run.path).prune_settings == PruneSettings(rounds=5)


def test_other_pruning_settings_are_an_error_that_names_them(run):
    run.set_prune_settings(PruneSettings(amount=0.5, criterion="random"))
    message = one_line_error(UsageError, lambda: run.set_prune_settings(PruneSettings()), run.path)
    assert message.endswith("amount 0.5 there, 0.2 given, criterion random there, global given")
    assert Run(run.path).prune_settings.amount == 0.5


@pytest.mark.parametrize("protocol", ["imp", "finetune"])
def test_the_number_of_rounds_may_grow_where_more_rounds_continue_fewer(run, protocol):
    for rounds in (5, 7, 6):
        run.set_prune_settings(PruneSettings(rounds=rounds, protocol=protocol))
    assert Run(run.path).prune_settings.rounds == 7


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_the_number_of_rounds_is_fixed_where_all_masks_are_searched_first(run, protocol):
    run.set_prune_settings(PruneSettings(rounds=5, protocol=protocol))
    more = PruneSettings(rounds=7, protocol=protocol)
    one_line_error(UsageError, lambda: run.set_prune_settings(more), "rounds 5 there, 7 given")


def test_only_settings_that_differ_are_named():
    old, new = {"a": 1, "batch_size": 20, "c": 3}, {"a": 1, "batch_size": 30, "c": 3}
    message = one_line_error(UsageError, lambda: check_same_settings(Path("run"), old, new))
    assert message == "run was made with other settings: batch-size 20 there, 30 given"


def test_rewinding_to_an_epoch_does_not_go_with_early_stopping(run):
    early = replace(run.train_settings, epochs=9, patience=2, validation_size=9)
    one_line_error(UsageError, lambda: PruneSettings(rewind_epoch=3).check_training(early), "not with --patience")


# data


@pytest.fixture
def describe(tmp_path):
    """The description of a small set after changing its arrays."""

    def make(change=lambda arrays: None, **given):
        arrays = small.arrays()
        change(arrays)
        np.savez(tmp_path / "small.npz", **arrays)
        settings = small.train_settings(tmp_path / "small.npz", **given)
        return DataDescription.of(TrainingData.cut(quatnet.data.load(settings.dataset), settings))

    return make


def change_first_pixel(name):
    def change(arrays):
        arrays[name].reshape(-1)[0] ^= 1

    return change


def swap_labels(name):
    def change(arrays):
        arrays[name][[0, 1]] = arrays[name][[1, 0]]

    return change


def test_a_description_holds_what_images_are_like(describe):
    found = describe()
    assert (found.train_images, found.test_images, found.input_shape) == (60, 25, (4, 4, 1))
    assert found.class_names == ("0", "1", "2")
    pixels = small.arrays()["x_train"] / 255
    assert (found.mean[0], found.std[0]) == pytest.approx((pixels.mean(), pixels.std()))


def test_equal_data_have_equal_fingerprints(describe):
    assert describe() == describe()


@pytest.mark.parametrize(
    "change",
    [change_first_pixel("x_train"), change_first_pixel("x_test"), swap_labels("y_train"), swap_labels("y_test")],
    ids=["a training pixel", "a test pixel", "two training labels", "two test labels"],
)
def test_a_single_change_of_the_data_gives_another_fingerprint(describe, change):
    assert describe(change).fingerprint != describe().fingerprint


def test_a_change_of_an_image_held_out_for_validation_gives_another_fingerprint(describe):
    fingerprints = set()
    for image in range(60):
        fingerprints.add(describe(lambda arrays, k=image: arrays["x_train"][k].fill(k), validation_size=9).fingerprint)
    assert len(fingerprints) == 60


def test_a_run_of_the_same_data_goes_on(run):
    run.check_data(replace(DATA))


def test_a_run_of_other_data_is_an_error(run):
    other = replace(DATA, fingerprint="f" * 16, train_images=1234)
    message = one_line_error(DataError, lambda: run.check_data(other), run.path, SETTINGS.dataset)
    assert message.endswith("(60 + 25 images then, 1,234 + 25 now)")


# rounds


def test_a_round_comes_back_as_it_was_saved(saved):
    weights, masks = saved.load_round(ROUND_1)
    assert list(weights) == list(INITIAL)
    for name, values in INITIAL.items():
        np.testing.assert_array_equal(weights[name], values)
    np.testing.assert_array_equal(masks.dense()["fc1.weight"], MASKS.dense()["fc1.weight"])


def test_a_result_comes_back_as_it_was_saved(saved):
    assert Run(saved.path).results() == [RESULT]


def test_the_result_is_written_after_weights_and_mask(run, writes):
    run.save_round(ROUND_1, INITIAL, MASKS, RESULT)
    assert writes[:3] == ["weights.npz", "mask.npz", "result.json"]


def test_a_round_without_a_result_is_not_finished(run, monkeypatch):
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: 1 / 0 if Path(new).name == "result.json" else replace(old, new))
    with pytest.raises(ZeroDivisionError):
        run.save_round(ROUND_1, INITIAL, MASKS, RESULT)
    assert (run.path / "rounds" / "01" / "weights.npz").is_file()
    assert not run.is_finished(ROUND_1)
    assert run.results() == []


def test_rounds_and_the_search_are_kept_apart(saved):
    assert saved.is_finished(ROUND_1)
    assert not saved.is_finished(SEARCH_1)
    assert saved.results(Phase.SEARCH) == []


@pytest.mark.parametrize(("position", "folder"), [(ROUND_1, "rounds/01"), (Position(Phase.SEARCH, 12), "search/12")])
def test_a_round_has_a_folder_of_its_own(run, position, folder):
    run.save_round(position, INITIAL, MASKS, RESULT)
    assert {path.name for path in (run.path / folder).iterdir()} == {"weights.npz", "mask.npz", "result.json"}


def test_results_are_in_the_order_of_the_rounds(run):
    for k in (100, 9, 11, 0):
        run.save_round(Position(Phase.ROUNDS, k), INITIAL, MASKS, replace(RESULT, round=k))
    assert [result.round for result in run.results()] == [0, 9, 11, 100]


@pytest.mark.parametrize("name", ["weights.npz", "mask.npz"])
def test_a_file_that_is_not_the_one_written_is_a_one_line_error(saved, name):
    path = saved.folder(ROUND_1) / name
    np.savez(path, **{"fc1.weight": np.zeros((4, 1, 2)), "fc1.bias": np.zeros(8)})
    one_line_error(RunError, lambda: saved.load_round(ROUND_1), path, "is damaged: its SHA-256 is not the one")


@pytest.mark.parametrize("name", ["weights.npz", "mask.npz"])
def test_a_missing_file_of_a_round_is_a_one_line_error(saved, name):
    path = saved.folder(ROUND_1) / name
    path.unlink()
    one_line_error(RunError, lambda: saved.load_round(ROUND_1), f"{path} is missing")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "1", '{"round": 1, "sha256": {}}', '{"sha256": []}'])
def test_a_damaged_result_is_a_one_line_error(saved, content):
    path = saved.folder(ROUND_1) / "result.json"
    path.write_text(content)
    one_line_error(RunError, saved.results, path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "1", '{"sha256": []}', '{"sha256": {}}'])
def test_a_result_without_checksums_is_a_one_line_error(saved, content):
    (saved.folder(ROUND_1) / "result.json").write_text(content)
    one_line_error(RunError, lambda: saved.load_round(ROUND_1), saved.folder(ROUND_1))


# results.csv


def test_results_csv_has_one_line_per_round(run):
    run.set_prune_settings(PruneSettings(protocol="finetune"))
    for k in (0, 1):
        run.save_round(Position(Phase.ROUNDS, k), INITIAL, MASKS, replace(RESULT, round=k))
    assert (run.path / "results.csv").read_text() == (
        "arch,dataset,algebra,protocol,init,seed,round,weights_left,kept_weights,accuracy\n"
        "lenet-12,mnist-mini,quaternion,finetune,paper,3,0,25.5,5,81.25\n"
        "lenet-12,mnist-mini,quaternion,finetune,paper,3,1,25.5,5,81.25\n"
    )


def test_results_csv_of_a_dense_run_has_no_protocol(tmp_path):
    run = Run.create(tmp_path / "run", replace(SETTINGS, quaternion=False), DATA, INITIAL, {})
    run.save_round(Position(Phase.ROUNDS, 0), INITIAL, MASKS, replace(RESULT, round=0))
    line = (run.path / "results.csv").read_text().splitlines()[1]
    assert line == "lenet-12,mnist-mini,real,,paper,3,0,25.5,5,81.25"


def test_results_csv_leaves_out_the_search(run):
    run.save_round(SEARCH_1, INITIAL, MASKS, RESULT)
    assert len((run.path / "results.csv").read_text().splitlines()) == 1


def test_results_csv_is_brought_up_to_date_when_it_is_not(saved):
    path = saved.path / "results.csv"
    content = path.read_text()
    for change in (path.unlink, lambda: path.write_text("old")):
        change()
        saved.write_results()
        assert path.read_text() == content


def test_results_csv_is_not_written_again_when_it_is_up_to_date(saved, writes):
    saved.write_results()
    assert writes == []


# checkpoints


def test_a_run_without_an_epoch_has_no_checkpoint(run):
    assert run.load_checkpoint() is None


@pytest.mark.parametrize("position", [ROUND_1, SEARCH_1])
def test_a_checkpoint_comes_back_as_it_was_saved(run, position):
    run.save_checkpoint(position, progress(2), ARRAYS, 7)
    found = run.load_checkpoint()
    assert (found.position, found.progress, found.steps) == (position, progress(2), 7)
    assert list(found.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_the_best_epoch_and_its_weights_come_back_with_a_checkpoint(run):
    best = np.arange(16.0) / 3
    run.save_checkpoint(ROUND_1, Progress(3, epoch(3, 0.5), epoch(1, 0.1), best), ARRAYS, 7)
    found = run.load_checkpoint().progress
    assert (found.epochs, found.last, found.best) == (3, epoch(3, 0.5), epoch(1, 0.1))
    np.testing.assert_array_equal(found.best_value, best)


def test_an_epoch_without_a_test_comes_back_with_a_checkpoint(run):
    untested = Progress(3, EpochResult(3, 0.5, None, None, 0.125))
    run.save_checkpoint(ROUND_1, untested, ARRAYS, 7)
    assert run.load_checkpoint().progress == untested
    assert (run.metrics()[-1]["accuracy"], run.metrics()[-1]["test_loss"]) == (None, None)


def test_only_the_last_checkpoint_is_kept(run):
    save_epochs(run, 1, 2, 3)
    assert run.load_checkpoint().progress.epochs == 3
    assert sorted(path.name for path in run.path.iterdir() if "checkpoint" in path.name) == ["checkpoint.npz"]


@pytest.mark.parametrize("call", ["load_checkpoint", "metrics"])
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_a_one_line_error(run, call, part):
    save_epochs(run, 1)
    path = run.path / "checkpoint.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    one_line_error(RunError, getattr(run, call), path)


@pytest.mark.parametrize("call", ["load_checkpoint", "metrics"])
@pytest.mark.parametrize("state", [None, "", "{", "{}", "[]", "1"])
def test_a_checkpoint_without_a_state_is_a_one_line_error(run, call, state):
    save_epochs(run, 1)
    path = run.path / "checkpoint.npz"
    np.savez(path, **ARRAYS, **({} if state is None else {"state": np.array(state)}))
    one_line_error(RunError, getattr(run, call), path, "not a checkpoint")


def test_a_checkpoint_with_a_pickle_is_a_one_line_error(run):
    save_epochs(run, 1)
    np.savez(run.path / "checkpoint.npz", state=np.array([{}], dtype=object))
    one_line_error(RunError, run.load_checkpoint, run.path / "checkpoint.npz")


# metrics.jsonl


def test_metrics_hold_one_object_per_epoch(run):
    assert run.metrics() == []
    run.save_checkpoint(ROUND_1, progress(1), ARRAYS, 7)
    run.save_checkpoint(SEARCH_1, Progress(2, epoch(2, 0.5)), ARRAYS, 7)
    common = {"round": 1, "accuracy": 100 / 3, "seconds": 0.125}
    expected = [
        {"phase": "rounds", "epoch": 1, "loss": 1.0, "test_loss": 2.0, "validation_loss": None, **common},
        {"phase": "search", "epoch": 2, "loss": 0.5, "test_loss": 1.0, "validation_loss": 0.5, **common},
    ]
    assert run.metrics() == expected
    assert [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()] == expected


def test_a_line_whose_checkpoint_was_never_written_is_not_read(run, monkeypatch):
    save_epochs(run, 1)
    monkeypatch.setattr(runs, "write_npz", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_epochs(run, 2)
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 2
    assert [line["epoch"] for line in run.metrics()] == [1]


@pytest.mark.parametrize("rest", ['{"epoch": 99}\n', '{"epoch": 9', "\n\n\n" + 999 * "x"])
def test_a_line_whose_checkpoint_was_never_written_is_dropped_by_the_next_one(run, rest):
    save_epochs(run, 1)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(rest)
    save_epochs(run, 2)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_a_line_without_any_checkpoint_is_dropped_by_the_next_one(run):
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\n')
    assert run.metrics() == []
    save_epochs(run, 2)
    assert [line["epoch"] for line in run.metrics()] == [2]


def test_metrics_that_were_taken_away_begin_anew(run):
    save_epochs(run, 1)
    (run.path / "metrics.jsonl").unlink()
    assert run.metrics() == []
    save_epochs(run, 2)
    assert [line["epoch"] for line in run.metrics()] == [2]


def test_damaged_metrics_are_a_one_line_error(run):
    save_epochs(run, 1)
    path = run.path / "metrics.jsonl"
    path.write_bytes(b"?" + path.read_bytes()[1:])
    one_line_error(RunError, run.metrics, path)


# two processes


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


# lists of runs


def set_time(path, seconds):
    os.utime(path, (seconds, seconds))


def test_runs_are_listed_the_most_recently_active_first(tmp_path):
    for name, made, active in [("a", 100, 400), ("b", 200, None), ("c", 300, 310)]:
        run = Run.create(tmp_path / name, SETTINGS, DATA, INITIAL, {})
        set_time(run.path / "config.json", made)
        if active:
            save_epochs(run, 1)
            set_time(run.path / "checkpoint.npz", active)
    assert [path.name for path in list_runs(tmp_path)] == ["a", "c", "b"]


def test_other_folders_and_files_are_no_runs(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "file.txt").touch()
    assert list_runs(tmp_path) == [run.path]


@pytest.mark.parametrize("folder", [".", "missing"])
def test_where_no_runs_are_the_list_is_empty(tmp_path, folder):
    assert list_runs(tmp_path / folder) == []
