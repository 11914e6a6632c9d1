"""Record which functions and arguments CuPy has, for the stand-in of tests/device.

python scripts/record_cupy_functions.py

Installs every CuPy of VERSIONS into a virtual environment of its own, in a temporary folder, and lists there what can
be listed without a GPU. Writes tests/device/cupy_functions.json: what all versions have.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import subprocess
import sys
import tempfile
from functools import reduce
from itertools import zip_longest
from pathlib import Path
from typing import Any

PACKAGE = "cupy-cuda12x"
VERSIONS = ("13.6.*", "14.*")
RECORD = Path(__file__).resolve().parents[1] / "tests" / "device" / "cupy_functions.json"

NESTED = ("lib.stride_tricks.as_strided",)
"""Functions of submodules that quatnet uses."""

NOT_SUPPORTED_YET = {"astype": ("casting", "subok")}
"""Arguments of methods that are in the signature only: CuPy raises when they are given."""


def main() -> None:
    """Record; with --list (in a virtual environment with CuPy), print the lists of the CuPy that is installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().list:
        print(json.dumps(listed()))
        return
    lists = [listed_in_environment(version) for version in VERSIONS]
    record: dict[str, Any] = {
        "recorded from": [f"{PACKAGE} {each['cupy']}, a wheel, beside NumPy {each['numpy']}" for each in lists],
        "values": sorted(set.intersection(*(set(each["values"]) for each in lists))),
    }
    for kind in ("functions", "methods", "csr_matrix"):
        names = set.intersection(*(set(each[kind]) for each in lists))
        record[kind] = {name: reduce(common, (each[kind][name] for each in lists)) for name in sorted(names)}
    RECORD.write_text(json.dumps(record, indent=0) + "\n", "utf-8")


def listed_in_environment(version: str) -> dict[str, Any]:
    """Return what `listed` finds in a new virtual environment with one version of CuPy."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:"]
        subprocess.run([*pip, f"{PACKAGE}=={version}", "scipy"], check=True)
        output = subprocess.run([python, __file__, "--list"], check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def listed() -> dict[str, Any]:
    """Return the names that CuPy shares with NumPy, and its arrays' and CSR matrices' methods, with their arguments.

    Functions and methods are mapped to their arguments (see `arguments`); the other names, types and constants that
    are NumPy's own, are listed.
    """
    import cupy
    import numpy as np
    from cupyx.scipy import sparse

    functions, values = {}, []
    for name in filter(is_public, dir(np)):
        ours = getattr(cupy, name, None)
        if callable(ours) and not isinstance(ours, type):
            functions[name] = arguments(ours)
        elif ours is getattr(np, name) and not inspect.ismodule(ours):
            values.append(name)
    for name in NESTED:
        functions[name] = arguments(reduce(getattr, name.split("."), cupy))
    return {
        "cupy": cupy.__version__,
        "numpy": np.__version__,
        "values": values,
        "functions": functions,
        "methods": methods(cupy.ndarray),
        "csr_matrix": methods(sparse.csr_matrix),
    }


def is_public(name: str) -> bool:
    """Say whether a name is not private."""
    return not name.startswith("_")


def methods(cls: type) -> dict[str, str]:
    """Return the arguments of all public methods of a class, without the first."""
    found = {}
    for name in filter(is_public, dir(cls)):
        method = getattr(cls, name)
        if callable(method):
            missing = NOT_SUPPORTED_YET.get(name, ())
            names = [each for each in arguments(method).split() if each not in missing]
            found[name] = " ".join(names[1:] if names[:1] == ["self"] else names)
    return found


def arguments(function: Any) -> str:
    """Return the names of a function's arguments: those by position, `*` or `*name`, those by keyword only.

    Compiled functions and ufuncs tell them in the first line of their docstring, like `f(x, /, int axis=0, \\*, out)`.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        parameters = []
    line = re.match(r"[\w.]+\((.*)\)( ->.*)?\n", f"{function.__doc__}\n".lstrip())
    if line and (not parameters or parameters[-1].kind is inspect.Parameter.VAR_KEYWORD):
        parts = [part.strip() for part in re.split(r",(?![^(]*\))", re.sub(r"[\[\]\\]", "", line[1]))]
        names = [part.partition("=")[0].partition(":")[0].split()[-1] for part in parts if part not in ("", "/")]
        return " ".join(name for name in names if not name.startswith("**"))
    names = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not any(name.startswith("*") for name in names):
            names.append("*")
        if p.kind is not p.VAR_KEYWORD:
            names.append(f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name)
    return " ".join(names)


def common(first: str, second: str) -> str:
    """Return the arguments that both have; `_` is one that has two names, and can be given by position only."""
    (ours, our_star, our_rest), (theirs, their_star, their_rest) = split_arguments(first), split_arguments(second)
    by_position: list[str] = []
    for a, b in zip_longest(ours, theirs):
        if a == b or (a is None and our_star) or (b is None and their_star):
            by_position.append(a or b)
        elif a is None or b is None or a in theirs or b in ours:
            break  # at another place in the other one
        else:
            by_position.append("_")
    rest = [name for name in (*ours, *our_rest) if name in {*theirs, *their_rest} - set(by_position)]
    star = our_star if their_star else []
    return " ".join([*by_position, *(star or ["*"] * bool(rest)), *rest])


def split_arguments(names: str) -> tuple[list[str], list[str], list[str]]:
    """Return the arguments by position, the one that takes any number more (if there is one), and those by keyword."""
    split = names.split()
    star = next((k for k, name in enumerate(split) if name.startswith("*")), len(split))
    return split[:star], [name for name in split[star : star + 1] if name != "*"], split[star + 1 :]


if __name__ == "__main__":
    main()
