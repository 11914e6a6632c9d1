"""The report as data, and the sentences that say what it means."""

import json

import pytest

from quatnet.report import paper, summary
from tests.report.made import crossing_pairs, experiment, level_pairs, trial


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
    # Student's t is 12.706 for one degree of freedom: 92 - 25.4, and what is above 100 is cut off.
    assert (row.low, row.high) == (pytest.approx(92 - 12.706 * 2, abs=0.01), 100)
    assert summary.band_cell(row) == "66.59 to 100.00"


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


def test_a_curve_whose_rounds_were_left_out_says_because_of_which_seed():
    curve = experiment(trial("real", 0, [90, 80, 70]), trial("real", 3, [90, 80])).curves["real"]
    assert summary.seeds_sentence(curve) == "real: 2 seeds (0, 3), rounds 0 to 1 (without 2: not in seed 3)"


def test_a_curve_of_some_rounds_says_which():
    curve = experiment([p for p in trial("real", 0, [90, 80, 70, 60]) if p.round != 1]).curves["real"]
    assert summary.seeds_sentence(curve) == "real: 1 seed (0), rounds 0, 2 to 3"


def test_a_crossing_is_said_with_its_interval():
    section = section_of(*crossing_pairs(5))
    (piece,) = section.comparison.crossing.interval
    assert summary.crossing_sentence(section) == (
        f"Quaternion overtakes real at 8.84 % of the weights (95 % interval {piece.high:.2f} % to {piece.low:.2f} %)."
    )


def test_open_ends_and_pieces_of_an_interval_are_said():
    rows = ([-1, 9, -2, 4], [1, 10, 2, 7], [-1.5, 10, 1, 4], [1, 10.5, -2, 12])
    sentence = summary.crossing_sentence(section_of(*level_pairs(*rows)))
    assert sentence.startswith("Quaternion overtakes real at 24.")
    assert "(95 % interval in 2 pieces, 25.0 % or more to " in sentence


def test_one_pair_crosses_without_a_claim():
    assert summary.crossing_sentence(section_of(*crossing_pairs(1))) == (
        "No crossing is claimed: 1 seed is too few to tell; its curves cross at 8.84 %."
    )


def test_where_no_level_differs_no_place_is_named():
    rows = ([-2, 2, -1], [1, -1, 2], [-1, 1, -1])
    assert summary.crossing_sentence(section_of(*level_pairs(*rows))) == (
        "No crossing is claimed: no level shows a difference."
    )


def test_a_crossing_where_rounds_are_missing_is_said_without_a_place():
    runs = [[p for p in run if (p.algebra, p.round) != ("quaternion", 1)] for run in crossing_pairs(5)]
    assert summary.crossing_sentence(section_of(*runs)) == (
        "Quaternion overtakes real between 25.0 % and 6.25 % of the weights, where rounds are missing "
        "(95 % interval: none of the levels that can be compared)."
    )


def test_where_only_some_seeds_are_pairs_it_says_which():
    sentence = summary.crossing_sentence(section_of(*crossing_pairs(2), trial("real", 5, [90] * 5)))
    assert "of the weights, over the seeds that both have, 0, 1 (95 %" in sentence


def test_without_a_comparison_it_says_why():
    assert summary.crossing_sentence(section_of(trial("real", 0, [90]))) == "No comparison: there is no quaternion run."


def test_the_tests_are_named_with_what_so_few_pairs_can_show_by_the_exact_one():
    assert summary.p_sentence(section_of(*crossing_pairs(2)).comparison) == (
        "p, which decides the verdict: paired t test of the 2 differences, Holm-corrected over 3 levels. "
        "95 % t interval: of each level by itself, not corrected. Both take the differences as normally distributed. "
        "Exact p, beside it: sign-flip test, which does not, corrected alike; with 2 pairs it cannot be below 1, "
        "7 are needed to be significant."
    )


@pytest.mark.parametrize(
    ("pairs", "end"),
    [
        (7, "Exact p, beside it: sign-flip test, which does not, corrected alike."),
        (41, "Exact p: not computed for more than 40 pairs."),
    ],
)
def test_enough_pairs_need_no_excuse(pairs, end):
    assert summary.p_sentence(section_of(*crossing_pairs(pairs)).comparison).endswith(end)


def test_one_pair_has_no_test_to_name():
    assert summary.p_sentence(section_of(*crossing_pairs(1)).comparison) == (
        "1 seed is too few to tell: differences have no p, and no interval."
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


@pytest.mark.parametrize("seeds", [1, 2, 41])
def test_no_number_of_seeds_gives_a_nan(seeds):
    values = summary.as_json(section_of(*crossing_pairs(seeds), figure="5b"))
    assert json.loads(json.dumps(values, allow_nan=False))["seeds"]["real"] == list(range(seeds))


def test_pairs_that_differ_alike_give_no_nan():
    values = summary.as_json(section_of(*level_pairs(*[[-1, 1, 1]] * 3)))
    (level, *_) = json.loads(json.dumps(values, allow_nan=False))["comparison"]["levels"]
    assert (level["half"], level["low"], level["p"]) == (None, None, 1)


@pytest.mark.parametrize("figure", [None, "5b"])
def test_the_json_object_has_all_of_it_and_is_json(figure):
    section = section_of(*crossing_pairs(5), figure=figure)
    values = json.loads(json.dumps(summary.as_json(section), allow_nan=False))
    assert (values["arch"], values["protocol"], values["seeds"]["real"]) == ("lenet-12", "imp", [0, 1, 2, 3, 4])
    assert len(values["points"]) == 45
    assert [row["accuracy"] for row in values["rows"]] == [row.accuracy for row in section.rows]
    crossing, (piece,) = json.loads(json.dumps(values))["comparison"]["crossing"], section.comparison.crossing.interval
    assert crossing["weights_left"] == section.comparison.crossing.weights_left
    assert crossing["interval"] == [{"high": piece.high, "low": piece.low, "high_open": False, "low_open": False}]
    assert values["paper"] == (figure and "Figure 5b of Iqbal & Mishra 2023, digitised")
    assert values["no_comparison"] is None
