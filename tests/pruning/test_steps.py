"""The steps of an experiment: weights left against closed numbers, what resumes, and what a listener hears."""

import numpy as np
import pytest

from quatnet import experiment as experiment_module
from quatnet.api import start
from quatnet.errors import RunError
from quatnet.experiment import DENSE, Listener, Reference
from quatnet.files import write_npz
from quatnet.pruning.protocols import prune, train_dense
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase
from tests import small
from tests.small import build

# Of a lenet-12 on 4 x 4 gray images in 3 classes: 16 x 12 and 12 x 3 weights, 12 and 3 biases; a quarter of the first.
REAL_SIZE, BIASES = 16 * 12 + 12 + 12 * 3 + 3, 12 + 3
WEIGHTS = {False: 16 * 12 + 12 * 3, True: 16 * 12 // 4 + 12 * 3}
# The paper's LeNet-300-100 (docs/protocol.md): weights of both algebras, biases, and all parameters of the real one.
LENET_WEIGHTS = {False: 784 * 300 + 300 * 100 + 100 * 10, True: (784 * 300 + 300 * 100) // 4 + 100 * 10}
LENET_BIASES, LENET_SIZE = 410, 266_610


@pytest.fixture
def make_experiment(tmp_path, small_set):
    def make(quaternion=True, *, pruning=None, listener=None, **training):
        settings = small.train_settings(small_set, quaternion=quaternion, **training)
        return start(tmp_path, settings, pruning, listener=listener)

    return make


@pytest.fixture
def mnist_sized_experiment(tmp_path):
    """The experiment of a LeNet-300-100 on images of MNIST's shape."""

    def make(quaternion):
        path = small.write(tmp_path / "digits.npz", side=28, classes=10, train=20, test=10)
        return start(tmp_path, TrainSettings.for_architecture("lenet", quaternion, dataset=str(path)))

    return make


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("amount", [0.2, 0.5])
def test_weights_left_are_kept_weights_and_all_biases_in_percent_of_the_real_network(
    make_experiment, quaternion, amount
):
    experiment, left = make_experiment(quaternion), WEIGHTS[quaternion]
    assert experiment.weights_left() == pytest.approx(100 * (left + BIASES) / REAL_SIZE, rel=1e-12)
    for k in range(1, 4):
        experiment.mask(k, PruneSettings(amount=amount))
        left -= round(amount * left)
        assert experiment.weights_left() == pytest.approx(100 * (left + BIASES) / REAL_SIZE, rel=1e-12)


def test_the_dense_real_network_has_all_weights_left(make_experiment):
    assert make_experiment(quaternion=False).weights_left() == 100


@pytest.mark.parametrize("quaternion", [False, True])
def test_the_rounds_of_lenet_300_100_have_exactly_the_papers_counts(mnist_sized_experiment, quaternion):
    experiment, left = mnist_sized_experiment(quaternion), LENET_WEIGHTS[quaternion]
    for k in range(21):
        if k:
            experiment.mask(k, PruneSettings())
            left -= round(left / 5)
        assert experiment.network.parameters.count_kept() == left
        assert experiment.weights_left() == 100 * (left + LENET_BIASES) / LENET_SIZE
        pure = 0.8**k * LENET_WEIGHTS[quaternion]
        assert abs(left - pure) < 3  # roundings of half a weight, each shrinking by 0.8 a round


def test_the_results_of_an_experiment_hold_the_weights_left(make_experiment):
    pruning = small.prune_settings()
    experiment = make_experiment(pruning=pruning)
    prune(experiment, pruning)
    kept = [84, 67, 54]
    assert [result.kept_weights for result in experiment.run.results()] == kept
    expected = [100 * (count + BIASES) / REAL_SIZE for count in kept]
    assert [result.weights_left for result in experiment.run.results()] == pytest.approx(expected, rel=1e-12)


def test_a_result_holds_what_the_last_epoch_gave(make_experiment):
    experiment = make_experiment(epochs=3)
    train_dense(experiment)
    result, last = experiment.run.results()[0], experiment.run.metrics()[-1]
    found = result.epoch, result.loss, result.test_loss, result.accuracy
    assert found == (3, last["loss"], last["test_loss"], last["accuracy"])


def test_a_dense_training_is_round_0_of_every_protocol(make_experiment, tmp_path):
    experiment = make_experiment()
    train_dense(experiment)
    before = (experiment.run.path / "rounds" / "00" / "weights.npz").read_bytes()
    pruning = small.prune_settings()
    path = small.experiment(tmp_path / "other", experiment.settings, pruning).path
    assert (path / "rounds" / "00" / "weights.npz").read_bytes() == before


def test_a_finished_experiment_is_not_trained_again(make_experiment):
    pruning = small.prune_settings()
    heard = []
    for listener in (None, Listener(step=lambda *step: heard.append(step))):
        assert prune(make_experiment(pruning=pruning, listener=listener), pruning) == 2
    assert heard == []


def test_more_rounds_of_imp_continue_an_experiment_as_if_it_had_never_ended(make_experiment, tmp_path):
    for rounds in (1, 3):
        pruning = small.prune_settings(rounds=rounds)
        experiment = make_experiment(pruning=pruning)
        prune(experiment, pruning)
    through = small.experiment(tmp_path / "through", experiment.settings, pruning)
    for k in ("00", "01", "02", "03"):
        for name in ("weights.npz", "mask.npz", "result.json"):
            assert (experiment.run.path / "rounds" / k / name).read_bytes() == (
                through.path / "rounds" / k / name
            ).read_bytes()


def test_a_listener_hears_every_step_epoch_and_round_in_order(make_experiment):
    heard = []
    listener = Listener(
        step=lambda batch, batches: heard.append(f"step {batch}/{batches}"),
        epoch=lambda position, progress, left: heard.append(f"epoch {progress.epochs} of {position.round}"),
        finished=lambda position, result: heard.append(f"finished {position.round}"),
    )
    pruning = small.prune_settings(rounds=1)
    prune(make_experiment(pruning=pruning, listener=listener), pruning)
    steps = ["step 1/3", "step 2/3", "step 3/3"]
    expected = [[*steps, f"epoch 1 of {k}", *steps, f"epoch 2 of {k}", f"finished {k}"] for k in (0, 1)]
    assert heard == expected[0] + expected[1]


def test_a_listener_hears_the_weights_left(make_experiment):
    heard = []
    pruning = small.prune_settings(rounds=1)
    listener = Listener(epoch=lambda position, progress, left: heard.append(left))
    experiment = make_experiment(pruning=pruning, listener=listener)
    prune(experiment, pruning)
    dense, pruned = (result.weights_left for result in experiment.run.results())
    assert heard == [dense, dense, pruned, pruned]


def test_an_epochs_checkpoint_is_written_when_a_listener_hears_of_it(make_experiment):
    heard = []
    experiment = make_experiment()
    experiment.listener = Listener(epoch=lambda *epoch: heard.append(experiment.run.load_checkpoint().progress.epochs))
    train_dense(experiment)
    assert heard == [1, 2]


def test_a_round_that_is_not_there_is_not_resumed(make_experiment):
    experiment = make_experiment()
    train_dense(experiment)
    assert experiment.resume(0)
    assert not experiment.resume(1)
    assert not experiment.resume(1, Phase.SEARCH)


def test_round_0_starts_from_the_initial_weights_of_the_run_folder(make_experiment):
    experiment = make_experiment()
    weights = {name: value + 1 for name, value in experiment.run.initial().items()}
    write_npz(experiment.run.path / "initial.npz", weights)
    experiment.rewind()
    found = experiment.network.parameters.by_name()
    for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value)


def test_initial_weights_of_another_network_are_a_one_line_error(make_experiment):
    experiment = make_experiment()
    write_npz(experiment.run.path / "initial.npz", {"fc9.weight": np.zeros(1)})
    with pytest.raises(RunError, match=r"initial\.npz does not fit the network of the run's settings [^\n]*$"):
        train_dense(experiment)


def test_a_training_that_an_exception_ended_in_its_first_epoch_begins_anew_in_the_same_process(
    make_experiment, tmp_path
):
    def stop(batch, batches):
        raise KeyboardInterrupt

    experiment = make_experiment(listener=Listener(step=stop))
    with pytest.raises(KeyboardInterrupt):
        train_dense(experiment)
    experiment.listener = Listener()
    train_dense(experiment)
    through = start(tmp_path / "through", experiment.settings)
    train_dense(through)
    same = [run.folder(DENSE) / "weights.npz" for run in (experiment.run, through.run)]
    assert same[0].read_bytes() == same[1].read_bytes()


def test_the_engine_prepares_the_network_and_the_optimizer(tmp_path, small_set):
    seen = []

    class Engine(Reference):
        def prepare(self, network):
            seen.append(network)
            return network

        def optimizer(self, optimizer, network):
            seen.extend((optimizer, network))
            return optimizer

    experiment = start(tmp_path, small.train_settings(small_set), compute=Engine())
    assert seen == [experiment.network, experiment.optimizer, experiment.network]


def test_a_new_run_builds_its_network_once(tmp_path, small_set, monkeypatch):
    built = []
    monkeypatch.setattr(experiment_module, "build", lambda *a, **k: built.append(a) or build(*a, **k))
    start(tmp_path, small.train_settings(small_set))
    assert len(built) == 1
