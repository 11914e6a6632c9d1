"""Sweeps: grids, how far runs are, and the workers of this machine. tests/test_sweep_dask.py has those of a cluster."""

import json
import os
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from quatnet import experiment
from quatnet.errors import DataError, UsageError
from quatnet.experiment import Compute
from quatnet.pruning.lab import Listener
from quatnet.runs import RoundResult, Run, run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position
from quatnet.sweep import Job, grid, jobs_of, local, run, standing
from quatnet.sweep.jobs import Watch, is_finished
from quatnet.sweep.process import Outcome, Task
from tests import small, sweeps

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes and locks are those of POSIX")
TINY = {"arch": "lenet-12", "train-size": 60, "test-size": 60, "epochs": 1, "rounds": 2, "stop-below": 0}


@pytest.fixture
def data(tmp_path):
    return small.write(tmp_path / "small.npz")


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def diary(tmp_path, monkeypatch):
    diary = sweeps.Diary(tmp_path / "diary")
    for name, value in diary.environment(hold=True).items():
        monkeypatch.setenv(name, value)
    return diary


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(run, "FOLLOW_SECONDS", 0.02)


# grids


def test_a_grid_has_a_job_per_combination_of_its_lists_seed_by_seed():
    jobs = jobs_of({"arch": ["lenet-12", "conv-2"], "seeds": [3, 5], "protocol": ["imp", "paper"], "epochs": 7})
    assert [(j.train.seed, j.train.arch, j.prune.protocol, j.train.algebra) for j in jobs] == [
        (seed, arch, protocol, algebra)
        for seed in (3, 5)
        for arch in ("lenet-12", "conv-2")
        for protocol in ("imp", "paper")
        for algebra in ("real", "quaternion")
    ]
    assert {j.train.epochs for j in jobs} == {7}


def test_a_grid_of_one_architecture_compares_real_and_quaternion_with_the_defaults_of_prune():
    real, quaternion = jobs_of({"arch": "lenet"})
    assert real == Job(TrainSettings.for_architecture("lenet", False), PruneSettings())
    assert quaternion == Job(TrainSettings.for_architecture("lenet", True), PruneSettings())


def test_a_whole_number_in_a_grid_gives_the_folder_of_the_same_option():
    job, _ = jobs_of({"arch": "lenet-12", "rate": 1, "stop-below": 0, "amount": 0.5})
    train = TrainSettings.for_architecture("lenet-12", False, rate=1.0)
    assert job.name == run_name(train, PruneSettings(stop_below=0.0, amount=0.5))


@pytest.mark.parametrize(
    ("seeds", "numbers"), [(7, [7]), ([2, 0], [2, 0]), ("1-3", [1, 2, 3]), ("0-1,5, 8-8", [0, 1, 5, 8]), ("4", [4])]
)
def test_seeds_are_numbers_or_ranges(seeds, numbers):
    assert [job.train.seed for job in jobs_of({"arch": "lenet-12", "seeds": seeds, "algebra": "real"})] == numbers


