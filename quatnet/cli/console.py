"""What people see: text, tables, and the JSON object."""

from __future__ import annotations

import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """Where text goes: standard output, or standard error when a JSON object goes to standard output, or nowhere."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet

    @cached_property
    def console(self) -> Console:
        """The terminal, for what is drawn on it again and again."""
        from rich.console import Console

        return Console(
            stderr=self.as_json, quiet=self.quiet, highlight=False, soft_wrap=True, markup=False, emoji=False
        )

    def say(self, text: str = "", *, bold: bool = False) -> None:
        """Print a line."""
        if not self.quiet:
            click.echo(click.style(text, bold=True) if bold else text, err=self.as_json)

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """Print a table, columns of numbers aligned to the right; never cut to the window."""
        cells = [columns, *rows]
        for k in range(len(columns)):
            width = max(len(row[k]) for row in cells)
            is_number = all(row[k] == "-" or (row[k].lstrip("+-")[:1].isdigit() and ", " not in row[k]) for row in rows)
            align = str.rjust if is_number else str.ljust
            cells = [[*row[:k], align(row[k], width), *row[k + 1 :]] for row in cells]
        for index, row in enumerate(cells):
            self.say("  ".join(row).rstrip(), bold=index == 0)

    def finish(self, value: dict[str, Any]) -> None:
        """Print the JSON object, if it is asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, indent=2) + "\n")


def weights_left(percent: float, dense_percent: float) -> str:
    """Say how many weights are left, in percent of the real network, and how many of the network's own are pruned."""
    return f"weights left {share(percent)} (pruned {pruned(percent, dense_percent)})"


def pruned(percent: float, dense_percent: float) -> str:
    """Say how many of the network's own parameters are pruned."""
    return share(max(0.0, 100 * (1 - percent / dense_percent)))


def share(percent: float) -> str:
    """Write a percentage with one decimal, below 1 % with two digits."""
    return f"{percent:#.2g} %" if 1e-6 < percent < 0.95 else f"{percent:.1f} %"
