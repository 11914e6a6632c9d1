"""Files of an earlier version, in tests/old: they are read, resumed and exported as on the day they were written.

Another processor or BLAS rounds differently: there, numbers must be close instead of equal.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import quatnet as api
from quatnet.deploy.seed_ticket import read_seed_ticket
from quatnet.deploy.ticket import read_ticket
from tests.cli.conftest import Command

OLD = Path(__file__).parent / "old"
ROUNDS = [path.parent.relative_to(OLD) for path in sorted(OLD.glob("*/rounds/*/result.json"))]
FINISHED = ("imp", "paper", "conv-2")
TICKETS = sorted(path.stem for path in OLD.glob("tickets/*[!d].ticket"))
SEEDS = sorted(path.stem for path in OLD.glob("tickets/*-seed.ticket"))


def logits(model):
    """What the network says of three images."""
    description = model.description
    shape = (3, *description.input_shape)
    pixels = np.random.default_rng(0).random(shape, np.float32)
    mean, std = np.float32(description.mean), np.float32(description.std)
    return model.network.predict((pixels - mean) / std)


def machine(run):
    """What rounds, as a run's environment.json says it."""
    values = json.loads((run / "environment.json").read_text())
    blas = sorted({(pool["version"], pool.get("architecture")) for pool in values["blas"]})
    return values["processor"], values["packages"]["numpy"], values["packages"]["scipy"], blas


def arrays(path):
    with np.load(path) as archive:
        return dict(archive)


def files(folder):
    """The bytes of all rounds of a run."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.glob("*/*/*.*"))}


@pytest.fixture
def quatnet(tmp_path, monkeypatch):
    """The command, in a folder with copies of all old files."""
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUATNET_DATA", str(tmp_path / "data"))
    return Command()


@pytest.fixture(scope="module")
def same_machine(tmp_path_factory):
    """Whether this machine rounds as that of the old files did."""
    runs = tmp_path_factory.mktemp("machine")
    sizes = ("--train-size", 10, "--test-size", 10, "--epochs", 1)
    run = Command().json("train", "--arch", "lenet-12", *sizes, "--runs-dir", runs)["run"]
    return machine(Path(run)) == machine(OLD / "imp")


@pytest.fixture
def assert_same(same_machine):
    def check(values, expected):
        assert values.keys() == expected.keys()
        for name, array in values.items():
            assert array.dtype == expected[name].dtype
            np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
            assert not same_machine or array.tobytes() == expected[name].tobytes()

    return check


@pytest.mark.parametrize("round_", ROUNDS, ids=str)
def test_a_round_has_the_accuracy_that_its_result_says(quatnet, round_):
    reported = json.loads((round_ / "result.json").read_text())
    measured = quatnet.json("evaluate", round_.parts[0], "--round", reported["round"], "--threads", 1)
    assert measured["accuracy"] == reported["accuracy"]
    assert measured["loss"] == pytest.approx(reported["test_loss"], rel=1e-5)
    assert measured["kept_weights"] == reported["kept_weights"]


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_is_shown_and_no_round_of_it_changes(quatnet, name):
    shown = quatnet.json("prune", name)
    assert [r["accuracy"] for r in shown["rounds"]] == [r.accuracy for r in api.Run(OLD / name).results()]
    assert files(Path(name)) == files(OLD / name)


def test_an_interrupted_run_resumes_to_the_weights_of_an_uninterrupted_one(quatnet, assert_same):
    before = files(Path("interrupted"))
    quatnet("prune", "interrupted")
    rounds = sorted(Path("interrupted/rounds").glob("*/weights.npz"))
    assert before.items() <= files(Path("interrupted")).items()
    assert [path.parent.name for path in rounds] == ["00", "01", "02"]
    expected = arrays(OLD / "expected.npz")
    resumed = {f"resumed/{path.parent.name}/{name}": a for path in rounds[1:] for name, a in arrays(path).items()}
    assert_same(resumed, {name: a for name, a in expected.items() if name.startswith("resumed")})


def test_a_finished_run_is_pruned_further(quatnet):
    rounds = quatnet.json("prune", "imp", "--rounds", 3)["rounds"]
    assert [r["kept_weights"] for r in rounds] == [2472, 1978, 1582, 1266]
    assert files(OLD / "imp").items() <= files(Path("imp")).items()


@pytest.mark.parametrize("name", TICKETS)
def test_a_ticket_gives_the_logits_that_it_gave(name, assert_same):
    expected = arrays(OLD / "expected.npz")
    assert_same({name: logits(read_ticket(OLD / "tickets" / f"{name}.ticket"))}, {name: expected[name]})


@pytest.mark.parametrize("name", [*TICKETS, *SEEDS])
def test_a_run_is_exported_to_its_ticket(quatnet, name):
    run, kind = name.rsplit("-", 1)
    options = ("--format", "seed") if kind == "seed" else ("--values", kind)
    quatnet("export", run, *options, "--output", "again.ticket")
    if kind == "seed":
        assert read_seed_ticket(Path("again.ticket")) == read_seed_ticket(OLD / "tickets" / f"{name}.ticket")
    else:
        assert Path("again.ticket").read_bytes() == (OLD / "tickets" / f"{name}.ticket").read_bytes()


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_ticket_is_trained_to_the_weights_of_its_run(quatnet, name, assert_same, same_machine):
    trained = quatnet.json("train", "--ticket", f"tickets/{name}.ticket", "--threads", 1)
    last = f"rounds/{trained['round']:02d}/weights.npz"
    assert_same(arrays(Path(trained["run"]) / last), arrays(OLD / name.removesuffix("-seed") / last))
    assert trained["identical"] or not same_machine
