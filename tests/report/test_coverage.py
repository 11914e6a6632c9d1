"""The intervals of a report hold the true value as often as they say, by simulation, and as the document says."""

import re
from pathlib import Path

import pytest

from tests.report import coverage

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "statistics.md"
# Four standard errors of a share of 95 % of 1,000 experiments are 2.8 points, and of one of 50 % 6.3.
CLOSE, COARSE = 2.8, 6.3


@pytest.fixture(scope="module")
def measured():
    return coverage.measure(bands=4_000, crossings=1_000)


def test_with_normal_noise_bands_and_crossings_of_any_number_of_seeds_hold_95_percent(measured):
    for (_, noise, _), (ours, _) in ((key, shares.values()) for key, shares in measured.items()):
        if noise == "normal":
            assert ours == pytest.approx(95, abs=CLOSE)


def test_the_document_has_the_shares_that_are_measured(measured):
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$", PAGE.read_text(), re.MULTILINE)
    assert [(kind, noise, int(seeds)) for kind, noise, seeds, *_ in rows] == list(measured)
    for (kind, noise, seeds, *shown), shares in zip(rows, measured.values(), strict=True):
        ours, bootstrap = shares.values()
        assert float(shown[0]) == pytest.approx(ours, abs=CLOSE), (kind, noise, seeds)
        assert float(shown[1]) == pytest.approx(bootstrap, abs=COARSE), (kind, noise, seeds)
