"""The engine on CuPy trains, prunes and resumes as on NumPy. Skipped, with the reason, where CuPy does not work."""

from contextlib import ExitStack

import numpy as np
import pytest

from quatnet import training
from quatnet.backend import array_module, gpu_problem, select, to_device, to_host
from quatnet.data import augment
from quatnet.experiment import Listener, start
from quatnet.fast import Compute, accelerate, accelerate_optimizer
from quatnet.pruning import protocols
from quatnet.pruning.criteria import CRITERIA
from quatnet.pruning.masks import Masks
from quatnet.quaternion import conjugate, expand, fold, hamilton, hamilton_backward, inverse, norm
from quatnet.streams import Phase, Position
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
from tests.fast.gpu.kernel_cases import CASES, assert_case_equal, both
from tests.nn.every import network, random_mask
from tests.small import build

pytestmark = [pytest.mark.cupy, pytest.mark.skipif(gpu_problem() is not None, reason=str(gpu_problem()))]

ROUND_0 = Position(Phase.ROUNDS, 0)


@pytest.fixture
def cupy():
    return select("gpu")


@pytest.fixture(params=["kernels", "formulas"])
def cupy_with_and_without_kernels(cupy, request, monkeypatch):
    if request.param == "formulas":
        monkeypatch.delattr(cupy, "RawKernel")
    return cupy


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


