"""Training: batches, evaluation, which epoch is reported, early stopping, and what diverges."""

from dataclasses import replace

import numpy as np
import pytest

from quatnet import training
from quatnet.data import augment
from quatnet.data.preprocess import Normalizer
from quatnet.errors import RunError
from quatnet.nn.optimizers import SGD, Adam
from quatnet.streams import Phase, Position, Stream, generator
from quatnet.training import (
    Progress,
    TrainingData,
    evaluate,
    make_optimizer,
    predict,
    train,
    train_epoch,
)
from tests import small
from tests.small import build

ROUND_0 = Position(Phase.ROUNDS, 0)


class Bench:
    """A network, its optimizer, data and settings, and what a training of them showed."""

    def __init__(self, dataset, *, quaternion=True, dtype="float32", **given):
        self.settings = small.train_settings(dataset.source, quaternion=quaternion, dtype=dtype, **given)
        self.data = TrainingData.cut(dataset, self.settings)
        shape, classes = dataset.input_shape, dataset.classes
        self.network = build("lenet-12", quaternion=quaternion, input_shape=shape, classes=classes, dtype=dtype)
        self.optimizer = make_optimizer(self.network, self.settings)
        self.progresses = []
        self.values = []
        self.steps = []

    def train(self, position=ROUND_0, progress=None):
        everything = self.network, self.optimizer, self.data, self.settings, position, progress or Progress()
        return train(*everything, self._epoch, lambda *step: self.steps.append(step))

    def train_epoch(self, epoch=0, position=ROUND_0):
        return train_epoch(self.network, self.optimizer, self.data.dataset, self.settings, position, epoch)

    def _epoch(self, progress):
        self.progresses.append(progress)
        self.values.append(self.network.parameters.value.copy())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small.load(tmp_path_factory.mktemp("data"))


@pytest.fixture
def script_losses(monkeypatch):
    """Give every evaluation of the test and the validation images the next of these losses; accuracy is 10 x test."""

    def script(data, test, validation=()):
        losses = {id(data.dataset.x_test): iter(test), id(data.x_validation): iter(validation)}

        def scripted(network, preprocessing, images, labels):
            loss = next(losses[id(images)])
            return loss, 10 * loss

        monkeypatch.setattr(training, "evaluate", scripted)

    return script


@pytest.fixture
def batches(monkeypatch):
    """The raw images of every batch that the network sees, training and evaluation, in order."""
    seen = []
    normalize = Normalizer.__call__

    def recording(normalizer, images):
        seen.append(images.copy())
        return normalize(normalizer, images)

    monkeypatch.setattr(Normalizer, "__call__", recording)
    return seen


def rows(images):
    """Images as a sorted list of bytes, to compare sets of them."""
    return sorted(image.tobytes() for image in images)


def logits_in_float64(network, dataset, images):
    """Logits of a real lenet-12, written out."""
    x = (images / 255 - np.array(dataset.mean)) / np.array(dataset.std)
    w1, b1, w2, b2 = (p.value.astype(float) for p in network.parameters.values())
    return np.maximum(x.reshape(len(x), -1) @ w1 + b1, 0) @ w2 + b2


def loss_and_accuracy(logits, labels):
    """Mean of log(sum(exp)) - logit of the label, and percent of labels with the largest logit."""
    own = logits[np.arange(len(labels)), labels]
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - own), 100 * np.mean(logits.argmax(axis=1) == labels)


# batches


def test_an_epoch_shows_every_image_exactly_once(dataset, batches):
    Bench(dataset).train_epoch()
    assert rows(np.concatenate(batches)) == rows(dataset.x_train)


def test_the_last_batch_of_an_epoch_is_what_is_left(dataset, batches):
    Bench(dataset, batch_size=25).train_epoch()
    assert [len(batch) for batch in batches] == [25, 25, 10]


