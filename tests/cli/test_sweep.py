"""`quatnet sweep`."""

import io
import os
import re
import shlex
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import fields, replace

import pytest
from rich.console import Console

from quatnet.cli.console import Output
from quatnet.cli.sweep import Screen, sweep
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position
from quatnet.sweep import run, status_of
from quatnet.sweep.grid import KEYS
from tests import sweeps
from tests.cli.conftest import NETWORK, invoke

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes and locks are those of POSIX")
TINY = (*NETWORK, "--rounds", 2, "--stop-below", 0)
SETTINGS = (TrainSettings, PruneSettings)
GRID = """
arch = "lenet-12"
algebra = "real"
dataset = "digits.npz"
seeds = "0-1"
epochs = 2
batch-size = 20
rate = 0.01
rounds = 2
stop-below = 0
"""


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(run, "FOLLOW_SECONDS", 0.02)


@pytest.fixture
def grid(quatnet, tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    return "grid.toml"


@pytest.fixture
def diary(tmp_path):
    return sweeps.Diary(tmp_path / "diary")


def names(values):
    return [value["run"] for value in values["runs"]]


def test_a_dry_run_lists_the_runs_and_how_far_they_are_and_does_nothing(quatnet, run, tmp_path):
    (run / "rounds" / "02" / "result.json").unlink()
    (run / "results.csv").unlink()
    lines = quatnet("sweep", *TINY, "--algebra", "real", "--seeds", "0-1", "--dry-run").splitlines()
    assert lines[0] == "2 runs: 1 begun, 1 new, in runs"
    begun, new = lines[3:5]
    assert re.fullmatch(rf"{run.name}  begun, round 2/2  .* %  .* %  +80.4 %", begun)
    assert re.fullmatch(r"lenet-12-real-digits-seed1-\w{8}  new +-  +-  +-", new)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [run.name]


def test_the_runs_of_a_sweep_are_those_of_prune(quatnet, run):
    quatnet("prune", *TINY, "--quaternion")
    values = quatnet.json("sweep", *TINY, "--dry-run")
    assert [value["state"] for value in values["runs"]] == ["finished", "finished"]
    assert [value["algebra"] for value in values["runs"]] == ["real", "quaternion"]


def test_a_file_and_options_give_the_same_runs(quatnet, grid):
    options = ("--algebra", "real", "--seeds", "0,1")
    assert names(quatnet.json("sweep", grid, "--dry-run")) == names(quatnet.json("sweep", *TINY, *options, "--dry-run"))


def test_options_replace_the_keys_of_the_file(quatnet, grid):
    options = (
        "--seeds",
        5,
        "--algebra",
        "real,quaternion",
        "--protocol",
        "none,paper",
        "--dataset",
        "digits.npz,b.npz",
    )
    values = quatnet.json("sweep", grid, *options, "--dry-run")
    assert [(v["seed"], v["dataset"], v["protocol"], v["algebra"]) for v in values["runs"]] == [
        (5, dataset, protocol, algebra)
        for dataset in ("digits.npz", "b.npz")
        for protocol in (None, "paper")
        for algebra in ("real", "quaternion")
    ]


def test_every_option_that_describes_a_run_of_prune_is_a_key_of_a_grid():
    as_list = {"quaternion": "algebra", "seed": "seeds"}
    given = [as_list.get(field.name, field.name.replace("_", "-")) for s in SETTINGS for field in fields(s)]
    assert sorted(given) == sorted(KEYS.values())
    options = [option for parameter in sweep.params for option in parameter.opts]
    assert [options.count(f"--{key}") for key in KEYS.values()] == [1] * len(KEYS)


def test_it_prints_a_line_per_round_of_every_run_and_a_table(quatnet, run):
    lines = quatnet("sweep", *TINY).splitlines()
    other = run.name.replace("real", "quaternion")
    assert lines[0] == "2 runs: 1 finished, 1 new, in runs"
    followed = [line for line in lines if line.startswith(f"{other}  round")]
    assert [re.sub(r"\d+\.\d+ %", "P", line) for line in followed] == [
        f"{other}  round {k}/2  accuracy P  weights left P (pruned P)" for k in range(3)
    ]
    assert f"{other}  finished" in lines
    assert not any(line.startswith(f"{run.name}  round") for line in lines)
    assert [re.split(r"  +", line)[:2] for line in lines[-4:-2]] == [[run.name, "finished"], [other, "finished"]]
    assert lines[-1] == "2 runs: 2 finished"


def test_the_json_object_has_every_run_with_its_rounds(quatnet, run):
    values = quatnet.json("sweep", *TINY, "--algebra", "real")
    (value,) = values["runs"]
    assert value["rounds"] == quatnet.json("prune", run)["rounds"]
    del value["rounds"]
    assert value == {
        "run": str(run),
        "state": "finished",
        "arch": "lenet-12",
        "algebra": "real",
        "dataset": "digits.npz",
        "protocol": "imp",
        "init": "paper",
        "seed": 0,
    }


def test_quiet_prints_nothing(quatnet, run):
    result = invoke("sweep", *TINY, "--algebra", "real", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_a_run_that_fails_is_named_with_its_error_and_the_exit_code_is_1(quatnet, run):
    result = invoke("sweep", *TINY, "--rate", 1e30, "--algebra", "real", "--json", "--quiet")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert re.fullmatch(
        r"Error: runs/lenet-12-real-digits-seed0-\w+: the .* loss is .*: try a --rate below 1e\+30", line
    )
    assert '"state": "failed"' in result.stdout
    assert f'"error": "{line.partition(": ")[2].partition(": ")[2]}"' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        ((), 2, ("--arch: none given",)),
        (("--arch", "lenet-12,lenet-13"), 2, ("--arch: 'lenet-13' given", "did you mean lenet-12?")),
        ((*TINY, "--algebra", "real,"), 2, ("--algebra: '' given", "real, quaternion")),
        ((*TINY, "--seeds", "a"), 2, ("--seeds: 'a' given", "0-4,7")),
        ((*TINY, "--seed", "1"), 2, ("--seed", "--seeds")),
        ((*TINY, "--workers", "0"), 2, ("--workers", "0 is not in the range")),
        ((*TINY, "--epochs", "0"), 2, ("--epochs", "0 given", "1 or more")),
        (("nothing.toml",), 2, ("nothing.toml", "does not exist")),
        ((*TINY, "--dataset", "other.npz"), 3, ("other.npz: no such file",)),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_one_line(quatnet, arguments, code, parts):
    message = quatnet.error(code, "sweep", *arguments, "--quiet")
    assert [part for part in parts if part not in message] == []


def test_a_wrong_key_of_the_file_is_named(quatnet, grid, tmp_path):
    (tmp_path / grid).write_text(GRID + "epoch = 3\n")
    assert quatnet.error(2, "sweep", grid).startswith("grid.toml: unknown key 'epoch', did you mean epochs?")


def test_a_wrong_value_is_that_of_the_file_unless_it_is_given_as_an_option(quatnet, grid, tmp_path):
    (tmp_path / grid).write_text(GRID.replace("batch-size = 20", "batch-size = 0"))
    assert quatnet.error(2, "sweep", grid) == "grid.toml: batch-size: 0 given; 1 or more is needed"
    assert quatnet.error(2, "sweep", grid, "--batch-size", -1) == "--batch-size: -1 given; 1 or more is needed"


def test_a_terminal_shows_all_runs_as_a_table_with_those_at_work_on_top(tmp_path):
    output = Output(as_json=False, quiet=False)
    output.console = Console(file=io.StringIO(), force_terminal=True, width=120, height=9, color_system=None)
    jobs = sweeps.jobs("small.npz", seeds=range(3))
    new = [status_of(job, tmp_path) for job in jobs]
    begun = replace(new[4], state="begun", position=Position(Phase.SEARCH, 1), epoch=1)
    with Screen(output, new) as screen:
        screen.follow([*new[:4], begun, new[5]])
    text = output.console.file.getvalue()
    first, second, third, summary = [line.strip() for line in text.splitlines()[1:5]]
    assert re.fullmatch(rf"{begun.path.name}  +begun, search round 1/2  1/1  +-  +-  +-", first)
    assert second.startswith(new[0].path.name)
    assert third.startswith(new[1].path.name)
    assert "6 runs: 1 begun, 5 new" in summary


@contextmanager
def begun(diary, *arguments):
    """A sweep whose runs wait after each epoch; Ctrl-C works as on a terminal, wherever pytest was started."""
    process = subprocess.Popen(
        sweeps.python("-m", "quatnet", "sweep", *arguments),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=diary.environment(hold=True),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_stops_all_runs_and_prints_the_command_that_goes_on(quatnet, grid, diary, tmp_path):
    with begun(diary, grid, "--workers", "2") as process:
        working = sweeps.wait_for(lambda: len(p := diary.processes("epoch")) == 2 and p, "two runs at work")
        process.send_signal(signal.SIGINT)
        *_, message = process.communicate(timeout=sweeps.PATIENCE)[1].splitlines()
    assert process.returncode == 130
    assert not any(map(sweeps.is_alive, working))
    assert message == (
        "Interrupted; the last finished epoch is saved; to resume: python -m quatnet sweep grid.toml --workers 2"
    )
    diary.release()
    values = quatnet.json(*shlex.split(message.partition("quatnet ")[2]))
    assert [value["state"] for value in values["runs"]] == ["finished", "finished"]
    epochs = [line for path in tmp_path.glob("runs/*/metrics.jsonl") for line in path.read_text().splitlines()]
    assert len(epochs) == 2 * 3 * 2


def test_when_the_sweep_is_killed_its_runs_stop(grid, diary):
    with begun(diary, grid, "--workers", "1") as process:
        (working,) = sweeps.wait_for(lambda: diary.processes("epoch"), "a run at work")
        process.kill()
    sweeps.wait_for(lambda: not sweeps.is_alive(working), "the end of the run")
    assert len(diary.count("epoch")) == 1
