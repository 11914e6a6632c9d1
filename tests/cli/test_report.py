"""`quatnet report`."""

import csv
import re
import sys

import pytest

from quatnet.report import paper, points
from quatnet.runs import Run
from tests.cli.conftest import NETWORK
from tests.report.made import crossing_pairs, trial


@pytest.fixture
def table(quatnet):
    """Two made-up seeds of both algebras, as results.csv of lenet-12 on mnist."""
    return write("results.csv", *crossing_pairs(2))


def write(name, *trials):
    with open(name, "w", encoding="utf-8") as file:
        file.write(points.to_csv(point for points in trials for point in points))
    return name


def test_a_run_is_shown_with_a_line_per_round(quatnet, run):
    lines = quatnet("report", run).splitlines()
    assert lines[:2] == ["lenet-12 on digits, protocol imp", "real: 1 seed (0), rounds 0 to 2"]
    assert lines[3] == "algebra  round  weights left  weights  accuracy, %  95 % t interval"
    for line, result in zip(lines[4:7], Run(run).results(), strict=True):
        assert line.split()[:2] == ["real", str(result.round)]
        assert f"{result.kept_weights}  " in line
        assert f"{result.accuracy:.2f}" in line
    assert lines[-2] == "No comparison: there is no quaternion run."


def test_a_folder_of_runs_stands_for_its_runs_and_pictures_are_passed_over(quatnet, run):
    expected = quatnet("report", run)
    (run.parent / "figure-5b.html").write_text("<html>")
    (run.parent / "curve.png").write_bytes(b"\x89PNG")
    assert quatnet("report", run.parent) == quatnet("report", *run.parent.iterdir()) == expected


def test_runs_of_both_algebras_are_compared(quatnet, run):
    other = quatnet.json("prune", *NETWORK, "--quaternion", "--rounds", 2, "--stop-below", 0, "--amount", 0.2)["run"]
    (experiment,) = quatnet.json("report", run, other)["experiments"]
    assert experiment["seeds"] == {"real": [0], "quaternion": [0]}


def test_a_table_of_results_is_compared_level_by_level(quatnet, table):
    lines = quatnet("report", table).splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("weights left   real  quaternion"))
    assert [re.split("  +", line.strip()) for line in lines[start + 1 : start + 4]] == [
        # t = 5 / 0.05 with one degree of freedom: p = 0.0064, three times that after Holm's correction.
        ["25.0 %", "90.50", "85.50", "-5.00", "-5.64 to -4.36", "0.019", "1", "real is ahead"],
        ["12.5 %", "80.00", "75.00", "-5.00", "-5.64 to -4.36", "0.019", "1", "real is ahead"],
        ["6.25 %", "70.50", "75.50", "+5.00", "+4.36 to +5.64", "0.019", "1", "quaternion is ahead"],
    ]
    assert any(line.startswith("Quaternion overtakes real at 8.84 % of the weights (95 % interval ") for line in lines)


def test_the_paper_s_figure_stands_beside_the_points(quatnet, table):
    lines = quatnet("report", table, "--paper", "5b").splitlines()
    assert "paper: Figure 5b of Iqbal & Mishra 2023, digitised" in lines
    dense = next(line for line in lines if line.startswith("real            0"))
    theirs = paper.load("5b").curves["real"]
    assert f"{theirs.accuracy[0]:.2f} ± {theirs.deviation[0]:.2f}   +1.31" in dense
    assert " no " in dense


def test_beyond_the_paper_s_range_there_are_dashes(quatnet):
    write("results.csv", trial("real", 0, [90, 20], levels=(100.0, 0.5)))
    lines = quatnet("report", "results.csv", "--paper", "5b").splitlines()
    assert next(line for line in lines if line.startswith("real") and "0.50 %" in line).split()[-5:] == ["-"] * 5


def test_without_a_figure_it_says_which_ones_there_are(quatnet, table):
    assert "the paper's curves beside these: --paper 5b" in quatnet("report", table)


