"""The report as data, and the sentences that say what it means."""

import json

import pytest

from quatnet.report import paper, summary
from tests.report.made import crossing_pairs, experiment, trial


def section_of(*trials, figure=None):
    (section,) = summary.summarize([experiment(*trials)], figure and paper.load(figure))
    return section


def test_there_is_a_row_per_algebra_and_round():
    section = section_of(*crossing_pairs(2))
    assert [(row.algebra, row.round) for row in section.rows] == [
        *(("real", k) for k in range(5)),
        *(("quaternion", k) for k in range(4)),
    ]
    assert [row.weights_left for row in section.of("quaternion")] == [25, 12.5, 6.25, 3.125]


def test_a_row_has_mean_deviation_and_band_of_the_seeds():
    row = section_of(trial("real", 0, [90]), trial("real", 1, [94])).rows[0]
    assert (row.accuracy, row.deviation) == (92, pytest.approx(8**0.5))
    # Of two seeds every fourth resample is twice the same one: the band is their range.
    assert (row.low, row.high) == (90, 94)


def test_of_one_seed_there_is_neither_deviation_nor_band():
    row = section_of(trial("real", 0, [90])).rows[0]
    assert (row.deviation, row.low, row.high) == (None, None, None)
    assert summary.mean_and_deviation(row) == "90.00"


def test_the_paper_s_figure_stands_beside_the_experiment_it_is_of_only():
    experiments = [experiment(trial("real", 0, [90])), experiment(trial("real", 0, [90], arch="lenet-300-100"))]
    first, second = summary.summarize(experiments, paper.load("5b"))
    assert first.figure.name == "5b"
    assert first.rows[0].paper is not None
    assert (second.figure, second.rows[0].paper) == (None, None)


def test_without_a_figure_there_are_no_verdicts():
    section = section_of(trial("real", 0, [90]))
    assert section.rows[0].paper is None
    assert summary.paper_sentences(section) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(100.0, "100 %"), (99.97, "100 %"), (80.04, "80.0 %"), (3.7, "3.70 %"), (0.5340314, "0.534 %"), (0.0, "0 %")],
)
def test_weights_left_have_three_digits(value, text):
    assert summary.percent(value) == text


def test_a_curve_says_its_seeds_and_rounds():
    curves = experiment(*crossing_pairs(3)).curves
    assert summary.seeds_sentence(curves["real"]) == "real: 3 seeds (0, 1, 2), rounds 0 to 4"


def test_a_dense_curve_says_so():
    assert summary.seeds_sentence(experiment(trial("real", 4, [90])).curves["real"]) == "real: 1 seed (4), dense"


def test_a_curve_that_was_cut_says_because_of_which_seed():
    curve = experiment(trial("real", 0, [90, 80, 70]), trial("real", 3, [90, 80])).curves["real"]
    assert summary.seeds_sentence(curve) == (
        "real: 2 seeds (0, 3), rounds 0 to 1, for seed 3 has no more (others reach round 2)"
    )


def test_a_crossing_is_said_with_its_interval():
    assert summary.crossing_sentence(section_of(*crossing_pairs(2))) == (
        "Quaternion overtakes real at 8.84 % of the weights "
        "(95 % bootstrap interval 8.84 % to 8.84 %; no crossing in 0.0 % of the resamples)."
    )


def test_the_crossing_of_one_pair_has_no_interval():
    sentence = summary.crossing_sentence(section_of(*crossing_pairs(1)))
    assert sentence == "Quaternion overtakes real at 8.84 % of the weights (one seed: no interval)."


@pytest.mark.parametrize(("accuracy", "place"), [(95, "ahead"), (60, "behind")])
def test_where_it_does_not_overtake_it_says_who_is_ahead(accuracy, place):
    runs = [trial(algebra, seed, [y] * 4) for algebra, y in (("real", 80), ("quaternion", accuracy)) for seed in (0, 1)]
    assert summary.crossing_sentence(section_of(*runs)) == (
        f"Quaternion does not overtake real from 25.0 % to 12.5 % of the weights; at the end it is {place} "
        "(no crossing in 100.0 % of the resamples)."
    )