def test_images_keep_their_labels(dataset, batches, monkeypatch):
    bench, labels = Bench(dataset), []
    loss = bench.network.loss
    monkeypatch.setattr(bench.network, "loss", lambda x, y: labels.append(y) or loss(x, y))
    bench.train_epoch()
    label_of = {image.tobytes(): label for image, label in zip(dataset.x_train, dataset.y_train, strict=True)}
    expected = [label_of[image.tobytes()] for image in np.concatenate(batches)]
    assert np.concatenate(labels).tolist() == expected


@pytest.mark.parametrize(
    ("position", "epoch"),
    [(Position(Phase.ROUNDS, 0), 1), (Position(Phase.ROUNDS, 1), 0), (Position(Phase.SEARCH, 0), 0)],
    ids=str,
)
def test_another_epoch_round_or_phase_has_another_order(dataset, batches, position, epoch):
    Bench(dataset).train_epoch()
    Bench(dataset).train_epoch(epoch, position)
    assert (np.concatenate(batches[:3]) != np.concatenate(batches[3:])).any()


def test_another_seed_has_another_order(dataset, batches):
    for seed in (0, 1):
        Bench(dataset, seed=seed).train_epoch()
    assert (np.concatenate(batches[:3]) != np.concatenate(batches[3:])).any()


def test_the_same_epoch_has_the_same_order_whatever_came_before(dataset, batches):
    bench = Bench(dataset)
    for epoch in (3, 0, 3):
        bench.train_epoch(epoch)
    np.testing.assert_array_equal(np.concatenate(batches[:3]), np.concatenate(batches[6:]))


@pytest.mark.parametrize("augment", [False, True])
def test_real_and_quaternion_networks_of_one_seed_see_the_same_images(dataset, batches, augment):
    for quaternion in (False, True):
        Bench(dataset, quaternion=quaternion, augment=augment).train()
    half = len(batches) // 2
    assert all((a == b).all() for a, b in zip(batches[:half], batches[half:], strict=True))


@pytest.mark.parametrize("of_the_set", [False, True])
@pytest.mark.parametrize("option", [None, False, True])
def test_images_are_augmented_when_the_option_or_else_the_set_says_so(dataset, batches, of_the_set, option):
    Bench(replace(dataset, augment=of_the_set), augment=option).train_epoch()
    augmented = rows(np.concatenate(batches)) != rows(dataset.x_train)
    assert augmented == (of_the_set if option is None else option)


def test_the_images_of_an_epoch_are_augmented_batch_by_batch_from_its_own_stream(dataset, batches):
    bench = Bench(dataset, augment=True, batch_size=25)
    bench.train_epoch(2, Position(Phase.SEARCH, 3))
    order = generator(0, Stream.ORDER, Phase.SEARCH, 3, 2).permutation(60)
    random = generator(0, Stream.AUGMENTATION, Phase.SEARCH, 3, 2)
    expected = [augment(dataset.x_train[order[start : start + 25]], random) for start in (0, 25, 50)]
    assert len(batches) == 3
    for found, images in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(found, images)


def test_augmented_images_differ_from_epoch_to_epoch(dataset, batches):
    bench = Bench(dataset, augment=True)
    for epoch in (0, 1):
        bench.train_epoch(epoch)
    assert rows(np.concatenate(batches[:3])) != rows(np.concatenate(batches[3:]))


def test_images_to_be_evaluated_are_never_augmented(dataset, batches):
    Bench(dataset, augment=True, epochs=1, validation_size=9).train()
    seen_last = np.concatenate(batches[-2:])
    known = {image.tobytes() for image in (*dataset.x_test, *dataset.x_train)}
    assert len(seen_last) == 25 + 9
    assert all(image.tobytes() in known for image in seen_last)


def test_validation_images_are_not_trained_on(dataset, batches):
    bench = Bench(dataset, validation_size=9)
    bench.train_epoch()
    held_out = {image.tobytes() for image in bench.data.x_validation}
    assert len(held_out) == 9
    assert sum(len(batch) for batch in batches) == 60 - 9
    assert not any(image.tobytes() in held_out for batch in batches for image in batch)


