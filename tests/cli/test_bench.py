"""`quatnet bench`: the card of two runs."""

import json
import re

import numpy as np
import pytest

from quatnet.cli.bench import findings
from quatnet.deploy import card
from quatnet.deploy.card import BATCHES, COMPILED, DENSE, NUMPY, SPARSE, Card, RoundCard
from quatnet.deploy.latency import Latency
from quatnet.runs import RoundResult, Run
from tests.cli.conftest import NETWORK

FAST = ("--seconds", 0.002)


@pytest.fixture
def other(quatnet):
    """A quaternion run beside the real one."""
    return quatnet.json("prune", *NETWORK, "--quaternion", "--rounds", 1, "--stop-below", 0)["run"]


def test_real_and_quaternion_stand_beside_each_other_round_by_round(quatnet, run, other, tmp_path):
    cards = quatnet.json("bench", run, "--against", other, *FAST, "--card", "card.json", "--figure", "card.png")[
        "cards"
    ]
    assert cards == json.loads((tmp_path / "card.json").read_text())["cards"]
    assert (tmp_path / "card.png").read_bytes()[:4] == b"\x89PNG"
    real, quaternion = cards
    assert [len(card["rounds"]) for card in cards] == [3, 2]
    # 64 x 12 and 12 x 4 products; of the quaternion layer a quarter of the weights take part in as many.
    assert real["multiply_adds"] == quaternion["multiply_adds"] == 64 * 12 + 12 * 4
    kept = [r["result"]["kept_weights"] for r in real["rounds"]]
    assert [r["multiply_adds"] for r in real["rounds"]] == kept == [816, 653, 522]
    assert quaternion["rounds"][0]["multiply_adds"] == 64 * 12 + 12 * 4
    for shown in cards:
        for one in shown["rounds"]:
            assert set(one["latency"]) >= {NUMPY, DENSE, SPARSE, COMPILED}
            assert all(set(latency) == {str(batch) for batch in BATCHES} for latency in one["latency"].values())
            assert one["bytes"]["ticket int8"] < one["bytes"]["ticket float32"]
            assert one["bound"] < one["bytes"]["ticket float32"]


def test_it_is_shown_as_tables_and_sentences(quatnet, run, other):
    text = quatnet("bench", run, "--against", other, *FAST)
    header = next(line for line in text.splitlines() if line.startswith("algebra"))
    assert re.split("  +", header)[:4] == ["algebra", "round", "weights left", "weights"]
    accuracies = [f"{result.accuracy:.2f}" for result in Run(run).results()]
    rows = [line for line in text.splitlines() if re.match("real +[0-2] ", line)]
    assert len(rows) == 3 * (1 + len(BATCHES))
    assert all(accuracy in row for accuracy, row in zip(accuracies, rows[:3], strict=True))
    assert "a quarter of the real layers' weights, and the same products" in text


def test_a_layout_that_is_asked_for_is_that_of_all_layers(quatnet, run):
    (card,) = quatnet.json("bench", run, *FAST, "--layout", "csr")["cards"]
    assert [set(one["layouts"].values()) for one in card["rounds"]] == [{"csr"}] * 3


def test_runs_that_cannot_be_compared_are_refused(quatnet, run):
    conv = quatnet.json("train", "--arch", "lenet", *NETWORK[2:])["run"]
    assert "has another network or data set" in quatnet.error(2, "bench", run, "--against", conv, *FAST)


def made(ratios):
    """A card of rounds at 100, 50, 25 ... % of the weights, sparse in `ratios` of the dense time."""
    rounds = []
    for k, ratio in enumerate(ratios):
        result = RoundResult(k, 100 / 2**k, 100, 90.0, 1, 0.1, 0.1)
        latency = {
            name: dict.fromkeys(BATCHES, Latency(time, time)) for name, time in ((DENSE, 8.0), (SPARSE, 8.0 * ratio))
        }
        rounds.append(RoundCard(result, {}, 0.0, 90.0, 100, 10, latency, {}))
    return Card("run", "lenet-12", "real", "mnist", 0, 1000, 1000, tuple(rounds))


def test_the_break_even_is_half_way_between_twice_and_half_the_time():
    assert made([4, 2, 0.5]).break_even() == pytest.approx(50 / 2**0.5)
    assert made([4, 2, 1.5]).break_even() is None
    assert made([0.9, 0.5]).break_even() is None
    assert made([2, 0.5, 2]).break_even() is None


def test_where_dense_is_faster_is_said():
    assert findings([made([4, 2, 0.5])])[0] == (
        "real, one image: sparse is faster than dense below 35.4 % of the weights"
    )
    assert findings([made([4, 2, 1.5])])[0] == "real, one image: dense is faster in all rounds"
    assert findings([made([0.9, 1.5])])[0] == "real, one image: neither sparse nor dense is faster throughout"
    assert findings([made([0.9, 0.5])])[0] == "real, one image: sparse is faster in all rounds"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--figure", "card.foo"), "--figure: card.foo given; a name that ends in .png or .svg is needed"),
        (("--card", "no/card.json"), "--card: no/card.json given; the folder no does not exist"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_anything_is_measured(quatnet, run, option, said):
    assert quatnet.error(2, "bench", run, *option) == said


def test_sixty_four_images_are_as_many_even_of_a_small_test_set(quatnet, run, monkeypatch):
    sizes = set()
    monkeypatch.setattr(
        card,
        "measure",
        lambda calls, seconds: {name: Latency(len(np.atleast_2d(call())), 1.0) for name, call in calls.items()},
    )
    monkeypatch.setattr(card.native, "compiler", lambda: None)
    for one in quatnet.json("bench", run, "--test-size", 10)["cards"][0]["rounds"]:
        sizes |= {latency[batch]["p50"] for latency in one["latency"].values() for batch in latency}
    assert sizes == {1, 64}