def test_protocol_none_only_trains():
    jobs = jobs_of({"arch": "lenet-12", "protocol": ["none", "imp"], "rounds": 3, "algebra": "real", "amount": 0.4})
    assert [job.prune for job in jobs] == [None, PruneSettings(rounds=3, amount=0.4)]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"epoch": 3}, ("unknown key 'epoch'", "did you mean epochs?", "train-size")),
        ({"train_size": 3}, ("unknown key 'train_size'", "did you mean train-size?")),
        ({"seed": 3}, ("unknown key 'seed'", "did you mean seeds?")),
        ({"quaternion": True}, ("unknown key 'quaternion'", "algebra")),
        ({"epochs": "3"}, ("epochs: '3' given", "an integer")),
        ({"epochs": True}, ("epochs: True given", "an integer")),
        ({"epochs": 2.5}, ("epochs: 2.5 given", "an integer")),
        ({"epochs": [1, 2]}, ("epochs: [1, 2] given", "an integer")),
        ({"rate": "fast"}, ("rate: 'fast' given", "a number")),
        ({"rate": -1}, ("rate: -1 given", "more than 0")),
        ({"augment": 1}, ("augment: 1 given", "true or false")),
        ({"criterion": 1}, ("criterion: 1 given", "a text")),
        ({"rounds": 0}, ("rounds: 0 given", "1 or more")),
        ({"arch": []}, ("arch: an empty list", "at least one")),
        ({"arch": 12}, ("arch: 12 given", "a text")),
        ({"arch": "lenet-13"}, ("arch: 'lenet-13' given", "did you mean lenet-12?")),
        ({"arch": ["lenet", "lenet-300-100"]}, ("arch: lenet-300-100 is given twice",)),
        ({"algebra": ["real", "real"]}, ("algebra: real is given twice",)),
        ({"algebra": "octonion"}, ("algebra: 'octonion' given", "real, quaternion")),
        ({"algebra": [["real"]]}, ("algebra: ['real'] given", "real, quaternion")),
        ({"protocol": "imps"}, ("protocol: 'imps' given", "imp, paper, finetune, reinit, none")),
        ({"init": "kaiming"}, ("init: 'kaiming' given", "paper", "he", "glorot")),
        ({"dataset": 1}, ("dataset: 1 given", "a text")),
        ({"seeds": "0-2,1"}, ("seeds: 1 is given twice",)),
        ({"seeds": "4-2"}, ("seeds: '4-2' given", "0-4,7")),
        ({"seeds": "one"}, ("seeds: 'one' given", "0-4,7")),
        ({"seeds": 1.5}, ("seeds: 1.5 given", "an integer")),
        ({"seeds": -1}, ("seed: -1 given", "0 or more")),
        ({"protocol": "none", "rounds": 3}, ("rounds", "nothing is pruned with protocol none")),
        ({"protocol": ["imp", "paper"], "fresh-optimizer": True}, ("fresh-optimizer", "only --protocol paper")),
        ({"rewind-epoch": 20}, ("rewind-epoch: 20 given", "less than the 20 epochs")),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_grid_is_named_with_what_was_given_and_what_is_allowed(given, parts):
    with pytest.raises(UsageError) as error:
        jobs_of({"arch": "lenet-12", **given})
    assert [part for part in parts if part not in str(error.value)] == []
    assert "\n" not in str(error.value)


def test_a_grid_needs_an_architecture():
    with pytest.raises(UsageError, match="arch: none given"):
        jobs_of({"seeds": "0-3"})


def test_a_grid_is_read_from_a_toml_file(tmp_path):
    (tmp_path / "grid.toml").write_text('arch = "lenet-12"\nseeds = [0, 2]\n# why\nrate = 1e-3\n')
    assert grid.read(tmp_path / "grid.toml") == {"arch": "lenet-12", "seeds": [0, 2], "rate": 1e-3}