def test_a_data_set_is_cut_to_the_sizes_asked_for(dataset):
    data = Bench(dataset, train_size=30, test_size=12, validation_size=6).data
    assert (len(data.dataset.y_train), len(data.dataset.y_test), len(data.y_validation)) == (24, 12, 6)


# loss and learning rate


def test_the_loss_of_an_epoch_is_the_mean_over_images_not_over_batches(dataset):
    bench = Bench(dataset, quaternion=False, dtype="float64", batch_size=25, rate=1e-30)
    expected, _ = loss_and_accuracy(logits_in_float64(bench.network, dataset, dataset.x_train), dataset.y_train)
    assert bench.train_epoch() == pytest.approx(expected, rel=1e-12)


def test_the_loss_falls_and_all_images_are_learnt_when_classes_are_far_apart(tmp_path):
    bench = Bench(small.load(tmp_path, noise=5), epochs=30)
    result = bench.train()
    losses = [progress.last.loss for progress in bench.progresses]
    assert losses[-1] < 0.05 * losses[0]
    assert result.accuracy == 100


def test_every_step_of_an_epoch_has_the_epochs_rate(dataset):
    bench = Bench(dataset, schedule="step", rate=8.0, step_epochs=2, step_factor=0.25, epochs=5)
    rates = []
    bench.optimizer.step = rates.append
    bench.train()
    assert rates == [8] * 3 + [8] * 3 + [2] * 3 + [2] * 3 + [0.5] * 3


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_the_optimizer_is_made_with_its_options(dataset, name):
    optimizer = Bench(dataset, optimizer=name, momentum=0.7, weight_decay=0.1).optimizer
    assert isinstance(optimizer, {"adam": Adam, "sgd": SGD}[name])
    assert optimizer.weight_decay == 0.1
    assert getattr(optimizer, "momentum", 0.7) == 0.7


# evaluation


@pytest.mark.parametrize("size", [1, 7, 24, 25, 200])
def test_evaluation_covers_the_whole_set_in_batches_of_any_size(dataset, monkeypatch, size):
    monkeypatch.setattr(training, "EVALUATION_BATCH", size)
    bench = Bench(dataset, quaternion=False, dtype="float64")
    bench.train()
    expected = loss_and_accuracy(logits_in_float64(bench.network, dataset, dataset.x_test), dataset.y_test)
    assert 34 < expected[1] < 100
    assert evaluate(bench.network, dataset, dataset.x_test, dataset.y_test) == pytest.approx(expected, rel=1e-12)


def test_predicted_probabilities_are_the_softmax_of_the_logits(dataset, monkeypatch):
    monkeypatch.setattr(training, "EVALUATION_BATCH", 7)
    bench = Bench(dataset, quaternion=False, dtype="float64")
    powers = np.exp(logits_in_float64(bench.network, dataset, dataset.x_test))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict(bench.network, dataset, dataset.x_test), expected, rtol=1e-12)


def test_probabilities_of_huge_logits_are_finite(dataset):
    bench = Bench(dataset)
    bench.network.parameters.set_value(bench.network.parameters.value * 1e6)
    found = predict(bench.network, dataset, dataset.x_test)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


# the course of a training


def test_training_calls_back_after_every_step_and_every_epoch(dataset):
    bench = Bench(dataset, epochs=3)
    bench.train()
    assert bench.steps == [(1, 3), (2, 3), (3, 3)] * 3
    assert [progress.epochs for progress in bench.progresses] == [1, 2, 3]


def test_the_last_epoch_is_reported_even_if_another_was_better(dataset, script_losses):
    bench = Bench(dataset, epochs=3)
    script_losses(bench.data, test=[5, 9, 7])
    result = bench.train()
    assert (result.epoch, result.test_loss, result.accuracy) == (3, 7, 70)


