"""Check every number of the documents against the files it comes from.

python scripts/check_claims.py

`scripts/claims/` computes sentences and rows of tables from the results; each must stand in its section, word for word
but for line breaks. The other way round, a number in a checked section that is in no such text, no code, no link and no
name (`NAMES`) has no source. Prints a line per mistake and exits with 1 if there is any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

WHOLE = ("README.md", "docs/results/README.md")
"""Documents of which every section is checked; of the others, only those with claims."""

OTHER_NUMBERS = {
    ("README.md", "Two commands"),
    ("docs/results/README.md", "What will count"),
    ("docs/deploy.md", "3. A program in C"),
    ("docs/performance.md", "Accuracy"),
    ("docs/performance.md", "Against PyTorch"),
}
"""Sections whose other numbers are no measurements: commands, what was decided before, bounds that tests keep."""

NAMES = re.compile(
    r"""(?:lenet|conv|resnet|vgg)-\d+(?:-\d+)? | CIFAR-100? | float(?:16|32) | int8 | x86-64 | AVX-512 | C99
    | Figures?\ \d[a-f]?(?:(?:\ and|,)\ \d[a-f]?)* | sections?\ \d(?:\.\d)?
    | stage\ \d | ^\|\ (?:\d[a-f]?(?:\ to\ \d?[a-f])?,\ )+ | seeds?\ \d\ to\ \d | 95\ %\ (?=\w*\ ?(?:interval|band))
    | BY-SA\ \d\.\d | arXiv\ \d{4}\.\d{5} | CODS-COMAD\ \d{4} | Python\ \d\.\d+
    | \[[\w.-]+\]\([^)]*\) | \]\([^)]*\)""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""What has digits and is no measurement: names, links, and where in the paper something stands."""

NUMBER = r"\d(?:[\d,.]*\d)?"
VALUE = re.compile(
    rf"[+-](?=\d)|{NUMBER}|\b(?:no|one|two|three|four|five|six|seven|eight|nine|ten|third|quarter|fifth|eighth|tenth)\b",
    re.IGNORECASE,
)
"""What of a claim may stand wrong in a document, and is then reported beside what is right."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Mistake:
    """Something wrong in a line of a document."""

    document: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.message}"


def main() -> None:
    """Check all documents that there are claims about."""
    from claims import collect

    mistakes = check_all(collect())
    for mistake in mistakes:
        print(mistake)
    sys.exit(1 if mistakes else 0)


def check_all(claims: dict[tuple[str, str], list[str]], root: Path = ROOT) -> list[Mistake]:
    """Return the mistakes of all documents; `claims` has the texts by document and heading."""
    mistakes = []
    for document in dict.fromkeys([*WHOLE, *(document for document, _ in claims)]):
        text = (root / document).read_text()
        mine = {heading: texts for (of, heading), texts in claims.items() if of == document}
        others = {heading for of, heading in OTHER_NUMBERS if of == document}
        mistakes += check(document, text, mine, others, whole=document in WHOLE)
    return mistakes


def check(
    document: str, text: str, claims: dict[str, list[str]], others: Iterable[str] = (), *, whole: bool = True
) -> list[Mistake]:
    """Return the mistakes of one document, in the order of its lines; in the sections `others` only those of claims."""
    found, seen = [], set()
    for heading, start, part in sections(text):
        seen.add(heading)
        mine, covered = claims.get(heading, []), list[Span]()
        found += [(start + place, message) for place, message in _wrong_claims(part, mine, covered)]
        if heading not in others and (whole or mine):
            found += [(start + place, message) for place, message in _without_source(part, covered)]
    found += [(0, f"there is no section {heading!r}") for heading in claims.keys() - seen]
    return [Mistake(document, text.count("\n", 0, place) + 1, message) for place, message in sorted(found)]


def sections(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield heading, place and text of every section; blocks of code are blanks, and headings are not in the text."""
    plain = re.sub(r"^```.*?^```$", _blank, text, flags=re.MULTILINE | re.DOTALL)
    headings = list(re.finditer(r"^#+ (.+)$", plain, flags=re.MULTILINE))
    ends = [heading.start() for heading in headings[1:]] + [len(plain)]
    for heading, end in zip(headings, ends, strict=True):
        yield heading[1], heading.end(), plain[heading.end() : end]


def _wrong_claims(part: str, claims: Sequence[str], covered: list[Span]) -> Iterator[tuple[int, str]]:
    """Yield place and message of claims that are not in a section; put where the others are into `covered`."""
    places = {claim: [match.span() for match in re.finditer(_words(claim), part)] for claim in claims}
    covered += [span for spans in places.values() for span in spans]
    for claim in (claim for claim, spans in places.items() if not spans):
        others = [match for match in re.finditer(_other_values(claim), part) if not _within(match.span(), covered)]
        if not others:
            yield 0, f"this is not there: {claim}"
            continue
        values = VALUE.findall(claim)
        nearest = max(others, key=lambda match: sum(map(str.__eq__, match.groups(), values)))
        covered.append(nearest.span())
        for k, (here, right) in enumerate(zip(nearest.groups(), values, strict=True), start=1):
            if here != right:
                yield nearest.start(k), f"{here} stands there, the files say {right}: {claim}"


def _without_source(part: str, covered: Sequence[Span]) -> Iterator[tuple[int, str]]:
    """Yield place and message of every line that has numbers outside the claims."""
    counted = re.sub(r"`[^`\n]*`|<!--.*?-->", _blank, NAMES.sub(_blank, part), flags=re.DOTALL)
    start = 0
    for line in counted.splitlines(keepends=True):
        found = [n for n in re.finditer(NUMBER, line) if not _within((start + n.start(), start + n.end()), covered)]
        if found:
            yield start, f"no source for {', '.join(n[0] for n in found)}: {part[start : start + len(line)].strip()}"
        start += len(line)


def _words(claim: str) -> str:
    """Return a pattern of a text that may be broken into lines anywhere."""
    return _whole(r"\s+".join(map(re.escape, claim.split())))


def _other_values(claim: str) -> str:
    """Return a pattern of the same text with any values, a group each."""
    literal, values = VALUE.split(claim), VALUE.findall(claim)
    pieces = [r"\s+".join(map(re.escape, re.split(r"\s+", text))) for text in literal]
    groups = [f"({NUMBER})" if value[0].isdigit() else "([+-])" if value in "+-" else r"(\w+)" for value in values]
    return _whole("".join(piece + group for piece, group in zip(pieces, [*groups, ""], strict=True)))


def _whole(pattern: str) -> str:
    """Return a pattern that matches no part of a number or a word."""
    return rf"(?<![\w.,+-]){pattern}(?![\w%]|[.,]\d)"


def _within(span: Span, spans: Iterable[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in spans)


def _blank(match: re.Match[str]) -> str:
    """Return blanks in the place of a match, with its line breaks."""
    return re.sub(r"[^\n]", " ", match[0])


if __name__ == "__main__":
    main()
