"""Sweeps on a Dask cluster: a scheduler and workers that are processes of their own, some of which come to grief."""

import json
import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from quatnet.errors import RunError, UsageError
from quatnet.sweep import cluster, run, status_of
from quatnet.sweep.process import FOLDER, held
from quatnet.version import VERSION
from tests import small, sweeps

distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes and locks are those of POSIX")


class Processes:
    """A scheduler, and workers with one thread each, on the loopback device."""

    def __init__(self, folder: Path, diary: sweeps.Diary) -> None:
        self.folder = folder
        self.diary = diary
        self.all: list[subprocess.Popen] = []
        options = ("--host", "127.0.0.1", "--port", 0, "--dashboard-address", "127.0.0.1:0")
        file = ("--scheduler-file", folder / "address.json")
        self._begin("scheduler", *options, *file, DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="1s")

    def address(self):
        """The address of the scheduler, when it has written it into its file."""
        file = self.folder / "address.json"
        text = sweeps.wait_for(
            lambda: file.exists() and file.read_text().endswith("}") and file.read_text(), "a scheduler"
        )
        return json.loads(text)["address"]

    def worker(self, hold=False):
        """Start a worker; its runs wait after every epoch, if they are held."""
        options = ("--no-nanny", "--nthreads", 1, "--no-dashboard", "--local-directory", self.folder)
        return self._begin("worker", self.address(), *options, hold=hold)

    def _begin(self, *arguments, hold=False, **environment):
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                sweeps.python("-m", "dask", *arguments),
                stdout=log,
                stderr=log,
                env={**self.diary.environment(hold), **environment},
            )
        self.all.append(process)
        return process

    def end(self):
        for process in reversed(self.all):
            process.kill()
            process.wait()


@pytest.fixture
def data(tmp_path):
    return small.write(tmp_path / "small.npz")


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def diary(tmp_path):
    return sweeps.Diary(tmp_path / "diary")


@pytest.fixture
def dask(tmp_path, diary):
    processes = Processes(tmp_path, diary)
    try:
        yield processes
    finally:
        processes.end()


@pytest.fixture
def one_worker(monkeypatch, diary, tmp_path):
    """The address of a scheduler with one worker, both in this process."""
    for name, value in diary.environment(hold=True).items():
        monkeypatch.setenv(name, value)
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path),
    ) as local:
        yield local.scheduler_address


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(run, "FOLLOW_SECONDS", 0.02)
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.1)


def test_a_worker_that_is_killed_loses_nothing_and_nothing_is_done_twice(dask, data, runs_dir, diary, tmp_path):
    jobs = sweeps.jobs(data, seeds=(0,))
    doomed, others = dask.worker(hold=True), []

    def kill(statuses):
        if not others and diary.processes("epoch"):
            others.append(dask.worker())
        elif others and diary.children(others[0].pid):
            doomed.kill()

    done = sweeps.sweep(jobs, runs_dir=runs_dir, scheduler=dask.address(), follow=kill)
    assert [s.state for s in done] == ["finished"] * 2
    (orphan,) = diary.children(doomed.pid)
    sweeps.wait_for(lambda: not sweeps.is_alive(orphan), "the end of the run without a worker")
    assert len(diary.children(others[0].pid)) == 2
    left = next(line[0] for line in diary.lines() if line[1:3] == [str(orphan), "begin"])
    assert len({process for name, process, *_ in diary.lines() if name == left}) == 2
    diary.check(jobs)
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "undisturbed")


def test_a_worker_that_is_lost_but_alive_keeps_its_run_and_another_waits(dask, data, runs_dir, diary, tmp_path):
    job, _ = sweeps.jobs(data, seeds=(0,))
    lost, others = dask.worker(hold=True), []

    def lose(statuses):
        if not others and diary.processes("epoch"):
            lost.send_signal(signal.SIGSTOP)  # it does not answer any more; its run goes on
            others.append(dask.worker())
        if diary.processes("wait"):
            diary.release()

    (done,) = sweeps.sweep([job], runs_dir=runs_dir, scheduler=dask.address(), follow=lose)
    assert done.state == "finished"
    assert diary.processes("wait") == diary.children(others[0].pid)
    assert diary.processes("epoch") == diary.processes("round") == diary.children(lost.pid)
    diary.check([job])
    assert sweeps.made([job], runs_dir) == sweeps.undisturbed([job], tmp_path / "undisturbed")