def test_the_json_object_has_experiments_and_what_was_written(quatnet, table):
    values = quatnet.json("report", table, "--paper", "5b", "--csv", "all.csv", "--html", "page.html")
    (experiment,) = values["experiments"]
    assert experiment["paper"] == "Figure 5b of Iqbal & Mishra 2023, digitised"
    assert len(experiment["points"]) == 18
    assert (values["page"], values["points"], values["picture"]) == ("page.html", "all.csv", None)


def test_all_points_are_written_as_one_table(quatnet, table, run):
    quatnet("report", table, run, "--csv", "all.csv")
    with open("all.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18 + 3
    assert {row["dataset"] for row in rows} == {"mnist", "digits.npz"}


def test_the_page_is_one_file(quatnet, run, tmp_path):
    output = quatnet("report", run, "--html", "page.html")
    assert output.splitlines()[-1] == "page: page.html"
    assert "real: what is left of every layer" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "start"), [("curve.png", b"\x89PNG\r\n"), ("curve.svg", b"<?xml")])
def test_the_picture_is_what_its_name_says(quatnet, table, tmp_path, name, start):
    quatnet("report", table, "--paper", "5b", "--figure", name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_picture_of_another_kind_is_an_error(quatnet, table):
    message = quatnet.error(2, "report", table, "--figure", "curve.pdf")
    assert message == "--figure: curve.pdf given; a name that ends in .svg or .png is needed"


def test_without_matplotlib_a_picture_is_an_error_that_says_how_to_install_it(quatnet, table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = quatnet.error(2, "report", table, "--figure", "curve.png", "--csv", "all.csv")
    assert "pip install matplotlib" in message
    assert not (tmp_path / "all.csv").exists()


def test_without_matplotlib_there_is_a_page_all_the_same(quatnet, table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    quatnet("report", table, "--html", "page.html")
    assert (tmp_path / "page.html").is_file()


def test_a_run_that_trained_only_some_rounds_is_reported_with_those(quatnet, run, tmp_path):
    (run / "rounds" / "01" / "result.json").unlink()
    text = quatnet("report", run, "--html", "page.html", "--figure", "curve.png")
    assert "real: 1 seed (0), rounds 0, 2" in text
    (experiment,) = quatnet.json("report", run)["experiments"]
    assert [row["round"] for row in experiment["rows"]] == [0, 2]
    assert "real: 1 seed (0), rounds 0, 2." in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_run_without_a_finished_round_is_said_beside_the_others(quatnet, run, table):
    for result in run.glob("rounds/*/result.json"):
        result.unlink()
    assert quatnet("report", table, run).startswith(f"{run}: no finished round yet\n")
    assert quatnet.error(2, "report", run) == f"no finished round in {run}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "nothing is not a run folder, a results.csv, or a folder with a results.csv"),
        (("results.csv", "results.csv"), "round 0 of lenet-12, real, seed 0 is given twice"),
        (("results.csv", "--paper", "2a"), "--paper: '2a' given; the figures over weights left are 4a,"),
        (
            ("results.csv", "--paper", "4c"),
            "--paper: Figure 4c is of conv-4 on cifar10; the runs are lenet-12 on mnist",
        ),
        ((), "Missing argument 'RUN...' (see quatnet report --help)"),
    ],
    ids=["nothing", "twice", "no figure", "another figure", "no run"],
)
def test_what_is_wrong_is_said_in_one_line(quatnet, table, arguments, message):
    assert quatnet.error(2, "report", *arguments).startswith(message)


def test_a_wrong_value_in_a_table_is_named(quatnet):
    with open(write("results.csv", trial("real", 0, [90])), "a", encoding="utf-8") as file:
        file.write("lenet-12,mnist,real,imp,paper,0,1,80,many,90\n")
    message = quatnet.error(3, "report", "results.csv")
    assert message == "results.csv, line 3: kept_weights is 'many'; an integer, 0 or more, is needed"


def test_a_damaged_run_is_named(quatnet, run):
    (run / "rounds" / "01" / "result.json").write_text("{}")
    assert quatnet.error(1, "report", run).startswith(str(run / "rounds" / "01" / "result.json"))


def test_a_place_that_cannot_be_written_is_named(quatnet, table):
    assert quatnet.error(1, "report", table, "--csv", "none/all.csv").startswith("none/")


def test_quiet_prints_nothing(quatnet, table):
    assert quatnet("report", table, "--quiet") == ""
