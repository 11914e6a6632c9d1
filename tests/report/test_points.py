"""Points from run folders and from results.csv, and what is wrong with a table in one line."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.errors import DataError
from quatnet.report import points
from quatnet.report.points import Point
from quatnet.runs import CSV_COLUMNS

GOOD = {
    "arch": "lenet-12",
    "dataset": "mnist",
    "algebra": "real",
    "protocol": "imp",
    "init": "paper",
    "seed": "3",
    "round": "1",
    "weights_left": "80.5",
    "kept_weights": "7622",
    "accuracy": "93.25",
}
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=8)
PERCENT = st.floats(1e-9, 100)
COUNTS = st.integers(0, 10**9)


@pytest.fixture
def written(tmp_path):
    """Write rows as a results.csv."""

    def write(*rows, columns=CSV_COLUMNS):
        path = tmp_path / "results.csv"
        lines = [",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_the_points_of_a_run_are_its_results_csv(small_runs):
    for run in small_runs:
        assert points.to_csv(points.of_run(run)) == (run.path / "results.csv").read_text()


def test_a_run_that_was_only_trained_has_no_protocol(small_runs, tmp_path):
    run = small_runs[0]
    (tmp_path / "config.json").write_text((run.path / "config.json").read_text())
    trained = type(run)(tmp_path)
    trained.prune_settings = None
    trained.results = run.results
    assert {point.protocol for point in points.of_run(trained)} == {""}


@given(
    st.lists(
        st.builds(
            Point,
            *(NAMES, NAMES, st.sampled_from(points.ALGEBRAS), NAMES, NAMES),
            *(COUNTS, COUNTS, PERCENT, COUNTS, PERCENT),
        )
    )
)
def test_what_is_written_is_read_again(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("csv") / "results.csv"
    path.write_text(points.to_csv(drawn), encoding="utf-8", newline="")
    assert points.read_csv(path) == drawn


def test_columns_may_stand_in_any_order_beside_others(written):
    path = written({**GOOD, "note": "x"}, columns=("note", *reversed(CSV_COLUMNS)))
    (point,) = points.read_csv(path)
    assert {name: str(value) for name, value in asdict(point).items()} == GOOD


def test_a_mark_of_a_spreadsheet_before_the_first_column_does_not_matter(written):
    path = written(GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(points.read_csv(path)) == 1


@pytest.mark.parametrize(
    ("column", "value", "needed"),
    [
        ("algebra", "complex", "real or quaternion is needed"),
        ("seed", "-1", "an integer, 0 or more, is needed"),
        ("round", "1.5", "an integer, 0 or more, is needed"),
        ("kept_weights", "", "an integer, 0 or more, is needed"),
        ("weights_left", "100.1", "a number from 0 to 100 is needed"),
        ("accuracy", "nan", "a number from 0 to 100 is needed"),
        ("accuracy", "high", "a number from 0 to 100 is needed"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_what_is_needed(written, column, value, needed):
    path = written(GOOD, {**GOOD, column: value})
    with pytest.raises(DataError) as caught:
        points.read_csv(path)
    assert str(caught.value) == f"{path}, line 3: {column} is {value!r}; {needed}"


def test_no_weights_left_have_no_place_on_a_logarithmic_axis(written):
    with pytest.raises(DataError, match="line 2: weights_left is 0; more than 0 is needed"):
        points.read_csv(written({**GOOD, "weights_left": "0"}))


def test_a_line_that_ends_early_is_an_error(written):
    path = written(GOOD)
    path.write_text(path.read_text().removesuffix(",7622,93.25\n") + "\n")
    with pytest.raises(DataError, match="line 2: the line ends before kept_weights"):
        points.read_csv(path)


def test_missing_columns_are_named(written):
    path = written(GOOD, columns=CSV_COLUMNS[:-2])
    with pytest.raises(DataError, match=r"no column kept_weights, accuracy; the columns of results\.csv are needed"):
        points.read_csv(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"other\.csv: no such file"):
        points.read_csv(tmp_path / "other.csv")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'arch,"dataset', b""], ids=["bytes", "open quote", "empty"])
def test_a_file_that_is_no_table_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        points.read_csv(path)
    assert str(caught.value).startswith(f"{path}: ")
