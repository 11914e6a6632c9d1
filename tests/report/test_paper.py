"""The paper's curves beside ours."""

import csv
from importlib import resources

import numpy as np
import pytest
from scipy import stats

from quatnet.errors import UsageError
from quatnet.nn.networks import count_parameters
from quatnet.report import paper
from quatnet.report.crossing import Polyline
from tests.report.made import experiment, trial


@pytest.fixture(scope="module")
def rows():
    """All lines of paper_curves.csv."""
    text = (resources.files("quatnet.report") / "paper_curves.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def real_curve(*accuracies, levels=(100.0, 50.0)):
    trials = [trial("real", seed, values, levels=levels) for seed, values in enumerate(accuracies)]
    return experiment(*trials).curves["real"]


def paper_curve(accuracy=(90.0, 80.0), deviation=(1.0, 3.0), levels=(100.0, 25.0)):
    return paper.PaperCurve("real", np.array(levels), np.array(accuracy), np.array(deviation))


def test_the_figures_are_those_that_the_file_has_over_weights_left(rows):
    assert {row["figure"] for row in rows if row["x"] == "round"} == set(paper.FIGURES)


def test_figure_4c_is_what_the_paper_says_of_it():
    # Section 4: at 3.12 % of the weights quaternion is close to 75 %, real around 62 %.
    figure = paper.load("4c")
    assert (figure.arch, figure.dataset) == ("conv-4", "cifar10")
    assert figure.citation == "Figure 4c of Iqbal & Mishra 2023, digitised"
    at = np.array([3.12])
    heights = {
        algebra: float(Polyline.of(curve.weights_left, curve.accuracy).at(at)[0, 0])
        for algebra, curve in figure.curves.items()
    }
    assert heights == {"real": pytest.approx(62, abs=0.5), "quaternion": pytest.approx(75, abs=0.6)}


@pytest.mark.parametrize("name", paper.FIGURES)
def test_every_curve_falls_from_the_dense_network_on(name):
    figure = paper.load(name)
    assert set(figure.curves) == {"real", "quaternion"}
    classes, shape = (
        (100 if figure.dataset == "cifar100" else 10),
        (28, 28, 1) if "lenet" in figure.arch else (32, 32, 3),
    )
    sizes = [sum(count_parameters(figure.arch, quaternion, shape, classes)) for quaternion in (False, True)]
    assert figure.curves["real"].weights_left[0] == 100
    assert figure.curves["quaternion"].weights_left[0] == pytest.approx(100 * sizes[1] / sizes[0], abs=1e-3)
    for curve in figure.curves.values():
        assert (np.diff(curve.weights_left) < 0).all()
        assert (curve.deviation > 0).all()


def test_an_error_bar_that_is_too_short_is_the_error_of_reading(rows):
    (row,) = (row for row in rows if (row["figure"], row["algebra"], row["x_value"]) == ("5b", "real", "0"))
    assert float(row["std_pct"]) == 0
    assert paper.load("5b").curves["real"].deviation[0] == float(row["digitisation_error_pct"])


def test_an_unknown_figure_is_an_error_that_names_those_there_are():
    with pytest.raises(UsageError, match=r"--paper: '2a' given; the figures over weights left are 4a, 4b, .*, 6$"):
        paper.load("2a")


def test_the_figures_of_a_network_are_found():
    assert paper.figures_of("conv-2", "cifar10") == ["4b", "6"]
    assert paper.figures_of("conv-2", "mnist") == []


def test_a_figure_of_another_network_is_an_error_that_says_of_which():
    with pytest.raises(UsageError) as caught:
        paper.check(paper.load("4c"), [experiment(trial("real", 0, [90]))])
    assert str(caught.value) == "--paper: Figure 4c is of conv-4 on cifar10; the runs are lenet-12 on mnist"


def test_a_figure_need_fit_one_of_the_experiments_only():
    paper.check(paper.load("5b"), [experiment(trial("real", 0, [90])), experiment(trial("real", 0, [90], arch="x"))])


def test_the_curves_of_figure_4c_cross_where_they_were_read_to():
    assert paper.load("4c").crossing == pytest.approx(14.1, abs=0.05)


def test_curves_of_the_paper_that_do_not_cross_say_so():
    figure = paper.PaperFigure("", "", "", {"real": paper_curve(), "quaternion": paper_curve((95.0, 90.0))})
    assert figure.crossing is None


def test_a_verdict_compares_with_the_paper_at_the_same_number_of_weights():
    dense, half = paper.verdicts(real_curve([90.5, 88], [91.1, 90]), paper_curve())
    assert (dense.paper, dense.deviation, half.paper, half.deviation) == pytest.approx((90, 1, 85, 2))
    assert (dense.difference, half.difference) == pytest.approx((0.8, 4))
    assert (dense.inside, half.inside) == (True, False)


@pytest.mark.parametrize(("accuracy", "inside"), [(91.0, True), (89.0, True), (91.01, False), (88.99, False)])
def test_one_deviation_away_is_inside_and_more_is_not(accuracy, inside):
    assert paper.verdicts(real_curve([accuracy], levels=(100.0,)), paper_curve())[0].inside is inside


def test_significance_is_welch_s_test_against_five_trials_corrected_for_the_points():
    curve = real_curve([90.5, 70], [91.5, 71], [92, 69])
    dense, half = paper.verdicts(curve, paper_curve())
    p = [
        stats.ttest_ind_from_stats(mean, deviation, 3, theirs, their_deviation, 5, equal_var=False).pvalue
        for mean, deviation, theirs, their_deviation in zip(
            curve.mean, curve.accuracy.std(axis=0, ddof=1), (90, 85), (1, 2), strict=True
        )
    ]
    assert half.p == pytest.approx(2 * min(p))
    assert dense.p == pytest.approx(max(p))
    assert (dense.verdict, half.verdict) == ("no difference shown", "different")


def test_one_seed_is_inside_or_outside_but_has_no_p_value():
    dense, _ = paper.verdicts(real_curve([90.5, 70]), paper_curve())
    assert (dense.inside, dense.p, dense.verdict) == (True, None, "1 seed is too few to tell")


def test_beyond_the_paper_s_range_there_is_no_verdict():
    first, second, third = paper.verdicts(real_curve([90, 80, 70], levels=(100.0, 50.0, 12.5)), paper_curve())
    assert (first is None, second is None, third is None) == (False, False, True)


def test_a_curve_that_is_all_beyond_the_paper_s_range_has_no_verdicts():
    curve = real_curve([30, 20], [31, 21], levels=(10.0, 5.0))
    assert paper.verdicts(curve, paper_curve()) == [None, None]
