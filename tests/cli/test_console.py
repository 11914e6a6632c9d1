"""What people see while a network trains."""

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from quatnet.cli.console import Output, weights_left
from quatnet.cli.progress import Follower
from quatnet.runs import RoundResult, Run
from quatnet.streams import Phase, Position
from quatnet.training import EpochResult, Progress

FIRST = Progress(1, EpochResult(1, 0.5, 0.6, 87.5, 0.1))
RESULT = RoundResult(1, 80.0, 100, 87.5, 2, 0.5, 0.6)


@pytest.fixture
def output():
    """Output to a terminal of 80 columns that keeps what it is sent."""
    output = Output(as_json=False, quiet=False)
    output.console = Console(file=io.StringIO(), force_terminal=True, width=80, soft_wrap=True, color_system=None)
    return output


@pytest.fixture
def unfinished(run):
    """A run whose checkpoint is not newer than its rounds."""
    return Run(run)


def shown(output):
    return output.console.file.getvalue()


def test_a_terminal_shows_a_bar_with_loss_accuracy_and_remaining_time(output, unfinished):
    with Follower(output, unfinished, 100.0, rounds=20) as follower:
        follower.listener.epoch(Position(Phase.ROUNDS, 1), FIRST, 80.0)
    last = next(line for line in reversed(shown(output).split("\r")) if "accuracy" in line)
    bar = re.search(r"round  1/20 [━╸╺ ]+  50 % -:--:-- loss 0.5000  accuracy 87.50 %", last)
    assert bar is not None
    assert len(bar.group()) <= 80


def test_an_epoch_without_a_test_shows_no_accuracy(output, unfinished):
    with Follower(output, unfinished, 100.0) as follower:
        untested = replace(FIRST.last, test_loss=None, accuracy=None)
        follower.listener.epoch(Position(Phase.ROUNDS, 1), Progress(1, untested), 80.0)
    assert "loss 0.5000" in shown(output)
    assert "accuracy" not in shown(output)


def test_the_bar_moves_within_an_epoch(output, unfinished):
    with Follower(output, unfinished, 100.0) as follower:
        follower.listener.step(1, 4)
    assert " 12 %" in shown(output)


def test_the_bar_is_not_drawn_again_for_every_step(output, unfinished):
    with Follower(output, unfinished, 100.0) as follower:
        follower.listener.step(1, 4)
        follower.listener.step(2, 4)
    assert " 25 %" not in shown(output)


def test_a_terminal_keeps_a_line_per_round(output, unfinished):
    with Follower(output, unfinished, 100.0, rounds=20) as follower:
        follower.listener.epoch(Position(Phase.ROUNDS, 1), FIRST, 80.0)
        follower.listener.finished(Position(Phase.ROUNDS, 1), RESULT)
    assert "round  1/20  accuracy 87.50 %  weights left 80.0 % (pruned 20.0 %)" in shown(output)


def test_elsewhere_there_is_a_line_per_epoch(unfinished, capsys):
    with Follower(Output(as_json=False, quiet=False), unfinished, 100.0) as follower:
        follower.listener.step(1, 4)
        follower.listener.epoch(Position(Phase.ROUNDS, 0), FIRST, 100.0)
        follower.listener.finished(Position(Phase.ROUNDS, 0), RESULT)
    assert capsys.readouterr().out == (
        "round 0  epoch 1/2  loss 0.5000  accuracy 87.50 %  weights left 100.0 % (pruned 0.0 %)  0.1 s\n"
    )


def test_a_resumed_training_starts_where_it_was(output, run, capsys):
    (run / "rounds" / "02" / "result.json").unlink()
    with Follower(output, Run(run), 100.0, rounds=2) as follower:
        follower.listener.step(0, 4)
    assert capsys.readouterr().out == "resuming round 2/2 after epoch 2/2\n"
    assert "100 %" in shown(output)


def test_a_training_without_a_new_epoch_shows_nothing(output, unfinished):
    with Follower(output, unfinished, 100.0) as follower:
        follower.listener.epoch(Position(Phase.ROUNDS, 0), replace(FIRST, last=None), 100.0)
    assert "accuracy" not in shown(output)


@pytest.mark.parametrize(
    ("percent", "dense", "text"),
    [
        (100, 100, "weights left 100.0 % (pruned 0.0 %)"),
        (20, 100, "weights left 20.0 % (pruned 80.0 %)"),
        (25.4, 25.4, "weights left 25.4 % (pruned 0.0 %)"),
        (0.3, 100, "weights left 0.30 % (pruned 99.7 %)"),
        (0.951, 100, "weights left 1.0 % (pruned 99.0 %)"),
        (0.0123, 25, "weights left 0.012 % (pruned 100.0 %)"),
    ],
)
def test_weights_left_and_pruned_are_said_together(percent, dense, text):
    assert weights_left(percent, dense) == text


def test_numbers_stand_on_the_right_and_text_on_the_left(capsys):
    Output(as_json=False, quiet=False).table(["name", "count", "place"], [["a", "1", "here"], ["bb", "1,000", "-"]])
    assert capsys.readouterr().out.splitlines() == ["name  count  place", "a         1  here", "bb    1,000  -"]


def test_a_table_is_never_cut_to_the_window(capsys):
    Output(as_json=False, quiet=False).table(["name"], [["x" * 200]])
    assert "x" * 200 in capsys.readouterr().out


def test_text_is_printed_as_it_is(capsys):
    Output(as_json=False, quiet=False).say("runs/[bold]:smile:")
    assert capsys.readouterr().out == "runs/[bold]:smile:\n"


def test_the_json_object_is_all_of_standard_output(capsys):
    output = Output(as_json=True, quiet=False)
    output.say("for people")
    output.finish({"a": 1})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"a": 1}
    assert captured.err == "for people\n"


def test_quiet_leaves_only_the_json_object(capsys):
    output = Output(as_json=True, quiet=True)
    output.say("for people")
    output.finish({"a": 1})
    captured = capsys.readouterr()
    assert captured.out == '{\n  "a": 1\n}\n'
    assert captured.err == ""
