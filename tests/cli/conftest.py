"""The command in the test's own process, in an empty folder, with a small image set and a small pruned run."""

import json
import shutil

import pytest
from click.testing import CliRunner

from quatnet.cli.group import group
from tests import small

DATA = "digits.npz"
NETWORK = ("--arch", "lenet-12", "--dataset", DATA, "--epochs", 2, "--batch-size", 20, "--rate", 0.01)


def invoke(*arguments):
    """Run the command, and let through every exception that it does not turn into an exit code."""
    result = CliRunner().invoke(group, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class Command:
    """`quatnet ...`: calling it wants exit code 0 and returns standard output."""

    def __call__(self, *arguments):
        result = invoke(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *arguments):
        """The object that is all of standard output."""
        return json.loads(self(*arguments, "--json"))

    def error(self, exit_code, *arguments):
        """The one line on standard error, without its "Error: "."""
        result = invoke(*arguments)
        assert result.exit_code == exit_code, result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")
        return line.removeprefix("Error: ")

    def interrupted(self, *arguments):
        """The lines on standard error of a command that Ctrl-C ends."""
        result = invoke(*arguments)
        assert result.exit_code == 130, result.output
        return result.stderr


@pytest.fixture(scope="session")
def data_file(tmp_path_factory):
    """80 + 40 gray images of 8x8 pixels in 4 classes."""
    return small.write(tmp_path_factory.mktemp("data") / DATA, side=8, train=80, test=40, classes=4, noise=150)


@pytest.fixture
def quatnet(tmp_path, monkeypatch, data_file):
    """The command, where the data set is `digits.npz` and nothing else is there."""
    shutil.copy(data_file, tmp_path / DATA)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUATNET_DATA", str(tmp_path / "data"))
    return Command()


@pytest.fixture(scope="session")
def pruned_run(tmp_path_factory, data_file):
    """A finished run: round 0 and two pruning rounds. Tests take a copy of it."""
    folder = tmp_path_factory.mktemp("pruned")
    shutil.copy(data_file, folder / DATA)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = invoke("prune", *NETWORK, "--rounds", 2, "--stop-below", 0, "--json", "--quiet")
    return folder / json.loads(result.stdout)["run"]


@pytest.fixture
def run(quatnet, pruned_run, tmp_path):
    """A finished run of two rounds in `runs`, relative to the present folder."""
    shutil.copytree(pruned_run, tmp_path / "runs" / pruned_run.name)
    return (tmp_path / "runs" / pruned_run.name).relative_to(tmp_path)
