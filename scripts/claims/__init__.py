"""What the documents claim, computed from the files: one function per section, one text per claim.

A claim is a text that must stand in its section. `check_claims.py` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

Claims = Callable[[], Iterator[str]]
_SECTIONS: dict[tuple[str, str], Claims] = {}


def claims(document: str, heading: str) -> Callable[[Claims], Claims]:
    """Say of which section of which document a function yields the claims."""

    def register(function: Claims) -> Claims:
        _SECTIONS[document, heading] = function
        return function

    return register


def collect() -> dict[tuple[str, str], list[str]]:
    """Return the claims of all sections, by document and heading."""
    for name in ("readme", "figures", "stage_0", "ablations", "deploy", "performance"):
        import_module(f"claims.{name}")
    return {section: list(_texts(function)) for section, function in _SECTIONS.items()}


def when(holds: bool, text: str) -> str:
    """Return a text that the files bear out; if they do not, one that stands nowhere."""
    return text if holds else f"[not borne out by the files] {text}"


def _texts(function: Claims) -> Iterator[str]:
    try:
        yield from function()
    except Exception as error:
        yield f"[not computed: {type(error).__name__}: {error}] and all after it"
