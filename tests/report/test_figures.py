"""The curves of runs."""

import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from quatnet.report import paper, summary
from quatnet.report.figures import save_curves, save_sections
from quatnet.runs import RoundResult
from tests.report.made import crossing_pairs, experiment, trial


def rounds(count, dense=100.0, floor=0.3):
    return [RoundResult(k, max(dense * 0.8**k, floor), 1, 90.0 - k, 1, 0.0, 0.0) for k in range(count)]


@pytest.fixture
def drawn_trials(tmp_path, monkeypatch):
    """Draw some trials, and return the axes."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k)))

    def draw(trials):
        assert save_curves(tmp_path / "curve.png", trials, "lenet-12 on digits, seed 0")
        return figures[-1].axes[0]

    return draw


@pytest.fixture
def drawn(drawn_trials):
    """Draw the rounds of one run, and return the axes."""
    return lambda results: drawn_trials({"real": [results]})


@pytest.mark.parametrize(("name", "start"), [("curve.png", b"\x89PNG\r\n"), ("curve.svg", b"<?xml")])
def test_the_file_is_what_its_name_says(tmp_path, name, start):
    assert save_curves(tmp_path / name, {"quaternion": [rounds(3)]}, "title")
    assert (tmp_path / name).read_bytes().startswith(start)


def test_every_round_is_a_point(drawn):
    results = rounds(5)
    (line,) = drawn(results).get_lines()
    assert line.get_xdata().tolist() == [result.weights_left for result in results]
    assert line.get_ydata().tolist() == [result.accuracy for result in results]


def test_the_axis_of_weights_is_logarithmic_to_the_base_2_with_the_dense_network_on_the_left(drawn):
    axes = drawn(rounds(5))
    assert axes.get_xscale() == "log"
    assert axes.xaxis.get_transform().base == 2
    assert axes.xaxis_inverted()


@pytest.mark.parametrize("results", [rounds(21), rounds(27), rounds(80), rounds(21, dense=25.4)], ids=len)
def test_the_labels_of_the_axis_do_not_overlap(drawn, results):
    axes = drawn(results)
    labels = [label for label in axes.get_xticklabels() if label.get_text()]
    boxes = [label.get_window_extent() for label in labels if in_view(axes, label.get_position()[0])]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


@pytest.mark.parametrize("results", [rounds(1), rounds(2), rounds(2, dense=40.0), rounds(1, dense=26.0)])
def test_even_a_short_curve_has_a_label(drawn, results):
    axes = drawn(results)
    assert any(in_view(axes, tick) for tick in axes.get_xticks())


def test_the_first_label_is_a_hundred_percent(drawn):
    axes = drawn(rounds(21))
    texts = [label.get_text() for label in axes.get_xticklabels() if in_view(axes, label.get_position()[0])]
    assert texts[:5] == ["100", "50", "25", "12.5", "6.2"]


def test_of_several_seeds_mean_and_sample_deviation_of_the_common_rounds_are_drawn(drawn_trials):
    first, second = rounds(4), [replace(result, accuracy=result.accuracy + 4) for result in rounds(6)]
    axes = drawn_trials({"real": [first, second]})
    (line,) = axes.get_lines()
    assert line.get_ydata().tolist() == [92, 91, 90, 89]
    (band,) = axes.collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx(92 + 8**0.5)
    assert edges.min() == pytest.approx(89 - 8**0.5)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real, 2 seeds"]


def test_without_matplotlib_nothing_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not save_curves(tmp_path / "curve.png", {"real": [rounds(3)]}, "title")
    assert not (tmp_path / "curve.png").exists()


@pytest.fixture
def drawn_sections(tmp_path, monkeypatch):
    """Draw a report, and return the axes of its experiments."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k)))

    def draw(experiments, figure=None):
        sections = summary.summarize(experiments, figure and paper.load(figure))
        assert save_sections(tmp_path / "figure.svg", sections)
        return figures[-1].axes

    return draw


def test_a_report_has_a_panel_per_experiment(drawn_sections):
    experiments = [experiment(trial("real", 0, [90, 80], protocol=name)) for name in ("imp", "paper", "reinit")]
    assert [axes.get_title() for axes in drawn_sections(experiments)] == [
        f"lenet-12 on mnist, protocol {name}" for name in ("imp", "paper", "reinit")
    ]


def test_the_curves_of_a_report_are_means_in_their_t_intervals(drawn_sections):
    (axes,) = drawn_sections([experiment(trial("real", 0, [90, 80]), trial("real", 1, [94, 82]))])
    (line,) = axes.get_lines()
    assert line.get_ydata().tolist() == [92, 81]
    (band,) = axes.collections
    edges = band.get_paths()[0].vertices[:, 1]
    for accuracies in ([90, 94], [80, 82]):
        low, high = stats.ttest_1samp(accuracies, 0).confidence_interval(0.95)
        assert max(0, low) == pytest.approx(edges[np.abs(edges - max(0, low)).argmin()])
        assert min(100, high) == pytest.approx(edges[np.abs(edges - min(100, high)).argmin()])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real, 2 seeds, 95 % t interval"]


def test_a_curve_is_interrupted_where_rounds_are_missing(drawn_sections):
    runs = [point for seed in range(3) for point in trial("real", seed, [90 + seed, 80, 70 + seed, 60 + seed])]
    (axes,) = drawn_sections([experiment([point for point in runs if point.round != 1])])
    (line,) = axes.get_lines()
    assert np.isnan(line.get_ydata()).tolist() == [False, True, False, False]
    band, alone = axes.collections
    assert band.get_paths()[-1].vertices[:, 0].max() == 25
    (segment,) = alone.get_segments()
    low, high = stats.ttest_1samp([90, 91, 92], 0).confidence_interval(0.95)
    assert segment == pytest.approx(np.array([[100, low], [100, high]]))


def test_the_paper_s_curves_are_drawn_behind_ours_with_error_bars(drawn_sections):
    (axes,) = drawn_sections([experiment(*crossing_pairs(2))], "5b")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    ours = [f"{algebra}, 2 seeds, 95 % t interval" for algebra in ("real", "quaternion")]
    assert sorted(labels) == sorted([*ours, "quaternion, Figure 5b", "real, Figure 5b"])
    bars = [container for container in axes.containers if container.has_yerr]
    theirs = paper.load("5b").curves["real"]
    assert bars[0].lines[0].get_ydata().tolist() == theirs.accuracy.tolist()
    ours = [line for line in axes.get_lines() if line.get_label().endswith("interval")]
    assert max(bar.lines[0].get_zorder() for bar in bars) < min(line.get_zorder() for line in ours)


def test_without_matplotlib_no_report_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not save_sections(tmp_path / "figure.png", summary.summarize([experiment(trial("real", 0, [90]))], None))
    assert not (tmp_path / "figure.png").exists()


def in_view(axes, x):
    left, right = axes.get_xlim()
    return right <= x <= left