def test_a_run_whose_process_is_killed_goes_on_in_another(one_worker, data, runs_dir, diary, tmp_path):
    jobs = sweeps.jobs(data, seeds=(0,))

    def kill(statuses):
        if diary.processes("epoch") and (diary.folder / "hold").exists():
            os.kill(diary.processes()[0], signal.SIGKILL)
            diary.release()

    done = sweeps.sweep(jobs, runs_dir=runs_dir, scheduler=one_worker, follow=kill)
    assert [s.state for s in done] == ["finished", "finished"]
    assert len(diary.processes()) == 3
    diary.check(jobs)
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "undisturbed")


def test_after_an_interruption_the_workers_stop_and_the_same_sweep_goes_on(one_worker, data, runs_dir, diary, tmp_path):
    jobs = sweeps.jobs(data, seeds=(0,))

    def interrupt(statuses):
        if any(s.epoch for s in statuses):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweeps.sweep(jobs, runs_dir=runs_dir, scheduler=one_worker, follow=interrupt)
    sweeps.wait_for(lambda: not any(map(sweeps.is_alive, diary.processes())), "the end of the runs")
    assert sorted(status_of(job, runs_dir).state for job in jobs) == ["begun", "new"]
    assert list((runs_dir / FOLDER).glob("sweep-*")) == []
    diary.release()
    done = sweeps.sweep(jobs, runs_dir=runs_dir, scheduler=one_worker)
    assert [s.state for s in done] == ["finished", "finished"]
    diary.check(jobs)
    assert sweeps.made(jobs, runs_dir) == sweeps.undisturbed(jobs, tmp_path / "undisturbed")


def test_a_run_that_fails_on_a_cluster_is_not_tried_again(one_worker, data, runs_dir, diary):
    (bad, _) = sweeps.jobs(data, seeds=(0,), rate=1e30)
    (failed,) = sweeps.sweep([bad], runs_dir=runs_dir, scheduler=one_worker)
    assert failed.state == "failed"
    assert "try a --rate below" in failed.error
    assert len(diary.processes()) == 1


def test_a_worker_that_cannot_take_part_ends_the_sweep(one_worker, data, runs_dir, monkeypatch):
    monkeypatch.setattr(cluster, "refusal", lambda sign, version: "does not see the runs")
    with pytest.raises(RunError, match=r"^the Dask worker on .* does not see the runs$"):
        sweeps.sweep(sweeps.jobs(data), runs_dir=runs_dir, scheduler=one_worker)
    assert [path.name for path in runs_dir.iterdir()] == [FOLDER]


@pytest.mark.parametrize("port", ["9", "99999"])
def test_a_scheduler_that_is_not_there_is_an_error(data, runs_dir, port):
    with pytest.raises(UsageError, match=rf"^scheduler: no Dask scheduler at tcp://127\.0\.0\.1:{port} \("):
        sweeps.sweep(sweeps.jobs(data), runs_dir=runs_dir, scheduler=f"tcp://127.0.0.1:{port}")


# what a worker looks at


@pytest.fixture
def sign(tmp_path):
    sign = tmp_path / "runs" / FOLDER / "sweep-1"
    sign.parent.mkdir(parents=True)
    return sign


def refused(sign, version=VERSION):
    """What a worker that does nothing says."""
    outcome = cluster.on_worker("no task", str(sign), version)
    assert outcome.fatal
    return outcome.error


def test_a_worker_that_does_not_see_the_run_folders_says_so(sign):
    assert f"does not see {sign.parents[1]}: the run folders must be on a file system" in refused(sign)


def test_a_worker_that_could_take_the_lock_of_the_sweep_says_that_locks_are_not_shared(sign):
    sign.touch()
    assert f"shares {sign.parents[1]}, but not its locks" in refused(sign)


def test_a_worker_that_may_not_write_says_so(sign):
    sign.mkdir()
    assert f"cannot work in {sign.parents[1]}: " in refused(sign)


def test_a_worker_with_another_version_says_so(sign):
    assert f"has quatnet {VERSION}, and the sweep 99.0" in refused(sign, "99.0")


def test_a_worker_goes_on_as_long_as_the_lock_of_the_sweep_is_held(sign):
    with held(sign) as locked:
        assert locked
        assert not cluster.has_ended(sign)
    assert cluster.has_ended(sign)
    sign.unlink()
    assert cluster.has_ended(sign)
    assert not sign.exists()


def test_a_worker_goes_on_while_the_file_system_is_out_of_order(sign):
    sign.mkdir()
    assert not cluster.has_ended(sign)


def test_what_dask_itself_raises_is_the_error_of_the_run():
    def result():
        raise TimeoutError("all workers\ndied")

    assert run.error_of(SimpleNamespace(result=result)) == "TimeoutError: all workers died"
