"""The protocols: what every training starts from, seen in a record of what network and optimizer held at each start.

Epochs have three batches, trainings two epochs, experiments two rounds, unless a test says something else.
"""

from itertools import pairwise

import numpy as np
import pytest

from quatnet.nn.optimizers import Optimizer
from quatnet.pruning.masks import Masks
from quatnet.streams import Phase, Position, Stream
from tests import small
from tests.small import build

ROUNDS, EPOCHS, BATCHES = 2, 2, 3


@pytest.fixture(params=[False, True], ids=["real", "quaternion"])
def experiment(request, tmp_path, small_set):
    """Do an experiment in either algebra, and return its run."""

    def do(folder="runs", *, training=(), **pruning):
        train = small.train_settings(small_set, quaternion=request.param, **dict(training))
        return small.experiment(tmp_path / folder, train, small.prune_settings(**pruning))

    do.quaternion = request.param
    return do


@pytest.fixture
def initial(experiment):
    """The initial values of the network, flat, made without a run."""
    return network(experiment).parameters.value


def network(experiment):
    return build("lenet-12", quaternion=experiment.quaternion, input_shape=(4, 4, 1), classes=small.CLASSES)


def flat(experiment, values):
    """Values by name as one flat array."""
    return np.concatenate([values[name].ravel() for name in network(experiment).parameters])


def smallest_gone(experiment, state, amount=0.2):
    """The mask of a state without the smallest fifth of its weights: a full stable sort."""
    prunable = network(experiment).parameters.prunable
    left = [int(k) for k in np.flatnonzero(state.mask & prunable)]
    by_magnitude = sorted(left, key=lambda k: abs(state.value[k]))
    mask = state.mask.copy()
    mask[by_magnitude[: round(amount * len(left))]] = False
    return mask


def moments_are(state, expected):
    return all((state.moments[name] == expected[name]).all() for name in ("m", "v"))


def fresh(state):
    return state.steps == 0 and not any(moment.any() for moment in state.moments.values())


def masked(moments, mask):
    return {name: moment * mask for name, moment in moments.items()}


# every protocol


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("imp", ["rounds 0", "rounds 1", "rounds 2"]),
        ("finetune", ["rounds 0", "rounds 1", "rounds 2"]),
        ("paper", ["rounds 0", "search 1", "search 2", "rounds 1", "rounds 2"]),
        ("reinit", ["rounds 0", "search 1", "search 2", "rounds 1", "rounds 2"]),
    ],
)
def test_a_protocol_does_its_trainings_in_order(experiment, trainings, protocol, expected):
    experiment(protocol=protocol)
    assert [" ".join(map(str, training.where)) for training in trainings] == expected


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_only_the_chosen_rounds_are_retrained_after_the_whole_search(experiment, trainings, protocol):
    experiment(protocol=protocol, retrain_rounds=(2,))
    assert [training.where for training in trainings] == [("rounds", 0), ("search", 1), ("search", 2), ("rounds", 2)]
    np.testing.assert_array_equal(trainings[-1].start.mask, trainings[2].end.mask)


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_searches_may_have_epochs_of_their_own(experiment, protocol):
    run = experiment(protocol=protocol, search_epochs=1)
    epochs = [(line["phase"], line["round"], line["epoch"]) for line in run.metrics()]
    assert [e for e in epochs if e[0] == "search"] == [("search", 1, 1), ("search", 2, 1)]
    assert [e for e in epochs if e[0] == "rounds"] == [("rounds", k, e) for k in range(3) for e in (1, 2)]


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
def test_round_0_trains_the_dense_network_from_its_initial_values(experiment, trainings, initial, protocol):
    experiment(protocol=protocol)
    first = trainings[0]
    np.testing.assert_array_equal(first.start.value, initial)
    assert first.start.mask.all()
    assert fresh(first.start)


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
def test_every_round_leaves_four_fifths_of_the_weights_before(experiment, protocol):
    run = experiment(protocol=protocol, rounds=5)
    left = [int(network(experiment).parameters.prunable.sum())]
    for _ in range(5):
        left.append(left[-1] - round(0.2 * left[-1]))
    assert [result.kept_weights for result in run.results()] == left


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
def test_a_round_is_saved_as_its_training_left_it(experiment, trainings, protocol):
    run = experiment(protocol=protocol)
    for training in trainings:
        values, masks = run.load_round(training.position)
        np.testing.assert_array_equal(flat(experiment, values), training.end.value)
        expected = network(experiment).parameters
        expected.set_mask(training.end.mask)
        same = masks == Masks.of(expected)
        assert same


@pytest.mark.parametrize("criterion", ["layerwise", "random"])
def test_the_criterion_decides_which_weights_go(experiment, trainings, criterion):
    experiment(criterion=criterion)
    assert (trainings[1].start.mask != smallest_gone(experiment, trainings[0].end)).any()


def test_the_amount_decides_how_many_weights_go(experiment, trainings):
    experiment(amount=0.5)
    np.testing.assert_array_equal(trainings[1].start.mask, smallest_gone(experiment, trainings[0].end, 0.5))


