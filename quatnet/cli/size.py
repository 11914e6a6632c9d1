"""Numbers of bytes, as people write them."""

from __future__ import annotations

import re
from typing import Any

import click

UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "kib": 1024, "mib": 1024**2}


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: 900, 900B, 16kB (16,000), 64KiB (65,536), 1.5MB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        if isinstance(value, int):
            return value
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", value.strip())
        if parts is None or parts[2].lower() not in UNITS:
            self.fail(f"{value!r} given; a size like 900B, 16kB, 64KiB or 1MB is needed", param, ctx)
        return int(float(parts[1]) * UNITS[parts[2].lower()])
