"""Public names that are imported when they are asked for, so that the command line and `import quatnet` are fast."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module


def find(package: str, homes: Mapping[str, str], name: str) -> object:
    """Return a public name of a package; an AttributeError if it has none of that name.

    `homes` says where each name stands: "module", or "module:name in it".
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module, _, attribute = homes[name].partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found
