"""The charts as SVG: what is drawn where."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatnet.report import svg
from quatnet.report.svg import BOTTOM, LEFT, MARKER, RIGHT, TOP, Axis, Line

SIZE = (400, 300)
WIDTH, HEIGHT = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
X, Y = Axis("epoch", 0, 10, (0, 5, 10)), Axis("", 0, 100, (0, 50, 100))
PERCENT = st.floats(1e-3, 100)


def parsed(lines, x=X, y=Y, label="a chart"):
    return ElementTree.fromstring(svg.chart(lines, x, y, size=SIZE, label=label))


def of_class(element, name):
    return [found for found in element.iter() if name in found.get("class", "").split()]


def numbers(path):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", path.get("d"))]


def test_a_line_goes_through_its_points_within_the_axes():
    (line,) = of_class(parsed([Line("a", "real", [0, 5, 10], [0, 100, 50])]), "line")
    assert numbers(line) == [0, HEIGHT, WIDTH / 2, 0, WIDTH, HEIGHT / 2]


def test_only_lines_with_markers_have_them_and_each_says_its_tip():
    drawn = parsed(
        [Line("a", "real", [1, 2], [3, 4], marker=True, tips=["one", "two"]), Line("b", "real", [1, 2], [3, 4])]
    )
    assert [marker.find("title").text for marker in of_class(drawn, "marker")] == ["one", "two"]


def test_quaternion_markers_have_another_shape_than_real_ones():
    drawn = parsed([Line("a", algebra, [1], [3], marker=True) for algebra in ("real", "quaternion")])
    assert [marker.tag for marker in of_class(drawn, "marker")] == ["circle", "rect"]


def test_a_band_goes_along_its_upper_edge_and_back_along_the_lower_one():
    (band,) = of_class(parsed([Line("a", "real", [0, 10], [50, 50], band=([0, 25], [100, 75]))]), "band")
    assert numbers(band) == pytest.approx([0, 0, WIDTH, HEIGHT / 4, WIDTH, 3 * HEIGHT / 4, 0, HEIGHT], abs=0.06)


def test_a_line_and_its_band_are_interrupted_before_gaps():
    x, y = [0, 5, 10], [50, 50, 0]
    drawn = parsed([Line("a", "real", x, y, band=([0, 25, 0], [100, 75, 0]), gaps=[1])])
    (line,), (band,) = of_class(drawn, "line"), of_class(drawn, "band")
    assert [piece.count("L") for piece in line.get("d").split("M")[1:]] == [0, 1]
    alone, rest = band.get("d").split("M")[1:]
    assert numbers({"d": alone}) == pytest.approx([-MARKER, 0, MARKER, 0, MARKER, HEIGHT, -MARKER, HEIGHT], abs=0.06)
    assert numbers({"d": rest})[:2] == pytest.approx([WIDTH / 2, HEIGHT / 4], abs=0.06)


def test_an_error_bar_is_as_long_above_as_below():
    (bar,) = of_class(parsed([Line("a", "real", [5], [50], bars=[25])]), "bar")
    place, top, bottom = numbers(bar)[:3]
    assert (place, top, bottom) == pytest.approx((WIDTH / 2, HEIGHT / 4, 3 * HEIGHT / 4), abs=0.06)


def test_a_hue_is_given_to_the_style_sheet():
    (group,) = of_class(parsed([Line("a", "layer", [1], [3], hue=20)]), "layer")
    assert group.get("style") == "--h:20"


def test_ticks_are_where_their_values_are():
    drawn = parsed([])
    places = {text.text: (float(text.get("x")), float(text.get("y"))) for text in of_class(drawn, "tick")}
    assert places["5"][0] == pytest.approx(LEFT + WIDTH / 2, abs=0.06)
    assert places["100"][1] == pytest.approx(TOP + 4)


def test_labels_are_written_and_nothing_in_them_is_taken_for_markup():
    drawn = parsed([Line("a", 'r"e<a>l', [1], [3], marker=True, tips=["<&"])], x=Axis("<x> & y", 0, 1, ()), label='"<')
    assert [text.text for text in of_class(drawn, "label")] == ["<x> & y"]
    assert drawn.get("aria-label") == '"<'


def test_a_chart_with_a_label_above_is_lower_by_it():
    (line,) = of_class(parsed([Line("a", "real", [0, 10], [0, 100])], y=Axis("accuracy", 0, 100, ())), "line")
    assert numbers(line) == [0, HEIGHT - svg.LABEL, WIDTH, 0]


def test_a_legend_names_every_line_beside_a_piece_of_it():
    items = ElementTree.fromstring(svg.legend([Line("a < b", "real", [], []), Line("c", "k dotted", [], [])]))
    assert ["".join(item.itertext()).strip() for item in items] == ["a < b", "c"]
    assert [len(of_class(item, "line")) for item in items] == [1, 1]
    assert of_class(items[1], "dotted")


def test_halvings_are_ticks_from_100_on_and_the_dense_network_is_on_the_left():
    axis = svg.halvings([100, 10], "left", falling=True)
    assert axis.ticks == (100, 50, 25, 12.5)
    assert axis.part(100) < axis.part(50) < axis.part(10)
    assert axis.part(100) - axis.part(50) == pytest.approx(axis.part(50) - axis.part(25))


def test_rising_halvings_have_the_least_at_the_bottom():
    axis = svg.halvings([100, 10], "left", falling=False)
    assert axis.part(10) < axis.part(100)


@given(st.lists(PERCENT, min_size=1))
def test_all_values_are_on_a_logarithmic_axis_that_has_a_tick(values):
    axis = svg.halvings(values, "left", falling=True)
    assert all(0 <= axis.part(value) <= 1 for value in values)
    assert axis.ticks


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_all_values_are_on_a_linear_axis_with_a_few_ticks_from_end_to_end(values):
    axis = svg.linear(values, "loss")
    assert all(-1e-6 <= axis.part(value) <= 1 + 1e-6 for value in values)
    assert 2 <= len(axis.ticks) <= 10
    assert (axis.ticks[0], axis.ticks[-1]) == (axis.start, axis.end)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.28, 1.99], (0, 0.5, 1, 1.5, 2)),
        ([33, 94], (20, 40, 60, 80, 100)),
        ([0, 20], (0, 5, 10, 15, 20)),
        ([5, 5], (5, 6)),
        ([0], (0, 0.2)),
    ],
)
def test_ticks_are_at_round_numbers(values, ticks):
    assert svg.linear(values, "").ticks == pytest.approx(ticks)


@pytest.mark.parametrize(("values", "ticks"), [([1, 2], (1, 2)), ([1, 3], (1, 2, 3)), ([0, 20], (0, 5, 10, 15, 20))])
def test_rounds_and_epochs_have_whole_ticks(values, ticks):
    assert svg.linear(values, "", whole=True).ticks == ticks


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ((97.05, 97.1, 97.15), ["97.05", "97.1", "97.15"]),
        ((0, 0.5, 1), ["0", "0.5", "1"]),
        ((0, 20, 100), ["0", "20", "100"]),
    ],
)
def test_a_tick_has_the_digits_that_tell_it_from_the_next(ticks, texts):
    axis = Axis("", ticks[0], ticks[-1], ticks)
    assert [axis.text(tick) for tick in ticks] == texts


@pytest.mark.parametrize(
    ("value", "text"), [(100, "100"), (12.5, "12.5"), (6.25, "6.2"), (0.390625, "0.39"), (0, "0"), (1.5, "1.5")]
)
def test_ticks_are_written_shortly(value, text):
    assert svg.tick_text(value) == text
