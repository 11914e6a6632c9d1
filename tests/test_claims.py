"""The numbers of the documents are those of the files; and `scripts/check_claims.py` finds those that are not."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

if not ((ROOT / "scripts").is_dir() and (ROOT / "benchmarks").is_dir()):
    pytest.skip("needs a checkout of the repository", allow_module_level=True)

sys.path.insert(0, str(ROOT / "scripts"))
import check_claims  # noqa: E402
import claims  # noqa: E402

PAGE = """# Results

The network has 93.1 % with five seeds, and
is 7.4 points ahead.

| weights left | real | quaternion |
|---|---|---|
| 5.7 % | 91.2 | 90.1 |
| 3.0 % | 85.9 | 86.7 |

```sh
quatnet reproduce 5b --seeds 5
```
"""
TRUE = [
    "93.1 % with five seeds",
    "seeds, and is 7.4 points ahead",
    "| 5.7 % | 91.2 | 90.1 |",
    "| 3.0 % | 85.9 | 86.7 |",
]


def mistakes(*texts, page=PAGE, **options):
    return [str(mistake) for mistake in check_claims.check("page.md", page, {"Results": list(texts)}, **options)]


def test_every_number_of_the_documents_is_that_of_its_file():
    assert not [str(mistake) for mistake in check_claims.check_all(claims.collect())]


def test_claims_that_stand_in_the_page_are_no_mistakes_wherever_its_lines_break():
    assert mistakes(*TRUE) == []


def test_another_number_is_reported_with_its_line_and_what_the_files_say():
    found = mistakes("93.2 % with five seeds", *TRUE[1:])
    assert found == ["page.md:3: 93.1 stands there, the files say 93.2: 93.2 % with five seeds"]


def test_another_number_in_words_is_reported():
    assert "five stands there, the files say six" in mistakes("93.1 % with six seeds", *TRUE[1:])[0]


def test_of_similar_rows_the_one_with_the_most_numbers_alike_is_reported():
    (found,) = mistakes(*TRUE[:2], "| 5.7 % | 91.2 | 90.2 |", TRUE[3])
    assert found.startswith("page.md:8: 90.1 stands there, the files say 90.2")


def test_a_number_that_no_claim_has_is_reported():
    assert mistakes(*TRUE[:3]) == ["page.md:9: no source for 3.0, 85.9, 86.7: | 3.0 % | 85.9 | 86.7 |"]


def test_other_numbers_are_allowed_where_they_are_no_measurements():
    assert mistakes(*TRUE[:3], others=["Results"]) == []
    assert len(mistakes("93.2 % with five seeds", others=["Results"])) == 1


@pytest.mark.parametrize("number", ["193.1", "93.10", "-93.1", "93.1.2"])
def test_a_claim_is_not_found_within_a_longer_number(number):
    assert mistakes("93.1 %", page=f"# Results\n\nThere are {number} %.\n")


def test_a_claim_that_is_not_there_at_all_is_reported():
    assert mistakes(*TRUE, "nothing of it") == ["page.md:1: this is not there: nothing of it"]


def test_what_the_files_do_not_bear_out_and_what_cannot_be_computed_stands_nowhere():
    def wrong():
        yield claims.when(1 > 2, "is 7.4 points ahead")
        yield f"{None:.1f}"

    assert len([one for one in mistakes(*claims._texts(wrong)) if "this is not there: [" in one]) == 2


def test_claims_of_a_section_that_is_gone_are_reported():
    assert mistakes(*TRUE, page="# Other\n") == ["page.md:1: there is no section 'Results'"]


@pytest.mark.parametrize("name", ["ablations-lenet-12", "ablations-conv-2"])
def test_the_settings_of_the_ablations_are_those_of_their_points(name):
    folder = ROOT / "results" / name
    variants = json.loads((folder / "variants.json").read_text())
    with (folder / "results.csv").open() as file:
        points = list(csv.DictReader(file))
    assert list(variants) == list(dict.fromkeys(point["variant"] for point in points))
    for point in points:
        train, prune = (variants[point["variant"]][part] for part in ("train", "prune"))
        assert (point["algebra"] == "quaternion") == train["quaternion"]
        assert (point["arch"], point["dataset"], point["init"]) == (train["arch"], train["dataset"], train["init"])
        assert point["protocol"] == prune["protocol"]
        assert int(point["round"]) <= prune["rounds"]
    config = json.loads((folder / "config.json").read_text())
    assert any(
        all(variants[label][part].items() >= config[part].items() for part in ("train", "prune")) for label in variants
    )
