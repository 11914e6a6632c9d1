"""Public names are imported when they are asked for, and type checkers see the same ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import quatnet
from quatnet import data, deploy, nn, pruning, sweep

PACKAGES = (quatnet, data, deploy, nn, pruning, sweep)
NOTHING_LOADED = """
import sys, quatnet
assert not {"numpy", "scipy", "click"} & set(sys.modules)
quatnet.UsageError, dir(quatnet)
assert not {"numpy", "scipy", "click"} & set(sys.modules)
quatnet.quaternion.SIGN
assert "numpy" in sys.modules
"""


def for_type_checkers(package):
    """Return where the names that are imported for type checkers stand, as `_HOMES` writes it."""
    tree = ast.parse(Path(package.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        if node.module == package.__name__
        else f"{node.module}:{alias.name}"
        for node in block.body
        for alias in node.names
    }


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_type_checkers_see_the_names_that_are_loaded(package):
    assert for_type_checkers(package) == package._HOMES
    assert sorted(package._HOMES) == package.__all__


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_the_public_names_are_listed_whether_they_are_loaded_or_not(package):
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_another_name_is_an_attribute_error_as_of_any_module(package):
    with pytest.raises(AttributeError, match=f"^module '{package.__name__}' has no attribute 'nothing'$"):
        package.nothing  # noqa: B018


def test_the_package_loads_a_library_when_something_needs_it(tmp_path):
    subprocess.run([sys.executable, "-c", NOTHING_LOADED], cwd=tmp_path, check=True, timeout=60)
