"""The bench: weights left against closed numbers, what resumes, and what a listener hears."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from quatnet import training
from quatnet.backend import blas_threads
from quatnet.experiment import start
from quatnet.pruning import lab as lab_module
from quatnet.pruning.lab import Lab, Listener
from quatnet.pruning.lottery import prune, train_dense
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase
from quatnet.training import train_epoch
from tests import small

# Of a lenet-12 on 4 x 4 gray images in 3 classes: 16 x 12 and 12 x 3 weights, 12 and 3 biases; a quarter of the first.
REAL_SIZE, BIASES = 16 * 12 + 12 + 12 * 3 + 3, 12 + 3
WEIGHTS = {False: 16 * 12 + 12 * 3, True: 16 * 12 // 4 + 12 * 3}
# The paper's LeNet-300-100 (docs/protocol.md): weights of both algebras, biases, and all parameters of the real one.
LENET_WEIGHTS = {False: 784 * 300 + 300 * 100 + 100 * 10, True: (784 * 300 + 300 * 100) // 4 + 100 * 10}
LENET_BIASES, LENET_SIZE = 410, 266_610


@pytest.fixture
def make_lab(tmp_path, small_set):
    def make(quaternion=True, *, pruning=None, listener=None, **training):
        settings = small.train_settings(small_set, quaternion=quaternion, **training)
        return start(tmp_path, settings, pruning, listener=listener)

    return make


@pytest.fixture
def mnist_sized_lab(tmp_path):
    """The bench of a LeNet-300-100 on images of MNIST's shape."""

    def make(quaternion):
        path = small.write(tmp_path / "digits.npz", side=28, classes=10, train=20, test=10)
        return start(tmp_path, TrainSettings.for_architecture("lenet", quaternion, dataset=str(path)))

    return make


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("amount", [0.2, 0.5])
def test_weights_left_are_kept_weights_and_all_biases_in_percent_of_the_real_network(make_lab, quaternion, amount):
    lab, left = make_lab(quaternion), WEIGHTS[quaternion]
    assert lab.weights_left() == pytest.approx(100 * (left + BIASES) / REAL_SIZE, rel=1e-12)
    for k in range(1, 4):
        lab.mask(k, PruneSettings(amount=amount))
        left -= round(amount * left)
        assert lab.weights_left() == pytest.approx(100 * (left + BIASES) / REAL_SIZE, rel=1e-12)


def test_the_dense_real_network_has_all_weights_left(make_lab):
    assert make_lab(quaternion=False).weights_left() == 100


@pytest.mark.parametrize("quaternion", [False, True])
def test_the_rounds_of_lenet_300_100_have_exactly_the_papers_counts(mnist_sized_lab, quaternion):
    lab, left = mnist_sized_lab(quaternion), LENET_WEIGHTS[quaternion]
    for k in range(21):
        if k:
            lab.mask(k, PruneSettings())
            left -= round(left / 5)
        assert lab.network.parameters.count_kept() == left
        assert lab.weights_left() == 100 * (left + LENET_BIASES) / LENET_SIZE
        pure = 0.8**k * LENET_WEIGHTS[quaternion]
        assert abs(left - pure) < 3  # roundings of half a weight, each shrinking by 0.8 a round


def test_the_results_of_an_experiment_hold_the_weights_left(make_lab):
    pruning = small.prune_settings()
    lab = make_lab(pruning=pruning)
    prune(lab, pruning)
    kept = [84, 67, 54]
    assert [result.kept_weights for result in lab.run.results()] == kept
    expected = [100 * (count + BIASES) / REAL_SIZE for count in kept]
    assert [result.weights_left for result in lab.run.results()] == pytest.approx(expected, rel=1e-12)


def test_a_result_holds_what_the_last_epoch_gave(make_lab):
    lab = make_lab(epochs=3)
    train_dense(lab)
    result, last = lab.run.results()[0], lab.run.metrics()[-1]
    found = result.epoch, result.loss, result.test_loss, result.accuracy
    assert found == (3, last["loss"], last["test_loss"], last["accuracy"])