@pytest.mark.parametrize("content", [b"arch = ", b'arch = "a"\narch = "b"\n', b'arch = "\xff"'])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    (tmp_path / "grid.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"grid\.toml: not a TOML file"):
        grid.read(tmp_path / "grid.toml")


# how far a run is


@pytest.mark.parametrize("protocol", ["imp", "paper", "finetune", "reinit"])
@pytest.mark.parametrize("stop_below", [0, 99.9], ids=["all rounds", "stopped early"])
def test_a_run_is_finished_when_its_last_round_is_and_begun_before(runs_dir, data, protocol, stop_below):
    job = Job(small.train_settings(data, rate=1e-9), PruneSettings(rounds=3, protocol=protocol, stop_below=stop_below))
    states = [standing(job, runs_dir).state]
    listener = Listener(
        epoch=lambda *arguments: states.append(standing(job, runs_dir).state),
        finished=lambda *arguments: states.append(standing(job, runs_dir).state),
    )
    small.experiment(runs_dir, job.train, job.prune, listener)
    assert states[0] == "new"
    assert set(states[1:-1]) == {"begun"}
    assert states[-1] == "finished"


def results(*accuracies, first):
    return [RoundResult(k, 50.0, 10, accuracy, 1, 0.5, 0.5) for k, accuracy in enumerate(accuracies, start=first)]


@pytest.mark.parametrize(
    ("searched", "reported", "finished"),
    [
        ((60, 40), (90, 90, 90), False),
        ((40, 40), (90, 90), False),
        ((40, 40), (90, 90, 90), True),
        ((40, 60, 40, 40), (90, 90, 90), False),
        ((60, 60, 60, 60, 60), (90, 40, 40), True),
    ],
)
def test_where_the_search_for_masks_stopped_early_no_more_rounds_are_wanted(data, searched, reported, finished):
    job = Job(small.train_settings(data), PruneSettings(rounds=5, protocol="paper", stop_below=50))
    assert is_finished(job, results(*reported, first=0), results(*searched, first=1)) is finished


@pytest.mark.parametrize(
    ("searched", "retrained", "finished"),
    [((90, 80, 70), (), False), ((90, 80, 70), (2,), False), ((90, 80, 70), (2, 3), True), ((20,), (), False),
     ((20, 20), (2,), True), ((20, 20), (), False)],
)  # fmt: skip
def test_of_chosen_rounds_those_that_the_search_has_reached_finish_a_run(data, searched, retrained, finished):
    prune = PruneSettings(rounds=3, protocol="paper", stop_below=50, retrain_rounds=(2, 3))
    job = Job(small.train_settings(data), prune)
    reported = results(90, first=0) + [result for k in retrained for result in results(80, first=k)]
    assert is_finished(job, reported, results(*searched, first=1)) is finished


def test_a_standing_says_in_which_round_and_epoch_a_run_is(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings(protocol="paper"))
    seen = []

    def look(*arguments):
        now = standing(job, runs_dir)
        seen.append((now.position, now.epoch, len(now.results), len(now.searched)))

    small.experiment(runs_dir, job.train, job.prune, Listener(epoch=look))
    assert seen[:6:2] == [
        (Position(Phase.ROUNDS, 0), 1, 0, 0),
        (Position(Phase.SEARCH, 1), 1, 1, 0),
        (Position(Phase.SEARCH, 2), 1, 1, 1),
    ]
    assert seen[-1] == (Position(Phase.ROUNDS, 2), 2, 2, 2)


def test_more_rounds_than_there_are_make_a_finished_run_one_that_is_begun(runs_dir, data):
    train = small.train_settings(data)
    small.experiment(runs_dir, train, small.prune_settings(rounds=2))
    states = [standing(Job(train, small.prune_settings(rounds=n)), runs_dir).state for n in (1, 2, 3)]
    assert states == ["finished", "finished", "begun"]


def test_a_pruned_run_is_finished_for_a_job_that_only_trains(runs_dir, data):
    train = small.train_settings(data)
    small.experiment(runs_dir, train, PruneSettings(rounds=1))
    assert standing(Job(train), runs_dir).state == "finished"


def test_a_run_that_was_pruned_in_another_way_is_not_finished(runs_dir, data):
    train = small.train_settings(data)
    made = small.experiment(runs_dir, train, small.prune_settings(amount=0.5))
    job = Job(train, small.prune_settings())
    made.path.rename(runs_dir / job.name)
    assert standing(job, runs_dir).state == "begun"


def test_a_damaged_run_says_why(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    made = small.experiment(runs_dir, job.train, job.prune)
    (made.path / "config.json").write_text("{")
    found = standing(job, runs_dir)
    assert found.state == "damaged"
    assert "config.json" in found.error


def test_the_line_of_an_epoch_that_is_being_written_does_not_count(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    metrics = small.experiment(runs_dir, job.train, job.prune).path / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() + b'{"phase": "rou')
    assert standing(job, runs_dir).epoch == 2
    metrics.write_bytes(b'{"phase": "rou')
    assert standing(job, runs_dir).position is None


def test_metrics_that_are_no_metrics_are_damage(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    path = small.experiment(runs_dir, job.train, job.prune).path
    (path / "metrics.jsonl").write_text('{"phase": "dreams", "round": 1, "epoch": 2}\n')
    found = standing(job, runs_dir)
    assert (found.state, found.error.partition(":")[0]) == ("damaged", str(path / "metrics.jsonl"))


def test_a_watch_sees_what_changes_and_reads_nothing_else_again(runs_dir, data, monkeypatch):
    first, second = sweeps.jobs(data, seeds=(0,))
    watch = Watch([first, second], runs_dir)
    assert [s.state for s in watch.look()] == ["new", "new"]
    small.experiment(runs_dir, second.train, second.prune)
    assert [s.state for s in watch.look()] == ["new", "finished"]
    monkeypatch.setattr(Run, "results", lambda *arguments: pytest.fail("read again"))
    assert [s.state for s in watch.look()] == ["new", "finished"]


# the workers of one machine


def test_a_sweep_makes_the_runs_that_prune_makes_bit_for_bit(runs_dir, tmp_path):
    jobs = [*jobs_of({**TINY, "algebra": "real"}), *jobs_of({**TINY, "algebra": "quaternion", "protocol": "paper"})]
    assert [s.state for s in sweeps.sweep(jobs, runs_dir=runs_dir)] == ["finished"] * 2
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "one after the other")


def test_a_job_without_pruning_is_only_trained(runs_dir, data):
    (done,) = sweeps.sweep([Job(small.train_settings(data))], runs_dir=runs_dir)
    assert (done.state, [result.round for result in done.results]) == ("finished", [0])
    assert Run(done.path).prune_settings is None


@pytest.mark.parametrize(("given", "threads"), [(None, 1), (2, 2)])
def test_a_run_has_one_thread_unless_more_are_given_and_blas_has_as_many(runs_dir, data, given, threads):
    (done,) = sweeps.sweep([Job(small.train_settings(data))], runs_dir=runs_dir, compute=Compute(threads=given))
    environment = json.loads((done.path / "environment.json").read_text())
    assert environment["threads"] == threads
    assert {blas["num_threads"] for blas in environment["blas"]} <= {threads}


def test_an_interrupted_sweep_that_goes_on_ends_like_one_that_was_not(runs_dir, data, tmp_path, diary):
    jobs = [*sweeps.jobs(data, seeds=(0,), epochs=2), sweeps.jobs(data, seeds=(1,))[0]]

    def interrupt(standings):
        if sum(s.epoch == 1 for s in standings) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweeps.sweep(jobs, runs_dir=runs_dir, workers=2, follow=interrupt)
    assert not any(map(sweeps.is_alive, diary.processes()))
    assert [standing(job, runs_dir).state for job in jobs] == ["begun", "begun", "new"]
    diary.release()
    assert [s.state for s in sweeps.sweep(jobs, runs_dir=runs_dir, workers=2)] == ["finished"] * 3
    diary.check(jobs)
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "through")


def test_a_finished_run_is_not_run_again(runs_dir, data, diary):
    diary.release()
    old, new = sweeps.jobs(data, seeds=(0,))
    sweeps.sweep([old], runs_dir=runs_dir)
    sweeps.sweep([old, new], runs_dir=runs_dir)
    assert len(diary.processes()) == 2
    sweeps.sweep([old, new], runs_dir=runs_dir)
    assert len(diary.processes()) == 2


def test_a_run_that_fails_does_not_stop_the_others(runs_dir, data):
    (good, _), (_, bad) = sweeps.jobs(data, seeds=(0,)), sweeps.jobs(data, seeds=(0,), rate=1e30)
    failed, finished = sweeps.sweep([bad, good], runs_dir=runs_dir, workers=1)
    assert (failed.state, finished.state, finished.error) == ("failed", "finished", None)
    assert "loss is" in failed.error
    assert "try a --rate below" in failed.error


def test_a_run_whose_process_is_killed_has_failed_and_the_others_go_on(runs_dir, data, diary):
    jobs = sweeps.jobs(data, seeds=(0,))

    def kill(standings):
        if standings[0].epoch and (diary.folder / "hold").exists():
            os.kill(diary.processes()[0], signal.SIGKILL)
            diary.release()

    failed, finished = sweeps.sweep(jobs, runs_dir=runs_dir, workers=1, follow=kill)
    assert (failed.state, finished.state) == ("failed", "finished")
    assert failed.error.startswith("its process was ended by signal 9 (")


def test_a_damaged_run_is_tried_and_reported(runs_dir, data):
    job, _ = sweeps.jobs(data, seeds=(0,))
    path = small.experiment(runs_dir, job.train, job.prune).path
    (path / "config.json").write_text("{")
    (done,) = sweeps.sweep([job], runs_dir=runs_dir)
    assert done.state == "failed"
    assert "config.json" in done.error


def test_two_sweeps_of_the_same_jobs_never_do_a_run_twice_at_once(runs_dir, data, diary, tmp_path):
    jobs = sweeps.jobs(data, seeds=(0,))
    done = []

    def go():
        done.append(sweeps.sweep(jobs, runs_dir=runs_dir, workers=2))

    both = [threading.Thread(target=go) for _ in range(2)]
    for thread in both:
        thread.start()
    sweeps.wait_for(lambda: len(diary.processes("wait")) == 2, "two processes that wait for the others")
    diary.release()
    for thread in both:
        thread.join(sweeps.PATIENCE)
    assert [[s.state for s in standings] for standings in done] == [["finished"] * 2] * 2
    assert len(diary.processes()) == 4
    assert len(diary.processes("epoch")) == 2
    diary.check(jobs)
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "once")


