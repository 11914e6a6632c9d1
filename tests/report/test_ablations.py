"""Ablations side by side: accuracies at the same numbers of weights left."""

import pytest

from quatnet.report import ablations
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


def test_every_ablation_has_a_panel_with_the_unchanged_networks_behind(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(ablations, "save_panels", lambda path, panels, columns: drawn.extend(panels) or True)
    labels = ("real", "quaternion", "real, thin", "real, he", "quaternion, he")
    assert ablations.save_ablations(tmp_path / "a.png", {label: [trial((25, 70), (6.25, 50))] for label in labels})
    assert [(title, [series.label for series in panel]) for title, panel in drawn] == [
        ("thin", ["real, unchanged", "quaternion, unchanged", "real"]),
        ("he", ["real, unchanged", "quaternion, unchanged", "real", "quaternion"]),
    ]