def test_the_reported_accuracy_is_that_of_the_network_left_on_the_test_set(dataset):
    bench = Bench(dataset, quaternion=False)
    result = bench.train()
    expected = loss_and_accuracy(logits_in_float64(bench.network, dataset, dataset.x_test), dataset.y_test)
    assert (result.test_loss, result.accuracy) == pytest.approx(expected, rel=1e-5)


def test_without_validation_images_there_is_no_validation_loss(dataset):
    assert Bench(dataset).train().validation_loss is None


def test_only_every_nth_epoch_and_the_last_are_tested_and_the_weights_are_the_same(dataset):
    often, seldom = Bench(dataset, epochs=5), Bench(dataset, epochs=5, test_every=2)
    expected, found = often.train(), seldom.train()
    assert [progress.last.accuracy is not None for progress in seldom.progresses] == [False, True, False, True, True]
    assert [progress.last.test_loss is not None for progress in seldom.progresses] == [False, True, False, True, True]
    assert replace(found, seconds=0) == replace(expected, seconds=0)
    np.testing.assert_array_equal(seldom.network.parameters.value, often.network.parameters.value)
    with pytest.raises(ValueError, match="epoch 3 was not tested"):
        seldom.progresses[2].last.tested()


def test_a_training_goes_on_from_where_it_stood(dataset):
    through, halted = Bench(dataset, epochs=4), Bench(dataset, epochs=2)
    expected = through.train()
    halted.train()
    halted.settings = replace(halted.settings, epochs=4)
    found = halted.train(progress=halted.progresses[-1])
    assert [progress.epochs for progress in halted.progresses] == [1, 2, 3, 4]
    assert replace(found, seconds=0) == replace(expected, seconds=0)
    np.testing.assert_array_equal(halted.network.parameters.value, through.network.parameters.value)


def test_a_whole_training_is_not_trained_again(dataset):
    bench = Bench(dataset)
    result = bench.train()
    assert bench.train(progress=bench.progresses[-1]) == result
    assert len(bench.progresses) == 2


def test_a_training_without_epochs_is_an_error(dataset):
    with pytest.raises(ValueError, match="progress: no epoch is left to train and none was trained"):
        Bench(dataset).train(progress=Progress(epochs=2))


# early stopping


@pytest.mark.parametrize(
    ("validation", "patience", "stopped", "best"),
    [
        ([3, 2, 1, 2, 2.5, 0.1], 2, 5, 3),
        ([3, 2, 1, 2, 0.5, 0.7, 0.1], 2, 7, 7),
        ([1, 2, 0.1], 1, 2, 1),
        ([1, 1, 1, 0.1], 2, 3, 1),
        ([7, 6, 5, 4, 3, 2, 1], 1, 7, 7),
        ([1, 2, 3, 4, 5, 6, 7], 20, 7, 1),
    ],
)
def test_training_stops_when_the_validation_loss_has_not_fallen_for_the_patience(
    dataset, script_losses, validation, patience, stopped, best
):
    bench = Bench(dataset, epochs=7, validation_size=9, patience=patience)
    script_losses(bench.data, test=[1, 2, 3, 4, 5, 6, 7], validation=validation)
    result = bench.train()
    assert len(bench.progresses) == stopped
    assert (result.epoch, result.accuracy, result.validation_loss) == (best, 10 * best, validation[best - 1])


def test_an_epoch_that_may_be_reported_is_tested(dataset, script_losses):
    bench = Bench(dataset, epochs=6, validation_size=9, patience=2, test_every=10)
    script_losses(bench.data, test=[5, 4], validation=[3, 2, 2.5, 2.5])
    result = bench.train()
    assert [progress.last.accuracy for progress in bench.progresses] == [50, 40, None, None]
    assert (result.epoch, result.accuracy) == (2, 40)


def test_the_weights_of_the_best_epoch_are_restored(dataset, script_losses):
    bench = Bench(dataset, epochs=5, validation_size=9, patience=2)
    script_losses(bench.data, test=[1] * 5, validation=[3, 1, 2, 2])
    bench.train()
    np.testing.assert_array_equal(bench.network.parameters.value, bench.values[1])
    assert (bench.values[1] != bench.values[3]).any()


