"""The engine on CuPy computes what it computes on NumPy. Skipped, with the reason, where CuPy does not work."""

from contextlib import ExitStack

import numpy as np
import pytest

from quatnet import training
from quatnet.backend import array_module, gpu_problem, select, to_device, to_host
from quatnet.data import augment
from quatnet.experiment import Compute, start
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.networks import build
from quatnet.nn.optimizers import SGD, Adam
from quatnet.pruning import lottery
from quatnet.pruning.criteria import CRITERIA
from quatnet.pruning.lab import Listener
from quatnet.pruning.masks import Masks, sparse_weight
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
from tests.nn.kernel_cases import CASES, ROUNDED

pytestmark = [pytest.mark.cupy, pytest.mark.skipif(gpu_problem() is not None, reason=str(gpu_problem()))]

ROUND_0 = Position(Phase.ROUNDS, 0)
NETWORKS = [
    ("lenet-300-100", (6, 6, 1)),
    ("lenet-12", (8, 8, 1)),
    ("conv-2", (7, 6, 3)),
    ("conv-4", (5, 4, 3)),
    ("conv-4", (4, 4, 1)),
    ("conv-6", (8, 8, 3)),
]


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
    compute, arrays = CASES[case](dtype)
    expected = compute(*(array.copy() for array in arrays))
    found = compute(*(to_device(array, cupy) for array in arrays))
    for there, here in zip(found, expected, strict=True):
        assert array_module(there) is cupy
        assert there.dtype == here.dtype
        if case.startswith(ROUNDED):
            tolerance = 1e-5 if dtype == "float32" else 1e-13
            np.testing.assert_allclose(to_host(there), here, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(to_host(there), here)


# training


def copies(arch, shape, quaternion, dtype="float64", **given):
    """Networks with the same weights on both devices; im2col on both."""
    return [
        build(
            arch,
            quaternion=quaternion,
            input_shape=shape,
            classes=4,
            dtype=dtype,
            device=device,
            conv="im2col",
            **given,
        )
        for device in ("cpu", "gpu")
    ]


def train_steps(network, make, images, labels, steps):
    """Train on the same batch; return losses, the last gradients, values, and logits for inference."""
    xp, optimizer, losses = network.parameters.xp, make(network.parameters), []
    x, y = to_device(images.astype(network.parameters.dtype), xp), to_device(labels, xp)
    for _ in range(steps):
        logits, backward = network.forward(x)
        loss, dlogits = softmax_cross_entropy(logits, y)
        dimages = backward(dlogits)
        gradient = network.parameters.gradient * network.parameters.mask
        optimizer.step(1e-3)
        losses.append(loss)
    return [xp.stack(losses), dimages, gradient, network.parameters.value, network.predict(x)]


@pytest.mark.parametrize("density", [1.0, 0.2], ids=["dense", "pruned"])
@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
@pytest.mark.parametrize(("arch", "shape"), NETWORKS)
def test_15_steps_of_training_are_the_cpus(cupy, arch, shape, quaternion, density):
    random = np.random.default_rng(2)
    images, labels = random.normal(size=(2, *shape)), np.array([3, 0])
    networks = copies(arch, shape, quaternion)
    mask = (random.random(networks[0].parameters.size) < density) | ~networks[0].parameters.prunable
    results = []
    for network in networks:
        network.parameters.set_mask(mask)
        results.append(train_steps(network, Adam, images, labels, 15))
    assert not to_host(networks[1].parameters.value)[~mask].any()
    assert results[0][0][-1] < results[0][0][0]
    for found, expected in zip(results[1], results[0], strict=True):
        assert array_module(found) is cupy
        assert_equal(found, expected)


@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
@pytest.mark.parametrize(("arch", "shape"), [("lenet-12", (8, 8, 1)), ("conv-2", (7, 6, 3))])
@pytest.mark.parametrize(
    "make",
    [Adam, lambda p: SGD(p, momentum=0.9), lambda p: SGD(p, weight_decay=0.1), lambda p: Adam(p, weight_decay=0.1)],
)
def test_every_optimizer_is_the_cpus_with_kernels_and_without(
    cupy_with_and_without_kernels, arch, shape, quaternion, make
):
    images, labels = np.random.default_rng(3).normal(size=(3, *shape)), np.array([1, 0, 3])
    networks = copies(arch, shape, quaternion)
    here, there = (train_steps(network, make, images, labels, 3) for network in networks)
    for found, expected in zip(there, here, strict=True):
        assert_equal(found, expected)


@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
@pytest.mark.parametrize(
    ("arch", "shape"), [("lenet-300-100", (6, 6, 1)), ("conv-2", (7, 6, 3)), ("conv-4", (5, 4, 3))]
)
def test_15_steps_in_float32_give_the_cpus_losses_and_values_to_1e_5(cupy, arch, shape, quaternion):
    images, labels = np.random.default_rng(4).normal(size=(3, *shape)), np.array([1, 0, 3])
    networks = copies(arch, shape, quaternion, "float32")
    here, there = (train_steps(network, SGD, images, labels, 15) for network in networks)
    np.testing.assert_allclose(to_host(there[0]), here[0], atol=1e-5)
    np.testing.assert_allclose(to_host(there[3]), here[3], atol=1e-5)


class Bench:
    """A network on some device, its optimizer, data and settings."""

    def __init__(self, dataset, device, arch="lenet-12", **given):
        self.settings = small.train_settings(dataset.source, dtype="float64", **given)
        self.data = TrainingData.cut(dataset, self.settings)
        shape, classes = dataset.input_shape, dataset.classes
        self.network = build(
            arch, quaternion=True, input_shape=shape, classes=classes, dtype="float64", device=device, conv="im2col"
        )
        self.optimizer = make_optimizer(self.network, self.settings)

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
    loss, _ = softmax_cross_entropy(cupy.ones((2, 3)), cupy.asarray([1, 3]))
    assert np.isnan(float(loss))


# masks, pruning, checkpoints


@pytest.fixture
def pruned(cupy):
    """The same pruned network on both devices."""
    networks = copies("conv-2", (4, 4, 3), True, "float32")
    random = np.random.default_rng(7)
    mask = (random.random(networks[0].parameters.size) < 0.5) | ~networks[0].parameters.prunable
    for network in networks:
        network.parameters.set_mask(mask)
    return networks


def test_masks_and_weights_on_the_device_are_the_hosts_sparse_matrices(cupy, pruned):
    from cupyx.scipy import sparse

    masks = Masks.of(pruned[0].parameters)
    assert Masks.of(pruned[1].parameters) == masks
    for name, there in masks.on(cupy).items():
        mask, here = pruned[1].parameters[name].mask, masks[name]
        recomputed = sparse.csr_matrix(mask.reshape(-1, mask.shape[-1]).astype(np.float32))
        weights = [sparse_weight(network.parameters[name]) for network in pruned]
        assert isinstance(there, sparse.csr_matrix)
        assert isinstance(weights[1], sparse.csr_matrix)
        assert (there.dtype, there.nnz) == (np.bool_, here.nnz)
        for part in ("indptr", "indices"):
            np.testing.assert_array_equal(to_host(getattr(there, part)), getattr(here, part))
            np.testing.assert_array_equal(to_host(getattr(recomputed, part)), getattr(here, part))
        x = np.random.default_rng(9).normal(size=(here.shape[1], 3)).astype(np.float32)
        assert_equal(weights[1] @ to_device(x, cupy), weights[0] @ x)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_pruning_on_the_device_is_the_hosts_to_the_last_weight(pruned, criterion):
    here, there = (CRITERIA[criterion](network.parameters, 0.2, np.random.default_rng(8)) for network in pruned)
    np.testing.assert_array_equal(there, here)
    for network, mask in zip(pruned, (here, there), strict=True):
        network.parameters.set_mask(mask)
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
        lab = start(tmp_path / folder, settings, prune, compute=Compute(device=device), listener=listener)
        lottery.prune(lab, prune)
        return lab.run

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
