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
    for name in ("readme", "figures", "ablations", "deploy", "performance"):
        import_module(f"claims.{name}")
    return {section: list(function()) for section, function in _SECTIONS.items()}