def test_training_goes_on_from_the_last_epoch_not_from_the_best(dataset, script_losses):
    plain, patient = (
        Bench(dataset, epochs=4, validation_size=9),
        Bench(dataset, epochs=4, validation_size=9, patience=4),
    )
    plain.train()
    script_losses(patient.data, test=[1] * 4, validation=[1, 2, 3, 4])
    patient.train()
    np.testing.assert_array_equal(patient.values, plain.values)


def test_without_patience_all_epochs_are_trained_and_the_last_is_reported(dataset, script_losses):
    bench = Bench(dataset, epochs=4, validation_size=9)
    script_losses(bench.data, test=[1, 2, 3, 4], validation=[1, 2, 3, 4])
    result = bench.train()
    assert (result.epoch, result.validation_loss) == (4, 4)
    np.testing.assert_array_equal(bench.network.parameters.value, bench.values[3])


def test_a_training_that_has_run_out_of_patience_stays_so(dataset, script_losses):
    bench = Bench(dataset, epochs=6, validation_size=9, patience=1)
    script_losses(bench.data, test=[1] * 6, validation=[1, 2, 3])
    result = bench.train()
    assert bench.train(progress=bench.progresses[-1]) == result
    assert len(bench.progresses) == 2


def test_the_validation_loss_is_that_of_the_images_held_out(dataset):
    bench = Bench(dataset, quaternion=False, dtype="float64", epochs=1, validation_size=9)
    result = bench.train()
    logits = logits_in_float64(bench.network, dataset, bench.data.x_validation)
    assert result.validation_loss == pytest.approx(loss_and_accuracy(logits, bench.data.y_validation)[0], rel=1e-12)


# what diverges (every warning is an error in these tests)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_rate_that_is_far_too_high_is_an_error_that_names_epoch_round_and_rate(dataset, optimizer):
    bench = Bench(dataset, rate=1e30, optimizer=optimizer)
    with pytest.raises(RunError) as caught:
        bench.train(Position(Phase.ROUNDS, 3))
    assert str(caught.value) in [
        f"the training loss is {value} in epoch 1 of round 3: try a --rate below 1e+30" for value in ("nan", "inf")
    ]


def test_a_network_that_diverges_in_the_last_step_of_an_epoch_is_an_error(dataset):
    bench = Bench(dataset, rate=1e30, batch_size=60)
    with pytest.raises(
        RunError, match=r"^the test loss is (nan|inf) in epoch 1 of round 0: try a --rate below 1e\+30$"
    ):
        bench.train()
    assert bench.progresses == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_found_in_its_epoch_with_that_epochs_rate(dataset, monkeypatch, value):
    bench = Bench(dataset, rate=0.5, schedule="step", step_epochs=1, epochs=3)
    loss, calls = bench.network.loss, []

    def broken_in_the_second_epoch(logits, labels):
        calls.append(len(labels))
        found, dlogits = loss(logits, labels)
        return np.float32(value) if calls.count(20) == 5 and len(labels) == 20 else found, dlogits

    monkeypatch.setattr(bench.network, "loss", broken_in_the_second_epoch)
    with pytest.raises(RunError) as caught:
        bench.train()
    assert str(caught.value) == f"the training loss is {value} in epoch 2 of round 0: try a --rate below 0.05"
    assert len(bench.progresses) == 1


@pytest.mark.parametrize("kind", ["test", "validation"])
def test_an_evaluation_that_is_not_finite_is_an_error(dataset, script_losses, kind):
    bench = Bench(dataset, epochs=3, validation_size=9)
    losses = {"test": [1, 1, 1], "validation": [1, 1, 1]}
    losses[kind][1] = float("nan")
    script_losses(bench.data, **losses)
    with pytest.raises(RunError, match=rf"^the {kind} loss is nan in epoch 2 of round 0: try a --rate below 0.01$"):
        bench.train()