def test_where_only_some_seeds_are_pairs_it_says_which():
    sentence = summary.crossing_sentence(section_of(*crossing_pairs(2), trial("real", 5, [90] * 5)))
    assert "of the weights, over the seeds that both have, 0, 1 (95 %" in sentence


def test_without_a_comparison_it_says_why():
    assert summary.crossing_sentence(section_of(trial("real", 0, [90]))) == "No comparison: there is no quaternion run."


def test_too_few_pairs_are_said_with_the_number_that_would_do():
    assert summary.p_sentence(section_of(*crossing_pairs(2)).comparison) == (
        "p: exact sign-flip test of the 2 paired differences, Holm-corrected over 3 levels. "
        "2 seeds are too few to tell by the exact test: the smallest possible p is 1; 7 are needed."
    )


def test_enough_pairs_need_no_excuse():
    assert summary.p_sentence(section_of(*crossing_pairs(7)).comparison) == (
        "p: exact sign-flip test of the 7 paired differences, Holm-corrected over 3 levels. "
        "t interval: 95 %, of each level by itself; p (t): paired t test, for normally distributed differences, "
        "Holm-corrected alike."
    )


def test_points_within_the_paper_s_error_bars_are_counted():
    # Figure 5b: 94.2 at 100 %, 90.7 with a deviation of 0.6 at 8.7 % (quaternion).
    section = section_of(
        *(trial("real", seed, [94.2 + seed / 50, 50], levels=(100.0, 50.0)) for seed in (0, 1)),
        trial("quaternion", 0, [90.5], levels=(8.712,)),
        figure="5b",
    )
    assert summary.paper_sentences(section) == [
        "real: 1 of 2 points lie within one standard deviation of the paper's; 1 differ significantly "
        "(Welch's t test against its five trials, Holm-corrected), which does not show that the others agree.",
        "quaternion: 1 of 1 points lie within one standard deviation of the paper's; "
        "1 seed is too few to tell if the others differ significantly.",
        "In Figure 5b quaternion overtakes real at 20.8 %.",
    ]


def test_a_figure_whose_curves_do_not_cross_says_nothing_of_it():
    section = section_of(trial("real", 0, [98], arch="lenet-300-100"), figure="4a")
    assert len(summary.paper_sentences(section)) == 1


def test_points_beyond_the_paper_s_range_are_no_points():
    section = section_of(trial("real", 0, [20.0], levels=(0.1,)), figure="5b")
    assert summary.paper_sentences(section)[0] == "real: no point in the range of the paper's curve."


@pytest.mark.parametrize("figure", [None, "5b"])
def test_the_json_object_has_all_of_it_and_is_json(figure):
    section = section_of(*crossing_pairs(2), figure=figure)
    values = json.loads(json.dumps(summary.as_json(section), allow_nan=False))
    assert (values["arch"], values["protocol"], values["seeds"]["real"]) == ("lenet-12", "imp", [0, 1])
    assert len(values["points"]) == 18
    assert [row["accuracy"] for row in values["rows"]] == [row.accuracy for row in section.rows]
    assert values["comparison"]["crossing"]["weights_left"] == section.comparison.crossing.weights_left
    assert values["paper"] == (figure and "Figure 5b of Iqbal & Mishra 2023, digitised")
    assert values["no_comparison"] is None


@pytest.mark.parametrize(
    ("seeds", "name"),
    [
        (1, "95 % band"),
        (2, "range of the seeds"),
        (3, "range of the seeds"),
        (4, "95 % band"),
    ],
)
def test_bands_of_few_seeds_are_called_what_they_are(seeds, name):
    section = section_of(*(trial("real", seed, [90 + seed, 80]) for seed in range(seeds)))
    assert summary.band_name(section.experiment.curves.values()) == name