def test_random_pruning_draws_from_the_stream_of_masks_anew_in_every_round(experiment, trainings):
    experiment(criterion="random", training={"seed": 5})
    prunable = network(experiment).parameters.prunable
    for k, (before, after) in enumerate(pairwise(trainings), start=1):
        stream = np.random.SeedSequence(5, spawn_key=(Stream.MASK, k))
        order = np.random.default_rng(stream).permutation(prunable.size)
        left = sorted(np.flatnonzero(before.end.mask & prunable), key=lambda entry, order=order: order[entry])
        expected = before.end.mask.copy()
        expected[left[: round(0.2 * len(left))]] = False
        np.testing.assert_array_equal(after.start.mask, expected)


def test_random_pruning_of_one_seed_takes_the_same_weights_again(experiment, trainings):
    for folder in ("first", "second"):
        experiment(folder, criterion="random")
    for first, second in zip(trainings[:3], trainings[3:], strict=True):
        np.testing.assert_array_equal(first.start.mask, second.start.mask)


# imp


def test_imp_masks_the_smallest_of_the_trained_weights(experiment, trainings):
    experiment(protocol="imp")
    for before, after in pairwise(trainings):
        np.testing.assert_array_equal(after.start.mask, smallest_gone(experiment, before.end))


def test_every_round_of_imp_starts_from_mask_times_initial_weights(experiment, trainings, initial):
    experiment(protocol="imp")
    for training in trainings:
        np.testing.assert_array_equal(training.start.value, training.start.mask * initial)


def test_every_round_of_imp_has_a_fresh_optimizer(experiment, trainings):
    experiment(protocol="imp")
    assert [fresh(training.start) for training in trainings] == [True] * (1 + ROUNDS)
    assert [training.end.steps for training in trainings] == [EPOCHS * BATCHES] * (1 + ROUNDS)


def test_imp_trains_every_round_for_all_epochs(experiment):
    run = experiment(protocol="imp")
    assert [(line["round"], line["epoch"]) for line in run.metrics()] == [(k, e) for k in (0, 1, 2) for e in (1, 2)]


@pytest.mark.parametrize("epoch", [1, 2])
def test_imp_rewinds_to_the_weights_after_an_epoch_of_round_0(experiment, trainings, epoch):
    shorter = experiment("shorter", training={"epochs": epoch}, rounds=1)
    expected = flat(experiment, shorter.load_round(Position(Phase.ROUNDS, 0))[0])
    trainings.clear()
    experiment(training={"epochs": 3}, rewind_epoch=epoch)
    for training in trainings[1:]:
        np.testing.assert_array_equal(training.start.value, training.start.mask * expected)
        assert fresh(training.start)


def test_imp_that_rewinds_to_an_epoch_masks_the_smallest_of_the_trained_weights(experiment, trainings):
    experiment(training={"epochs": 3}, rewind_epoch=1)
    for before, after in pairwise(trainings):
        np.testing.assert_array_equal(after.start.mask, smallest_gone(experiment, before.end))


def test_imp_that_rewinds_to_an_epoch_trains_the_epochs_after_it(experiment, trainings):
    run = experiment(training={"epochs": 3}, rewind_epoch=1)
    assert [training.first_epoch for training in trainings] == [0, 1, 1]
    assert [line["epoch"] for line in run.metrics()] == [1, 2, 3, 2, 3, 2, 3]


# paper


def test_the_papers_search_masks_the_smallest_of_the_trained_weights(experiment, trainings):
    experiment(protocol="paper")
    for before, after in pairwise(trainings[: 1 + ROUNDS]):
        np.testing.assert_array_equal(after.start.mask, smallest_gone(experiment, before.end))


def test_the_papers_search_goes_on_from_the_trained_weights(experiment, trainings):
    experiment(protocol="paper")
    for before, after in pairwise(trainings[: 1 + ROUNDS]):
        np.testing.assert_array_equal(after.start.value, after.start.mask * before.end.value)


def test_the_paper_retrains_every_mask_from_the_initial_weights(experiment, trainings, initial):
    experiment(protocol="paper")
    searched, retrained = trainings[1 : 1 + ROUNDS], trainings[1 + ROUNDS :]
    for search, training in zip(searched, retrained, strict=True):
        np.testing.assert_array_equal(training.start.mask, search.end.mask)
        np.testing.assert_array_equal(training.start.value, search.end.mask * initial)


def test_the_papers_adam_counts_the_steps_of_all_trainings(experiment, trainings):
    experiment(protocol="paper")
    assert [training.start.steps for training in trainings] == [EPOCHS * BATCHES * done for done in range(5)]


def test_the_papers_adam_keeps_its_moments_of_the_weights_left(experiment, trainings):
    experiment(protocol="paper")
    for before, after in pairwise(trainings):
        assert moments_are(after.start, masked(before.end.moments, after.start.mask))
        assert after.start.moments["m"].any()