def test_a_run_in_use_by_another_command_fails_and_says_so(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    lab = experiment.start(runs_dir, job.train, job.prune)
    with lab.run.locked():
        (done,) = sweeps.sweep([job], runs_dir=runs_dir)
    assert done.error.endswith("is in use by another process")


def test_the_standings_are_followed_from_the_state_at_the_beginning_to_the_end(runs_dir, data):
    jobs = sweeps.jobs(data, seeds=(0,))
    small.experiment(runs_dir, jobs[1].train, jobs[1].prune)
    followed = []
    done = sweeps.sweep(jobs, runs_dir=runs_dir, follow=followed.append)
    assert [s.state for s in followed[0]] == ["new", "finished"]
    assert followed[-1] == done
    assert all([s.job for s in standings] == jobs for standings in followed)


@pytest.mark.parametrize(("given", "message"), [({"train_size": 999}, "999"), ({"width": 0.5}, "multiple of 4")])
def test_settings_that_do_not_fit_data_or_network_are_said_before_any_run_is_made(runs_dir, data, given, message):
    jobs = [Job(small.train_settings(data, quaternion=quaternion, **given)) for quaternion in (False, True)]
    with pytest.raises(UsageError, match=message):
        run.run_jobs(jobs, runs_dir=runs_dir)
    assert not list(runs_dir.glob("*/config.json"))


def test_missing_data_are_said_before_any_run_is_made(runs_dir, tmp_path):
    jobs = [*jobs_of(TINY), *jobs_of({**TINY, "dataset": "mnist"})]
    with pytest.raises(DataError, match="quatnet data fetch mnist"):
        sweeps.sweep(jobs, runs_dir=runs_dir, data_dir=tmp_path / "empty")
    assert not runs_dir.exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"workers": 0}, "--workers: 0 given; 1 or more"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:8786"}, "--workers 2: not with --scheduler"),
        ({"scheduler": "127.0.0.1"}, "--scheduler: '127.0.0.1' given; an address such as tcp://HOST:8786"),
        ({"compute": Compute("tpu")}, "--device: 'tpu' given"),
    ],
    ids=str,
)
def test_options_of_a_sweep_that_are_wrong_are_named(runs_dir, data, options, part):
    with pytest.raises(UsageError, match=part):
        sweeps.sweep(sweeps.jobs(data), runs_dir=runs_dir, **options)