def test_a_dense_training_is_round_0_of_every_protocol(make_lab, tmp_path):
    lab = make_lab()
    train_dense(lab)
    before = (lab.run.path / "rounds" / "00" / "weights.npz").read_bytes()
    pruning = small.prune_settings()
    path = small.experiment(tmp_path / "other", lab.settings, pruning).path
    assert (path / "rounds" / "00" / "weights.npz").read_bytes() == before


def test_a_finished_experiment_is_not_trained_again(make_lab):
    pruning = small.prune_settings()
    heard = []
    for listener in (None, Listener(step=lambda *step: heard.append(step))):
        assert prune(make_lab(pruning=pruning, listener=listener), pruning) == 2
    assert heard == []


def test_more_rounds_of_imp_continue_an_experiment_as_if_it_had_never_ended(make_lab, tmp_path):
    for rounds in (1, 3):
        pruning = small.prune_settings(rounds=rounds)
        lab = make_lab(pruning=pruning)
        prune(lab, pruning)
    through = small.experiment(tmp_path / "through", lab.settings, pruning)
    for k in ("00", "01", "02", "03"):
        for name in ("weights.npz", "mask.npz", "result.json"):
            assert (lab.run.path / "rounds" / k / name).read_bytes() == (
                through.path / "rounds" / k / name
            ).read_bytes()


def test_a_listener_hears_every_step_epoch_and_round_in_order(make_lab):
    heard = []
    listener = Listener(
        step=lambda batch, batches: heard.append(f"step {batch}/{batches}"),
        epoch=lambda position, progress, left: heard.append(f"epoch {progress.epochs} of {position.round}"),
        finished=lambda position, result: heard.append(f"finished {position.round}"),
    )
    pruning = small.prune_settings(rounds=1)
    prune(make_lab(pruning=pruning, listener=listener), pruning)
    steps = ["step 1/3", "step 2/3", "step 3/3"]
    expected = [[*steps, f"epoch 1 of {k}", *steps, f"epoch 2 of {k}", f"finished {k}"] for k in (0, 1)]
    assert heard == expected[0] + expected[1]


def test_a_listener_hears_the_weights_left(make_lab):
    heard = []
    pruning = small.prune_settings(rounds=1)
    listener = Listener(epoch=lambda position, progress, left: heard.append(left))
    lab = make_lab(pruning=pruning, listener=listener)
    prune(lab, pruning)
    dense, pruned = (result.weights_left for result in lab.run.results())
    assert heard == [dense, dense, pruned, pruned]


def test_an_epochs_checkpoint_is_written_when_a_listener_hears_of_it(make_lab):
    heard = []
    lab = make_lab()
    lab.listener = Listener(epoch=lambda *epoch: heard.append(lab.run.load_checkpoint().progress.epochs))
    train_dense(lab)
    assert heard == [1, 2]


def test_every_epoch_has_the_blas_threads_of_the_network_those_repeated_for_a_rewind_too(make_lab, monkeypatch):
    threads = []

    def recording(*arguments):
        threads.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
        return train_epoch(*arguments)

    for module in (lab_module, training):
        monkeypatch.setattr(module, "train_epoch", recording)
    pruning = small.prune_settings(rewind_epoch=1)
    with blas_threads(2):
        prune(make_lab(pruning=pruning, epochs=3), pruning)
    assert threads == [{1}] * (3 + 1 + 2 + 2)


def test_a_round_that_is_not_there_is_not_resumed(make_lab):
    lab = make_lab()
    train_dense(lab)
    assert lab.resume(0)
    assert not lab.resume(1)
    assert not lab.resume(1, Phase.SEARCH)


def test_a_bench_starts_with_the_initial_weights_of_its_run(make_lab):
    lab = make_lab()
    initial = lab.run.initial()
    weights = {name: value + 1 for name, value in initial.items()}
    run = SimpleNamespace(path=Path(), train_settings=lab.settings, initial=lambda: weights)
    found = Lab(run, lab.data, lab.network).network.parameters.by_name()
    for name in initial:
        np.testing.assert_array_equal(found[name], weights[name])
