"""Sweeps: how far runs are, and the workers of this machine. tests/test_sweep_dask.py has those of a cluster."""

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
from quatnet.experiment import Listener
from quatnet.fast import Compute
from quatnet.runs import Run
from quatnet.settings import PruneSettings
from quatnet.streams import Phase, Position
from quatnet.sweep import Job, jobs_of, local, run, status_of
from quatnet.sweep.jobs import Watch
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


# how far a run is


@pytest.mark.parametrize("protocol", ["imp", "paper", "finetune", "reinit"])
@pytest.mark.parametrize("stop_below", [0, 99.9], ids=["all rounds", "stopped early"])
def test_a_run_is_finished_when_its_last_round_is_and_begun_before(runs_dir, data, protocol, stop_below):
    job = Job(small.train_settings(data, rate=1e-9), PruneSettings(rounds=3, protocol=protocol, stop_below=stop_below))
    states = [status_of(job, runs_dir).state]
    listener = Listener(
        epoch=lambda *arguments: states.append(status_of(job, runs_dir).state),
        finished=lambda *arguments: states.append(status_of(job, runs_dir).state),
    )
    small.experiment(runs_dir, job.train, job.prune, listener)
    assert states[0] == "new"
    assert set(states[1:-1]) == {"begun"}
    assert states[-1] == "finished"


def test_a_status_says_in_which_round_and_epoch_a_run_is(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings(protocol="paper"))
    seen = []

    def look(*arguments):
        now = status_of(job, runs_dir)
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
    states = [status_of(Job(train, small.prune_settings(rounds=n)), runs_dir).state for n in (1, 2, 3)]
    assert states == ["finished", "finished", "begun"]


def test_a_pruned_run_is_finished_for_a_job_that_only_trains(runs_dir, data):
    train = small.train_settings(data)
    small.experiment(runs_dir, train, PruneSettings(rounds=1))
    assert status_of(Job(train), runs_dir).state == "finished"


def test_a_run_that_was_pruned_in_another_way_is_not_finished(runs_dir, data):
    train = small.train_settings(data)
    made = small.experiment(runs_dir, train, small.prune_settings(amount=0.5))
    job = Job(train, small.prune_settings())
    made.path.rename(runs_dir / job.name)
    assert status_of(job, runs_dir).state == "begun"


def test_a_damaged_run_says_why(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    made = small.experiment(runs_dir, job.train, job.prune)
    (made.path / "config.json").write_text("{")
    found = status_of(job, runs_dir)
    assert found.state == "damaged"
    assert "config.json" in found.error


def test_the_line_of_an_epoch_that_is_being_written_does_not_count(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    metrics = small.experiment(runs_dir, job.train, job.prune).path / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() + b'{"phase": "rou')
    assert status_of(job, runs_dir).epoch == 2
    metrics.write_bytes(b'{"phase": "rou')
    assert status_of(job, runs_dir).position is None


def test_metrics_that_are_no_metrics_are_damage(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    path = small.experiment(runs_dir, job.train, job.prune).path
    (path / "metrics.jsonl").write_text('{"phase": "dreams", "round": 1, "epoch": 2}\n')
    found = status_of(job, runs_dir)
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

    def interrupt(statuses):
        if sum(s.epoch == 1 for s in statuses) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweeps.sweep(jobs, runs_dir=runs_dir, workers=2, follow=interrupt)
    assert not any(map(sweeps.is_alive, diary.processes()))
    assert [status_of(job, runs_dir).state for job in jobs] == ["begun", "begun", "new"]
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

    def kill(statuses):
        if statuses[0].epoch and (diary.folder / "hold").exists():
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
    assert [[s.state for s in statuses] for statuses in done] == [["finished"] * 2] * 2
    assert len(diary.processes()) == 4
    assert len(diary.processes("epoch")) == 2
    diary.check(jobs)
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "once")


def test_a_run_in_use_by_another_command_fails_and_says_so(runs_dir, data):
    job = Job(small.train_settings(data), small.prune_settings())
    begun = experiment.start(runs_dir, job.train, job.prune)
    with begun.run.locked():
        (done,) = sweeps.sweep([job], runs_dir=runs_dir)
    assert done.error.endswith("is in use by another process")


def test_the_statuses_are_followed_from_the_state_at_the_beginning_to_the_end(runs_dir, data):
    jobs = sweeps.jobs(data, seeds=(0,))
    small.experiment(runs_dir, jobs[1].train, jobs[1].prune)
    followed = []
    done = sweeps.sweep(jobs, runs_dir=runs_dir, follow=followed.append)
    assert [s.state for s in followed[0]] == ["new", "finished"]
    assert followed[-1] == done
    assert all([s.job for s in statuses] == jobs for statuses in followed)


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
        ({"workers": 0}, "workers: 0 given; 1 or more"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:8786"}, "workers: 2 given; a cluster has as many"),
        ({"scheduler": "127.0.0.1"}, "scheduler: '127.0.0.1' given; an address such as tcp://HOST:8786"),
        ({"compute": Compute("tpu")}, "device: 'tpu' given"),
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
    assert (done.state, done.error) == ("failed", "a worker has finished it, but its results are not visible here")


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