def test_jobs_with_one_run_folder_are_an_error(runs_dir, data):
    train = small.train_settings(data)
    with pytest.raises(UsageError, match="jobs: 2 of them have the run folder lenet-12-quaternion-small-seed0-"):
        sweeps.sweep([Job(train, PruneSettings(rounds=n)) for n in (2, 3)], runs_dir=runs_dir)
    with pytest.raises(UsageError, match="jobs: none given"):
        sweeps.sweep([], runs_dir=runs_dir)


def test_without_dask_a_scheduler_is_an_error_that_names_the_extra(runs_dir, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"Dask is not installed here \(extra `cluster`\)"):
        sweeps.sweep(sweeps.jobs(data), runs_dir=runs_dir, scheduler="tcp://127.0.0.1:8786")


def test_a_run_whose_results_are_never_seen_has_failed(runs_dir, data, monkeypatch):
    monkeypatch.setattr(run, "VISIBLE_SECONDS", 0.1)
    monkeypatch.setattr(local, "execute", lambda task, stop: Outcome())
    job, _ = sweeps.jobs(data, seeds=(0,))
    (done,) = sweeps.sweep([job], runs_dir=runs_dir)
    assert (done.state, done.error) == ("failed", "a worker has finished it, but its results are not seen here")


@pytest.mark.parametrize("prune", [None, PruneSettings(rounds=3)], ids=["trained", "pruned"])
def test_a_task_is_the_same_after_its_way_to_another_process(data, prune):
    task = Task(Job(small.train_settings(data), prune), "runs", "data", Compute("gpu", threads=3), ".")
    assert Task.from_json(task.to_json()) == task


def test_workers_take_the_devices_in_turn(data, monkeypatch):
    together = threading.Barrier(5, timeout=sweeps.PATIENCE)
    taken = []

    def execute(task, stop):
        taken.append(task.compute.device)
        together.wait()
        return Outcome()

    monkeypatch.setattr(local, "execute", execute)
    task = Task(sweeps.jobs(data)[0], "runs", None, Compute("gpu"), ".")
    with local.Local(5, ["gpu:0", "gpu:1"]) as workers:
        for future in [workers.submit(task) for _ in range(10)]:
            future.result()
    assert sorted(taken) == ["gpu:0"] * 6 + ["gpu:1"] * 4


@pytest.mark.parametrize(
    ("device", "found"),
    [
        ("gpu", ["gpu:0", "gpu:1", "gpu:2"]),
        ("auto", ["gpu:0", "gpu:1", "gpu:2"]),
        ("gpu:1", ["gpu:1"]),
        ("cpu", ["cpu"]),
    ],
)
def test_all_gpus_are_shared_out_unless_one_is_chosen(monkeypatch, device, found):
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 3)))
    monkeypatch.setattr("quatnet.backend.select", lambda device: np if device == "cpu" else cupy)
    assert local.devices(device) == found
