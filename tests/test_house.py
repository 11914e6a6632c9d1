"""The storeys of the house: the core stands alone, what is fast stands on it, and tests mirror the package.

Lists of exceptions are exact: whoever removes one has to take it from its list here.
"""

import ast
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import quatnet
from quatnet.nn.optimizers import Adam
from tests.nn import every

PACKAGE = Path(quatnet.__file__).parent
TESTS = Path(__file__).parent

CORE_LINES = 4088
"""The core has no more lines; to be lowered to 3500."""

ABOVE = ("fast", "deploy", "report", "sweep", "cli")
"""Folders that stand on the core."""

BESIDE = ("data", "api", "presets", "cost", "doctor", "images", "environment", "version", "__init__", "__main__")
"""The data, and files at the top that are not of the core."""

CORE_LIBRARIES = {"numpy", "scipy", "cupy", "cupyx"}

SIDEWAYS = {("report.sizes", "quatnet.deploy.card")}
"""Imports between deploy, report and sweep: docs/design.md has the report above the others."""


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
CORE = {name: path for name, path in FILES.items() if name.split(".")[0] not in ABOVE + BESIDE}


def imports_of(path):
    """Yield the modules that a file imports, wherever in it; also the names imported, if they are modules."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner.removeprefix("quatnet.") in FILES else node.module


def imported(names, forbidden):
    """Return (file, import) for all imports that are forbidden: a function of the first two parts of the name."""
    found = set()
    for name in names:
        for module in imports_of(FILES[name]):
            library, _, rest = module.partition(".")
            if forbidden(library, rest.split(".")[0]):
                found.add((name, module))
    return found


def inside(*folders):
    return [name for name in FILES if name.split(".")[0] in folders]


# imports


IMPORT_EACH = """
import contextlib, importlib, os, sys
libraries, modules = (names.split() for names in sys.argv[1:])
for name in libraries:  # once instead of each time
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
for count, name in enumerate(modules):
    if count > 1:
        os.wait()
    if os.fork() == 0:
        try:
            importlib.import_module(f"quatnet.{name}")
        except BaseException as error:
            os.write(1, f"{name}: {error!r}\\n".encode())
        os._exit(0)
for _ in modules[:2]:
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_every_module_can_be_imported_first(tmp_path):
    """Each in a process that has no other one of the package; the package's own __init__ is empty for it."""
    shutil.copytree(PACKAGE, tmp_path / "quatnet", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "quatnet" / "__init__.py").write_text("")
    modules = set(FILES) - {"__init__", "__main__"}
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    python = functools.partial(
        subprocess.run, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    loaded = python(
        [sys.executable, "-c", "import sys, quatnet.api, quatnet.cli.progress; print(*sys.modules)"]
    ).stdout.split()
    libraries = [name for name in loaded if not name.startswith(("quatnet", "__main__"))]
    done = python([sys.executable, "-c", IMPORT_EACH, " ".join(libraries), " ".join(sorted(modules))])
    assert not done.stdout


def test_the_core_imports_nothing_that_stands_on_it():
    assert imported(CORE, lambda library, first: library == "quatnet" and first in ABOVE + BESIDE[1:]) == set()


def test_the_core_needs_numpy_scipy_and_cupy_alone():
    own = CORE_LIBRARIES | set(sys.stdlib_module_names) | {"quatnet"}
    assert imported(CORE, lambda library, first: library not in own) == set()


def test_what_is_fast_imports_the_core_alone():
    allowed = {name.split(".")[0] for name in CORE} | {"data", "fast", "environment"}
    assert imported(inside("fast"), lambda library, first: library == "quatnet" and first not in allowed) == set()
    own = CORE_LIBRARIES | set(sys.stdlib_module_names) | {"quatnet", "threadpoolctl"}
    assert imported(inside("fast"), lambda library, first: library not in own) == set()


def test_the_data_import_nothing_that_trains():
    allowed = {"data", "errors", "files", "streams", "backend", "lazy"}
    assert imported(inside("data"), lambda library, first: library == "quatnet" and first not in allowed) == set()


def test_what_people_do_with_it_does_not_import_each_other():
    found = set()
    for folder in ("deploy", "report", "sweep"):
        others = {"deploy", "report", "sweep", "cli"} - {folder}
        found |= imported(inside(folder), lambda library, first, others=others: first in others)
    assert found == SIDEWAYS


# size


def test_the_core_is_small():
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in CORE.items()}
    assert sum(lines.values()) <= CORE_LINES


@pytest.mark.parametrize(
    ("arch", "most", "layers"),
    [("lenet-12", 10, {"activation", "dense"}), ("conv-2", 13, {"activation", "dense", "conv", "im2col", "pool"})],
)
def test_a_step_of_the_reference_passes_few_files(arch, most, layers):
    """Of training: a forward pass, the loss, the backward pass, and the update."""
    network = every.network(arch, quaternion=True)
    optimizer = Adam(network.parameters)
    images, labels, entered = np.zeros((2, *network.input_shape)), np.array([0, 1]), set()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, argument: entered.add(frame.f_code.co_filename))
    try:
        logits, backward = network.forward(images)
        _, dlogits = network.loss(logits, labels)
        backward(dlogits, inputs=False)
        optimizer.step(1e-3)
    finally:
        sys.setprofile(before)
    files = {name_of(Path(name)) for name in entered if Path(name).is_relative_to(PACKAGE)}
    assert {f"nn.layers.{name}" for name in layers} < files
    assert len(files) <= most, sorted(files)


# tests


@pytest.mark.parametrize("folder", ["nn", "nn/layers", "fast", "fast/gpu"])
def test_a_test_file_is_named_after_the_module_that_it_tests(folder):
    whole_folder = {"fast": {"test_equal"}, "fast/gpu": {"test_gpu", "test_gpu_only"}}.get(folder, set())
    modules = {path.stem for where in (PACKAGE, TESTS) for path in (where / folder).glob("*.py")}
    for path in (TESTS / folder).glob("test_*.py"):
        tested = path.stem.removeprefix("test_")
        parts = tested.split("_")
        beginnings = {"_".join(parts[:k]) for k in range(1, len(parts) + 1)}
        assert path.stem in whole_folder or beginnings & modules, path.name
