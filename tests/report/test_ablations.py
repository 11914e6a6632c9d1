"""Ablations side by side: accuracies at the same numbers of weights left."""

import pytest
from scipy import stats

from quatnet.errors import DataError
from quatnet.report import ablations, points
from quatnet.runs import RoundResult


def trial(*points):
    return [RoundResult(k, left, 100 - k, accuracy, 1, 0.5, 0.5) for k, (left, accuracy) in enumerate(points)]


def test_accuracies_between_rounds_are_linear_over_the_logarithm_of_the_weights_left():
    seeds = [trial((50, 90), (12.5, 80), (3.125, 40)), trial((50, 94), (12.5, 82), (3.125, 50))]
    found = ablations.at_levels(seeds)
    assert found[0] == pytest.approx((86.5, (88 - 85) / 2**0.5))  # 25 %: half way between 50 % and 12.5 %
    assert found[1] == pytest.approx((81, (82 - 80) / 2**0.5))
    assert found[2] == pytest.approx((63, (66 - 60) / 2**0.5))
    assert found[3] == pytest.approx((45, 10 / 2**0.5))
    assert found[4:] == [None, None]


def test_one_seed_has_no_deviation():
    assert ablations.at_levels([trial((25, 70), (6.25, 50))])[:3] == [(70, None), (60, None), (50, None)]


def test_only_rounds_that_all_seeds_have_count():
    found = ablations.at_levels([trial((25, 70), (12.5, 60), (6.25, 50)), trial((25, 72), (12.5, 62))])
    assert found[1][0] == 61
    assert found[2] is None


def test_differences_are_paired_by_seed_with_the_t_interval_of_scipy():
    accuracies = {
        "real": [70, 75, 81], "quaternion": [72, 79, 82], "real, he": [71, 71, 71], "quaternion, he": [60, 62, 67],
        "real, thin": [50, 40, 45], "quaternion, signs": [72, 70, 79],
    }  # fmt: skip
    expected = {
        "quaternion - real": ("quaternion", "real"),
        "quaternion - real, he": ("quaternion, he", "real, he"),
        "real, he - unchanged": ("real, he", "real"),
        "quaternion, he - unchanged": ("quaternion, he", "quaternion"),
        "real, thin - unchanged": ("real, thin", "real"),
        "quaternion, signs - unchanged": ("quaternion, signs", "quaternion"),
    }
    trials = {label: [trial((25, a), (6.25, a - 8)) for a in of_seed] for label, of_seed in accuracies.items()}
    found = ablations.differences(trials)
    assert set(found) == set(expected)
    for title, (label, subtracted) in expected.items():
        low, high = stats.ttest_rel(accuracies[label], accuracies[subtracted]).confidence_interval(0.95)
        for mean, half in found[title][:3]:
            assert (mean - half, mean + half) == pytest.approx((low, high))
        assert found[title][3:] == [None, None, None]


def test_equal_differences_have_no_interval():
    trials = {label: [trial((25, a), (12.5, a))] * 3 for label, a in (("real", 10), ("quaternion", 12))}
    assert ablations.differences(trials)["quaternion - real"][:2] == [(2, None), (2, None)]


def test_between_rounds_that_do_not_follow_each_other_there_is_no_value():
    first, second, third, fourth = trial((50, 90), (25, 80), (6.25, 60), (3.125, 50))
    assert ablations.at_levels([[first, second, fourth]])[:4] == [(80, None), None, None, (50, None)]
    found = ablations.at_levels([[first, second, third, fourth], [first, third, fourth]])
    assert [cell and cell[0] for cell in found] == [None, None, 60, 50, None, None]


def test_what_is_written_is_read_again_by_variant_and_seed(small_runs, tmp_path):
    real, quaternion = small_runs[:2], small_runs[2:]
    (tmp_path / "table.csv").write_text(ablations.to_csv({"real": real, "quaternion, he": quaternion}))
    found = ablations.read_csv(tmp_path / "table.csv")
    assert found == {
        "real": [points.of_run(run) for run in real],
        "quaternion, he": [points.of_run(run) for run in quaternion],
    }
    results = {label: [run.results() for run in runs] for label, runs in (("real", real), ("quaternion", quaternion))}
    assert ablations.differences({"real": found["real"], "quaternion": found["quaternion, he"]}) == (
        ablations.differences(results)
    )


def test_a_table_without_variants_is_an_error(small_runs):
    with pytest.raises(DataError, match="no column variant"):
        ablations.read_csv(small_runs[0].path / "results.csv")


def test_one_seed_has_differences_without_an_interval():
    trials = {label: [trial((25, a), (12.5, a - 8))] for label, a in (("real", 70), ("quaternion", 72))}
    assert ablations.differences(trials)["quaternion - real"][:3] == [(2, None), (2, None), None]


def test_every_ablation_has_a_panel_with_the_unchanged_networks_behind(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(ablations, "save_panels", lambda path, panels, columns: drawn.extend(panels) or True)
    labels = ("real", "quaternion", "real, thin", "real, he", "quaternion, he")
    assert ablations.save_ablations(tmp_path / "a.png", {label: [trial((25, 70), (6.25, 50))] for label in labels})
    assert [(title, [series.label for series in panel]) for title, panel in drawn] == [
        ("thin", ["real, unchanged", "quaternion, unchanged", "real"]),
        ("he", ["real, unchanged", "quaternion, unchanged", "real", "quaternion"]),
    ]
