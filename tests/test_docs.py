"""The documents: excerpts are in the code, examples run and print what is shown, and what is referred to exists."""

from __future__ import annotations

import ast
import doctest
import glob
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

import quatnet
from quatnet.cli.group import group
from quatnet.nn.networks import count_parameters

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGES.md",
        ROOT / "README.md",
        *(ROOT / "docs" / "results").glob("*.md"),
    ]
)
EXECUTED = [
    ROOT / "docs" / f"{name}.md"
    for name in ("api", "cluster", "deploy", "derivation", "design", "errata", "howto", "protocol", "ticket")
]
EXCERPT = re.compile(r"quatnet/[\w/]+\.py")
NOT_EXECUTED = "not executed: "
WRITTEN = "written to "
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block; `comment` is the HTML comment on the line before it, `line` that of its first line."""

    language: str
    text: str
    comment: str
    line: int


def blocks(text: str) -> list[Block]:
    lines = text.splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    assert len(fences) % 2 == 0, "a fence is open"
    found = []
    for start, end in zip(fences[::2], fences[1::2], strict=True):
        before = re.fullmatch(r"<!-- (.*) -->", lines[start - 1]) if start else None
        body = "".join(line + "\n" for line in lines[start + 1 : end])
        found.append(Block(lines[start][3:], body, before[1] if before else "", start + 2))
    return found


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def is_excerpt(block: Block) -> bool:
    return EXCERPT.fullmatch(block.comment) is not None


def is_in(excerpt: str, source: str) -> bool:
    """Say whether the lines of an excerpt stand in a source, one after the other, at one indentation."""
    return any(indented in "\n" + source for indented in (_indent(excerpt, depth) for depth in (0, 4, 8, 12, 16)))


def _indent(text: str, depth: int) -> str:
    return "\n" + "".join(" " * depth + line + "\n" if line else "\n" for line in text.splitlines())


def check_examples(page: Path, text: str) -> None:
    """Run the `pycon` and `console` blocks of a text in order, in the present folder."""
    names: dict[str, object] = {}
    for block in blocks(text):
        where = f"{page.name}, line {block.line}"
        if block.comment.startswith(NOT_EXECUTED):
            continue
        if block.comment.startswith(WRITTEN):
            Path(block.comment.removeprefix(WRITTEN)).write_text(block.text)
        if block.language == "pycon":
            test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line - 1)
            report: list[str] = []
            doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append, clear_globs=False)
            names.update(test.globs)
            assert not report, f"{where}\n{''.join(report)}"
        elif block.language == "console":
            _check_commands(block.text, where)


def _check_commands(text: str, where: str) -> None:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        program, *arguments = shlex.split(command)
        expanded = [path for argument in arguments for path in sorted(glob.glob(argument)) or [argument]]
        if program == "quatnet":
            result = CliRunner().invoke(group, expanded, prog_name="quatnet")
            exit_code, output = result.exit_code, result.output
        else:
            done = subprocess.run([program, *expanded], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            exit_code, output = done.returncode, done.stdout + done.stderr
        assert bool(exit_code) == expected.startswith("Error:"), f"{where}: {command}\n{output}"
        matches = doctest.OutputChecker().check_output(expected, output, OPTIONS)
        assert matches, f"{where}: {command}\nexpected:\n{expected}\ngot:\n{output}"


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def names_of_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_excerpt_stands_literally_in_the_file_that_is_named(page):
    for block in filter(is_excerpt, blocks(page.read_text())):
        assert is_in(block.text, (ROOT / block.comment).read_text()), f"line {block.line}: not in {block.comment}"


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.name)
def test_every_example_runs_and_prints_what_is_shown(page, tmp_path, monkeypatch):
    text = page.read_text()
    if "\n$ cc " in text and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUATNET_DATA", raising=False)
    check_examples(page, text)


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.name)
def test_every_block_of_code_is_executed_or_an_excerpt_or_says_why_not(page):
    for block in blocks(page.read_text()):
        executed = block.language in ("pycon", "console") or block.comment.startswith((NOT_EXECUTED, WRITTEN))
        assert executed or is_excerpt(block) or block.language in ("math", "text"), f"line {block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", without_blocks(page.read_text())):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        assert not anchor or anchor in headings(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_test_that_is_named_exists(page):
    named = re.findall(r"`((?:quatnet|tests|docs|scripts)/[\w/.-]*\w)/?(?:::(\w+))?`", page.read_text())
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or test in names_of_tests(ROOT / path), f"{path}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_formulas_have_as_many_opening_as_closing_braces(page):
    text = page.read_text()
    formulas = [block.text for block in blocks(text) if block.language == "math"]
    formulas += re.findall(r"\$([^$\n]+)\$", re.sub(r"`[^`\n]*`", "", without_blocks(text)))
    for formula in formulas:
        plain = re.sub(r"\\[{}]", "", formula)
        assert plain.count("{") == plain.count("}"), formula


COUNTS = re.compile(r"\| ([\w-]+) \| (10|100) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\.\d{5}) \|")


def test_the_counts_of_the_protocol_are_those_of_the_networks():
    rows = COUNTS.findall((ROOT / "docs" / "protocol.md").read_text())
    assert len(rows) == 8
    for name, classes, *numbers, ratio in rows:
        shape = (28, 28, 1) if name.startswith("Le") else (32, 32, 3)
        real, quaternion = (count_parameters(name.lower(), q, shape, int(classes)) for q in (False, True))
        expected = [real[0], sum(real), quaternion[0], sum(quaternion)]
        assert numbers == [f"{number:,}" for number in expected]
        assert ratio == f"{sum(quaternion) / sum(real):.5f}"[1:]


def rows_of_imports() -> dict[str, int]:
    """Return the row of every part of quatnet in the list of docs/design.md, counted from the bottom."""
    page = (ROOT / "docs" / "design.md").read_text()
    (listed,) = (block.text for block in blocks(page) if block.text.startswith("cli\n"))
    rows = enumerate(reversed(listed.splitlines()))
    return {f"quatnet.{part}": number for number, row in rows for part in row.split(", ")}


def row_of(module: str, rows: dict[str, int]) -> int | None:
    found = [part for part in rows if f"{module}.".startswith(f"{part}.")]
    return rows[max(found, key=len)] if found else None


def is_for_the_type_checker(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("path", sorted((ROOT / "quatnet").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards_in_the_list_of_the_design(path):
    rows = rows_of_imports()
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    here = row_of(module, rows)
    if path.name in ("__init__.py", "__main__.py"):
        return
    assert here is not None, f"{module} is not in the list"
    tree = ast.parse(path.read_text())
    typed = [node for block in ast.walk(tree) if is_for_the_type_checker(block) for node in ast.walk(block)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("quatnet") or node in typed:
            continue
        for name in node.names:
            there = row_of(f"{node.module}.{name.name}", rows)
            assert there is None or there <= here, f"{module} imports {node.module}.{name.name}"


def test_the_version_is_the_same_in_the_code_the_citation_and_the_changes():
    citation = re.search(r'^version: "?([^"\n]+)"?$', (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE)
    changes = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGES.md").read_text(), flags=re.MULTILINE)
    assert citation is not None
    assert changes is not None
    assert citation[1] == changes[1] == quatnet.__version__


@pytest.mark.parametrize(
    "text",
    [
        "```pycon\n>>> 1 + 1\n3\n```\n",
        "```pycon\n>>> 1 / 0\n```\n",
        "```console\n$ quatnet --version\nquatnet, version 99\n```\n",
        "```console\n$ quatnet nothing\n```\n",
        "```console\n$ rm x\n```\n",
    ],
)
def test_the_check_of_examples_finds_a_wrong_one(text):
    with pytest.raises(AssertionError, match=r"page\.md, line 2"):
        check_examples(Path("page.md"), text)


def test_the_check_of_excerpts_finds_a_changed_line():
    source = "def f(x):\n    y = x + 1\n    return y\n"
    assert is_in("y = x + 1\nreturn y\n", source)
    assert not is_in("y = x + 2\nreturn y\n", source)
    assert not is_in("= x + 1\n", source)
