"""The page: one whole HTML file, the same every time, with everything in it."""

import base64
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from quatnet.report import experiments, paper, points, summary
from quatnet.report.details import Survival
from quatnet.report.page import _component_table, page
from quatnet.runs import Run
from tests.report.made import crossing_pairs, experiment, trial


class Reader(HTMLParser):
    """Collects tags with their attributes and the text, and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def made_page(*trials, figure=None):
    return page(summary.summarize([experiment(*trials)], figure and paper.load(figure)))


@pytest.fixture(scope="module")
def whole(small_experiment):
    """The page of real run folders."""
    return page(summary.summarize([small_experiment], None))


def test_it_is_one_html_file_whose_tags_are_closed(whole):
    assert whole.startswith("<!DOCTYPE html>\n")
    assert read(whole).of("svg")


def test_it_loads_nothing_from_elsewhere_and_runs_nothing(whole):
    reader = read(whole)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in reader.tags}
    assert not re.search(r"@import|url\(", whole)
    addresses = [
        value for _, attributes in reader.tags for name, value in attributes.items() if name in ("href", "src")
    ]
    assert [a for a in addresses if not a.startswith(("#", "data:text/csv;"))] == ["https://arxiv.org/abs/2308.06780"]


def test_it_is_made_for_phones_dark_windows_and_paper(whole):
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in read(whole).of("meta")
    for query in ("prefers-color-scheme: dark", "@media print", "max-width"):
        assert query in whole


def test_it_is_the_same_every_time(whole, small_experiment):
    assert page(summary.summarize([small_experiment], None)) == whole


def test_all_points_are_in_it_as_a_file_and_to_read(whole, small_experiment):
    expected = points.to_csv(small_experiment.points)
    (link,) = (a for a in read(whole).of("a") if "download" in a)
    assert base64.b64decode(link["href"].partition("base64,")[2]).decode() == expected
    assert expected in read(whole).text


def test_every_chart_says_what_it_shows(whole):
    labels = [svg["aria-label"] for svg in read(whole).of("svg") if svg.get("role") == "img"]
    assert labels[:2] == ["Test accuracy against weights left: lenet-12 on digits, protocol imp"] * 2
    assert labels[2:] == [
        *("real: training loss", "real: test accuracy, %", "quaternion: training loss", "quaternion: test accuracy, %"),
        *("real: what is left of every layer", "quaternion: what is left of every layer"),
        "quaternion: what is left of r, i, j and k",
    ]


def test_the_curve_has_a_marker_per_round_with_its_numbers(whole, small_experiment):
    row = summary.summarize([small_experiment], None)[0].of("quaternion")[2]
    tip = f"quaternion, {summary.percent(row.weights_left)} left: {row.accuracy:.2f} ± {row.deviation:.2f} %"
    assert whole.count(f"<title>{tip}</title>") == 2


def test_the_dense_network_is_on_the_left():
    chart = made_page(trial("real", 0, [90, 80, 70])).partition('<svg class="chart"')[2].partition("</section>")[0]
    places = [float(x) for x in re.findall('class="marker" cx="([0-9.]+)"', chart)]
    assert places[:3] == sorted(places[:3])
    assert len(set(places[:3])) == 3


def test_the_table_has_every_round_of_every_curve(whole, small_experiment):
    for row in summary.summarize([small_experiment], None)[0].rows:
        assert f"<td>{row.kept_weights:,}</td>" in whole
        assert f"<td>{summary.mean_and_deviation(row)}</td>" in whole


def test_the_components_of_the_last_round_are_a_table(whole):
    assert "<th>layer</th><th>r</th><th>i</th><th>j</th><th>k</th>" in whole


def test_settings_and_environment_are_in_it_but_not_what_differs_between_the_runs(whole, small_experiment):
    assert "<dt>batch_size</dt><dd>20</dd>" in whole
    assert "<dt>seed</dt>" not in whole
    python = small_experiment.sources[0].environment["python"]
    assert f"<dt>python</dt><dd>{python}</dd>" in whole


def test_an_environment_that_differs_is_shown_with_all_it_was(small_experiment, tmp_path):
    run = shutil.copytree(small_experiment.sources[0].path, tmp_path / "run")
    (run / "environment.json").write_text('{"python": "2.7", "cores": null}')
    found = experiments.gather([experiments.read(run), small_experiment.sources[1]])
    python = small_experiment.sources[1].environment["python"]
    assert f"<dt>python</dt><dd>2.7; {python}</dd>" in page(summary.summarize(found, None))


def test_a_run_without_its_environment_is_shown_all_the_same(small_experiment, tmp_path):
    run = shutil.copytree(small_experiment.sources[0].path, tmp_path / "run")
    (run / "environment.json").unlink()
    assert "What they ran on" not in page(summary.summarize(experiments.gather([experiments.read(run)]), None))


def test_real_runs_alone_have_no_components(small_experiment):
    found = experiments.gather([experiments.read(run.path) for run in small_experiment.runs("real")])
    html = page(summary.summarize(found, None))
    assert "<th>layer</th>" not in html
    assert "No comparison: there is no quaternion run." in html


def test_a_run_without_metrics_has_no_training_curves(small_experiment, tmp_path):
    run = Run(shutil.copytree(small_experiment.sources[0].path, tmp_path / "run"))
    (run.path / "metrics.jsonl").unlink()
    html = page(summary.summarize(experiments.gather([experiments.read(run.path)]), None))
    assert "<h3>Training</h3>" not in html
    assert "<h3>Which weights are left</h3>" in html


def test_dense_networks_alone_have_training_curves_and_nothing_that_was_pruned(small_experiment, tmp_path):
    run = shutil.copytree(small_experiment.sources[0].path, tmp_path / "run")
    for k in (1, 2, 3):
        (run / "rounds" / f"0{k}" / "result.json").unlink()
    html = page(summary.summarize(experiments.gather([experiments.read(run)]), None))
    assert "<h3>Training</h3>" in html
    assert "<h3>Which weights are left</h3>" not in html


def test_points_alone_say_that_the_rest_needs_run_folders():
    html = made_page(*crossing_pairs(2))
    assert "Losses and masks are in run folders only" in html
    assert "<h3>Settings and environment</h3>" not in html


def test_the_verdicts_of_the_levels_are_on_the_page():
    assert '<td class="text">1 seed is too few to tell</td>' in made_page(*crossing_pairs(1))
    assert made_page(*crossing_pairs(5)).count('<td class="text">real is ahead</td>') == 2


def test_the_page_has_the_numbers_of_the_table_on_a_terminal():
    (section,) = summary.summarize([experiment(*crossing_pairs(5))], None)
    html = page([section])
    for level in section.comparison.levels:
        for cell in summary.level_cells(level):
            assert re.sub(r"(^| )-(?=\d)", r"\1−", cell) in html
    for row in section.rows:
        assert f"<td>{summary.band_cell(row)}</td>" in html
    assert summary.crossing_sentence(section).replace(" %", "&nbsp;%") in html


def test_a_curve_is_interrupted_where_rounds_are_missing():
    runs = [[point for point in run if point.round != 1] for run in crossing_pairs(3)]
    chart = made_page(*runs).partition('<svg class="chart"')[2].partition("</svg>")[0]
    paths = {kind: re.findall(f'<path class="{kind}" d="([^"]*)"', chart) for kind in ("line", "band")}
    assert [path.count("M") for path in paths["line"]] == [2, 2]
    assert [path.count("Z") for path in paths["band"]] == [2, 2]


def test_the_paper_s_curve_is_drawn_behind_ours_with_its_error_bars_and_cited():
    html = made_page(*crossing_pairs(2), figure="5b")
    chart = html.partition('<svg class="chart"')[2]
    assert chart.index('<g class="real paper">') < chart.index('<g class="real">')
    assert len(re.findall('<path class="bar"', html)) == 2 * (15 + 16)
    assert "Figure 5b of Iqbal &amp; Mishra 2023, digitised" in html
    assert "<th>within 1 σ</th>" in html


@pytest.mark.parametrize(("protocol", "said"), [("imp", True), ("paper", False)])
def test_another_protocol_than_the_paper_s_is_said(protocol, said):
    html = made_page(trial("real", 0, [90], protocol=protocol), figure="5b")
    assert ("The paper's own protocol is another one" in read(html).text) is said


def test_points_beyond_the_paper_s_range_have_no_verdict():
    html = made_page(trial("real", 0, [90, 20], levels=(100.0, 0.5)), figure="5b")
    assert html.count('<td class="text">1 seed is too few to tell</td>') == 1
    assert html.count('<td class="text">-</td>') == 1


def test_components_of_several_layers_are_shown_together_too():
    left = np.array([[100.0, 100, 100, 100], [50, 25, 12.5, 0]])
    layers = {"conv1.weight": left, "fc1.weight": left}
    table = "".join(_component_table(Survival((0, 1), tuple(layers), left, layers, left / 2)))
    rows = [re.findall("<td>(.*?)</td>", line) for line in re.findall("<tr>(.*?)</tr>", table)[1:]]
    assert rows == [
        ["conv1", "50.0 %", "25.0 %", "12.5 %", "0 %"],
        ["fc1", "50.0 %", "25.0 %", "12.5 %", "0 %"],
        ["together", "25.0 %", "12.5 %", "6.25 %", "0 %"],
    ]


def test_one_seed_has_no_band():
    html = made_page(trial("real", 0, [90, 80]))
    assert 'class="band"' not in html
    assert "One seed has none." in html


def test_several_experiments_have_a_table_of_contents():
    found = [experiment(trial("real", 0, [90])), experiment(trial("real", 0, [90], protocol="paper"))]
    html = page(summary.summarize(found, None))
    assert [a["href"] for a in read(html).of("a") if a["href"].startswith("#")] == ["#e1", "#e2"]
    assert [section["id"] for section in read(html).of("section")] == ["e1", "e2"]


def test_names_are_text_and_never_markup():
    html = made_page(trial("real", 0, [90], dataset="<script>alert(1)<b>.npz"))
    assert "<script>" not in html
    assert "<b>" not in html