def assert_equal(found, expected):
    tolerance = 1e-4 if expected.dtype == np.float32 else 1e-10
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(to_host(found), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


# arrays


def test_an_array_comes_back_as_it_was(cupy, dtype):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    there = to_device(x, cupy)
    assert array_module(there) is cupy
    np.testing.assert_array_equal(to_host(there), x)


def test_the_quaternion_algebra_is_the_cpus(cupy, dtype):
    p, q, dy = np.random.default_rng(1).normal(size=(3, 5, 4)).astype(dtype)
    there = [to_device(a, cupy) for a in (p, q, dy)]
    assert_equal(hamilton(*there[:2]), hamilton(p, q))
    for found, expected in zip(hamilton_backward(*there), hamilton_backward(p, q, dy), strict=True):
        assert_equal(found, expected)
    for function in (conjugate, norm, inverse):
        assert_equal(function(there[0]), function(p))
    w, g = np.random.default_rng(2).normal(size=(2, 4, 8, 12)).astype(dtype)
    assert_equal(expand(to_device(w, cupy)), expand(w))
    assert_equal(fold(to_device(g, cupy)), fold(g))


@pytest.mark.parametrize("case", CASES)
def test_a_kernel_equals_its_formula(cupy, dtype, case):
    expected, found = both(case, dtype, cupy)
    assert all(array_module(array) is cupy for array in found)
    assert_case_equal(case, dtype, found, expected)


# training


class Bench:
    """A network on some device, its optimizer, data and settings."""

    def __init__(self, dataset, device, arch="lenet-12", **given):
        self.settings = small.train_settings(dataset.source, dtype="float64", **given)
        self.data = TrainingData.cut(dataset, self.settings)
        shape, classes = dataset.input_shape, dataset.classes
        of_it = {"input_shape": shape, "classes": classes, "dtype": "float64", "device": device}
        self.network = accelerate(build(arch, quaternion=True, **of_it), conv="im2col")
        self.optimizer = accelerate_optimizer(make_optimizer(self.network, self.settings), self.network)

    def train_epoch(self, after_step=lambda step, steps: None):
        return train_epoch(self.network, self.optimizer, self.data.dataset, self.settings, ROUND_0, 0, after_step)

    def train(self):
        everything = self.network, self.optimizer, self.data, self.settings, ROUND_0, Progress()
        return train(*everything, lambda progress: None)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augment", [False, True])
def test_an_epoch_an_evaluation_and_predictions_are_the_cpus(
    cupy_with_and_without_kernels, tmp_path, channels, augment
):
    dataset, results = small.load(tmp_path, channels=channels), []
    for device in ("cpu", "gpu"):
        bench = Bench(dataset, device, augment=augment, batch_size=25)
        loss = bench.train_epoch()
        evaluation = evaluate(bench.network, dataset, dataset.x_test, dataset.y_test)
        probabilities = predict(bench.network, dataset, dataset.x_test)
        results.append([[loss, *evaluation], to_host(bench.network.parameters.value), probabilities])
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_images_are_augmented_as_on_the_cpu(cupy):
    images = np.random.default_rng(5).integers(0, 256, (9, 6, 5, 3), dtype=np.uint8)
    found = augment(to_device(images, cupy), np.random.default_rng(6), 3)
    np.testing.assert_array_equal(to_host(found), augment(images, np.random.default_rng(6), 3))


@pytest.mark.filterwarnings("ignore:cupyx.allow_synchronize")
def test_a_training_waits_for_the_device_when_an_epoch_and_an_evaluation_end(
    cupy_with_and_without_kernels, tmp_path, monkeypatch
):
    from cupyx import allow_synchronize

    bench, reads = Bench(small.load(tmp_path, channels=3), "gpu", augment=True), []

    def reading(x):
        reads.append(x.shape)
        with allow_synchronize(True):
            return to_host(x)

    monkeypatch.setattr(training, "to_host", reading)
    bench.train_epoch()  # compiles
    with allow_synchronize(False):
        bench.train()
    losses, loss_and_hits = (3,), (2,)
    assert reads == [losses] + [losses, loss_and_hits] * 2


@pytest.mark.filterwarnings("ignore:cupyx.allow_synchronize")
@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("arch", ["lenet-12", "conv-2"])
def test_a_step_waits_for_nothing_and_uploads_nothing(cupy_with_and_without_kernels, tmp_path, arch, augment):
    from cupyx import allow_synchronize

    def from_host(x, *args, **kwargs):
        assert isinstance(x, cupy_with_and_without_kernels.ndarray), "an upload"
        return x

    bench = Bench(small.load(tmp_path, channels=3), "gpu", arch, augment=augment)
    bench.train_epoch()  # compiles
    steps = []
    with ExitStack() as restricted:

        def after_step(step, last):
            steps.append(step)
            if step == 1:
                restricted.enter_context(allow_synchronize(False))
                patch = restricted.enter_context(pytest.MonkeyPatch.context())
                patch.setattr(cupy_with_and_without_kernels, "array", from_host)
                patch.setattr(cupy_with_and_without_kernels, "asarray", from_host)
            if step == last:
                restricted.close()

        bench.train_epoch(after_step=after_step)
    assert steps == [1, 2, 3]


def test_images_are_uploaded_once_for_a_training_and_little_for_an_epoch(cupy, tmp_path, monkeypatch):
    bench = Bench(small.load(tmp_path), "gpu", validation_size=9)
    uploaded, asarray = [], cupy.asarray

    def recording(x, *rest):
        if isinstance(x, np.ndarray):
            uploaded.append(x.shape)
        return asarray(x, *rest)

    monkeypatch.setattr(cupy, "asarray", recording)
    bench.train()
    training_set, test_set, validation_set = ([(n, 4, 4, 1), (n,)] for n in (51, 25, 9))
    order, constants = (51,), [(4 * 4,), (4 * 4,)]
    epoch = [order, *constants, *constants, *constants]
    assert uploaded == [*training_set, *test_set, *validation_set, *epoch, *epoch]


def test_a_label_out_of_range_makes_the_loss_nan(cupy):
    fast = accelerate(network("lenet-12", quaternion=True, device="gpu"))
    loss, _ = fast.loss(cupy.ones((2, 3)), cupy.asarray([1, 3]))
    assert np.isnan(float(loss))


# masks, pruning, checkpoints


@pytest.fixture
def pruned(cupy):
    """The same pruned network on both devices."""
    networks = [network("conv-2", quaternion=True, dtype="float32", device=device) for device in ("cpu", "gpu")]
    for one in networks:
        one.parameters.set_mask(random_mask(one.parameters, 0.5))
    return networks


def test_masks_of_the_device_are_the_hosts(pruned):
    here, there = (Masks.of(network.parameters) for network in pruned)
    assert here == there


@pytest.mark.parametrize("criterion", CRITERIA)
def test_pruning_on_the_device_is_the_hosts_to_the_last_weight(pruned, criterion):
    here, there = (CRITERIA[criterion](network.parameters, 0.2, np.random.default_rng(8)) for network in pruned)
    np.testing.assert_array_equal(there, here)
    for one, mask in zip(pruned, (here, there), strict=True):
        one.parameters.set_mask(mask)
    assert pruned[1].parameters.count_kept() == pruned[0].parameters.count_kept() > 0
    np.testing.assert_array_equal(to_host(pruned[1].parameters.value), pruned[0].parameters.value)


class Stopped(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(("first", "second"), [("cpu", "gpu"), ("gpu", "cpu")])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_run_that_stops_on_one_device_goes_on_on_the_other(cupy, tmp_path, first, second, optimizer):
    data = small.write(tmp_path / "small.npz")
    settings = small.train_settings(data, dtype="float64", optimizer=optimizer, momentum=0.9, epochs=3)
    prune = small.prune_settings()

    def stop(position, progress, weights_left):
        if (position.round, progress.epochs) == (1, 2):
            raise Stopped

    def experiment(folder, device, listener=None):
        begun = start(tmp_path / folder, settings, prune, engine=Compute(device=device), listener=listener)
        protocols.prune(begun, prune)
        return begun.run

    expected = experiment("through", "cpu")
    with pytest.raises(Stopped):
        experiment("halted", first, Listener(epoch=stop))
    found = experiment("halted", second)
    assert len(found.results()) == 3
    for round in range(3):
        values, masks = found.load_round(Position(Phase.ROUNDS, round))
        expected_values, expected_masks = expected.load_round(Position(Phase.ROUNDS, round))
        assert masks == expected_masks
        for name, value in values.items():
            np.testing.assert_allclose(value, expected_values[name], rtol=1e-8, atol=1e-10)