def test_a_fresh_optimizer_is_reset_before_every_retraining_only(experiment, trainings):
    experiment(protocol="paper", fresh_optimizer=True)
    assert [fresh(training.start) for training in trainings] == [True, False, False, True, True]
    steps = EPOCHS * BATCHES
    assert [training.start.steps for training in trainings] == [0, steps, 2 * steps, 0, 0]


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_the_accuracy_reported_is_that_of_the_retrained_network(experiment, script_accuracies, protocol):
    script_accuracies({"rounds": [90, 81, 82], "search": [None, 51, 52]})
    run = experiment(protocol=protocol)
    assert [result.accuracy for result in run.results()] == [90, 81, 82]


# finetune


def test_finetune_masks_the_smallest_of_the_trained_weights_and_goes_on_from_the_others(experiment, trainings):
    experiment(protocol="finetune")
    for before, after in pairwise(trainings):
        np.testing.assert_array_equal(after.start.mask, smallest_gone(experiment, before.end))
        np.testing.assert_array_equal(after.start.value, after.start.mask * before.end.value)


def test_every_round_of_finetune_has_a_fresh_optimizer(experiment, trainings):
    experiment(protocol="finetune")
    assert all(fresh(training.start) for training in trainings)


# reinit


def test_reinit_searches_its_masks_as_imp_does(experiment, trainings, initial):
    experiment(protocol="reinit")
    for before, after in pairwise(trainings[: 1 + ROUNDS]):
        np.testing.assert_array_equal(after.start.mask, smallest_gone(experiment, before.end))
        np.testing.assert_array_equal(after.start.value, after.start.mask * initial)


def test_the_first_mask_of_reinit_is_that_of_imp(experiment):
    imp, reinit = (experiment(protocol, protocol=protocol) for protocol in ("imp", "reinit"))
    same = reinit.load_round(Position(Phase.ROUNDS, 1))[1] == imp.load_round(Position(Phase.ROUNDS, 1))[1]
    assert same


def test_reinit_retrains_every_mask_that_was_found(experiment, trainings):
    experiment(protocol="reinit")
    for search, training in zip(trainings[1 : 1 + ROUNDS], trainings[1 + ROUNDS :], strict=True):
        np.testing.assert_array_equal(training.start.mask, search.end.mask)


def test_reinit_starts_from_other_weights_than_the_initial_ones(experiment, trainings, initial):
    experiment(protocol="reinit")
    prunable = network(experiment).parameters.prunable
    for training in trainings[1 + ROUNDS :]:
        kept = training.start.mask & prunable
        assert (training.start.value[kept] != initial[kept]).all()
        assert (training.start.value[kept] != 0).all()


def test_reinit_draws_other_weights_in_every_round(experiment, trainings):
    experiment(protocol="reinit")
    first, second = (training.start for training in trainings[1 + ROUNDS :])
    kept = first.mask & second.mask & network(experiment).parameters.prunable
    assert (first.value[kept] != second.value[kept]).all()


@pytest.mark.parametrize(("init", "zero"), [("he", True), ("paper", False)])
def test_reinit_draws_by_the_initialiser_of_the_run(experiment, trainings, init, zero):
    experiment(protocol="reinit", training={"init": init})
    output_bias = network(experiment).parameters.slice("fc2.bias")
    for training in trainings[1 + ROUNDS :]:
        assert (training.start.value[output_bias] == 0).all() == zero


def test_every_round_of_reinit_has_a_fresh_optimizer(experiment, trainings):
    experiment(protocol="reinit")
    assert all(fresh(training.start) for training in trainings)


# pruned weights


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
@pytest.mark.parametrize(
    "optimizer", [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9}], ids=["adam", "sgd with momentum"]
)
def test_pruned_weights_and_their_moments_are_exactly_zero_after_every_step(
    experiment, monkeypatch, protocol, optimizer
):
    checked = []
    steps = {kind: kind.step for kind in Optimizer.__subclasses__()}

    def checking(optimizer, rate):
        steps[type(optimizer)](optimizer, rate)
        gone = ~optimizer.parameters.mask
        assert (optimizer.parameters.value[gone] == 0.0).all()
        assert all((moment[gone] == 0.0).all() for moment in optimizer.moments.values())
        checked.append(int(gone.sum()))

    for kind in steps:
        monkeypatch.setattr(kind, "step", checking)
    experiment(protocol=protocol, training={**optimizer, "weight_decay": 0.1})
    trainings = 5 if protocol in ("paper", "reinit") else 3
    assert len(checked) == trainings * EPOCHS * BATCHES
    assert sum(count > 0 for count in checked) == (trainings - 1) * EPOCHS * BATCHES


@pytest.mark.parametrize("protocol", ["imp", "finetune", "paper", "reinit"])
def test_pruned_weights_are_exactly_zero_in_the_run_folder(experiment, protocol):
    run = experiment(protocol=protocol, training={"weight_decay": 0.1})
    for result in run.results():
        values, masks = run.load_round(Position(Phase.ROUNDS, result.round))
        for name, mask in masks.dense().items():
            assert (values[name][~mask] == 0.0).all()
            assert (values[name][mask] != 0.0).all()
