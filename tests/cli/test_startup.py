"""The command starts at once: nothing is imported before it is needed, and Ctrl-C may come at any time."""

import json
import os
import subprocess
import sys

import pytest

from quatnet.cli.group import COMMANDS, group, load

HEAVY = {"numpy", "scipy", "requests", "pooch", "rich", "matplotlib", "cupy", "threadpoolctl", "distributed", "onnx"}
RUN = """
import json, sys
sys.argv[0] = "quatnet"
from quatnet.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
INTERRUPT = """
import sys
_, module, *sys.argv[1:] = sys.argv
class Interrupt:
    def find_spec(name, path=None, target=None):
        if name == module:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt)
sys.argv[0] = "quatnet"
from quatnet.cli import main
main()
"""


def fresh(program, *arguments, folder, **environment):
    """A new interpreter in an empty folder."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "QUATNET_DATA": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def imported(*arguments, folder, **environment):
    """The packages and modules that a command has imported, and its standard output."""
    done = fresh(RUN, *arguments, folder=folder, **environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


def completed(folder, words):
    """What the shell is offered for the last of some words."""
    environment = {"_QUATNET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    modules, text = imported(folder=folder, **environment)
    return modules, [line.partition(",")[2] for line in text.splitlines()]


def commands_in(modules):
    return {name for name in COMMANDS if f"quatnet.cli.{name}" in modules}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_help_and_the_version_import_no_command_and_no_library(tmp_path, arguments):
    modules, text = imported(*arguments, folder=tmp_path)
    assert "quatnet" in text
    assert modules & HEAVY == set()
    assert commands_in(modules) == set()


@pytest.mark.parametrize("arguments", [("data", "list"), ("runs",), ("runs", "--json")])
def test_the_lists_import_no_library(tmp_path, arguments):
    modules, _ = imported(*arguments, folder=tmp_path)
    assert modules & HEAVY == set()
    assert commands_in(modules) == {arguments[0]}


def test_a_run_is_listed_without_a_library(quatnet, run, tmp_path):
    modules, text = imported("runs", folder=tmp_path)
    assert run.name in text
    assert modules & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_imports_that_command_and_no_library(tmp_path, name):
    modules, text = imported(name, "--help", folder=tmp_path)
    assert f"quatnet {name}" in text
    assert modules & HEAVY == set()


def test_the_shell_completes_the_names_of_commands(tmp_path):
    modules, offered = completed(tmp_path, "quatnet re")
    assert offered == ["reproduce", "report"]
    assert modules & HEAVY == set()
    assert commands_in(modules) == set()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("quatnet train --ar", "--arch"),
        ("quatnet prune --ro", "--rounds"),
        ("quatnet runs --js", "--json"),
        ("quatnet data list --qu", "--quiet"),
    ],
)
def test_the_shell_completes_the_options_of_a_command(tmp_path, words, option):
    modules, offered = completed(tmp_path, words)
    assert option in offered
    assert modules & HEAVY == set()
    assert commands_in(modules) == {words.split()[1]}


def test_the_shell_completes_the_values_of_an_option(tmp_path):
    assert completed(tmp_path, "quatnet train --init m")[1] == ["matched"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_in_the_list_is_the_first_of_the_command(name):
    line = load(name).help.partition("\n\n")[0]
    assert " ".join(line.split()) == COMMANDS[name]


def test_every_command_of_the_list_has_its_name():
    assert {name: load(name).name for name in COMMANDS} == {name: name for name in COMMANDS}
    assert list(group.commands) == list(COMMANDS)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("click", "Interrupted\n"),
        ("quatnet.cli.group", "Interrupted\n"),
        ("quatnet.cli.models", "Interrupted; to resume: quatnet models\n"),
        ("numpy", "Interrupted; to resume: quatnet models\n"),
    ],
)
def test_ctrl_c_during_an_import_is_one_line_and_its_exit_code(tmp_path, module, message):
    done = fresh(INTERRUPT, module, "models", folder=tmp_path)
    assert (done.returncode, done.stderr.lstrip("\n")) == (130, message)
