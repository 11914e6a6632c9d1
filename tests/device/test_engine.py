"""The engine over the strict stand-in for CuPy computes what it computes over NumPy, without waiting for the device."""

import numpy as np
import pytest

from quatnet.backend import array_module, to_device, to_host
from quatnet.data import augment, normalize
from quatnet.experiment import start
from quatnet.fast import Compute, accelerate
from quatnet.nn.layers import Dense, MaxPool2d
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.optimizers import Adam
from quatnet.nn.parameters import Parameters
from quatnet.pruning.criteria import CRITERIA
from quatnet.pruning.masks import Masks
from quatnet.pruning.protocols import prune
from quatnet.quaternion import conjugate, expand, fold, hamilton, hamilton_backward, inverse, norm
from quatnet.streams import Phase, Position
from quatnet.training import TrainingData, evaluate, make_optimizer, predict, train_epoch
from tests import small
from tests.device.strict import installed, no_synchronisation
from tests.nn.every import ARCHITECTURES, LAYERS, OPTIMIZERS, batches, network, random_layer, trained
from tests.small import build

DEVICES = ("cpu", "gpu")
ROUND_0 = Position(Phase.ROUNDS, 0)


@pytest.fixture(autouse=True)
def cupy():
    with installed() as library:
        yield library


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small.load(tmp_path_factory.mktemp("data"), channels=3)


def assert_same(found, expected):
    """Compare a device array with a host array: the dtype exactly, the entries but for rounding."""
    tolerance = 1e-5 if expected.dtype == np.float32 else 1e-12
    assert array_module(found) is not np
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(to_host(found), expected, rtol=tolerance, atol=tolerance * largest)


def assert_all_same(results):
    """Compare the lists of arrays that the two devices gave, one by one."""
    for found, expected in zip(results["gpu"], results["cpu"], strict=True):
        assert_same(found, expected)


# Its parts


def test_the_quaternion_algebra_is_the_cpus(cupy, random, dtype):
    p, q, dy = random.normal(size=(3, 5, 4)).astype(dtype)
    there = [to_device(a, cupy) for a in (p, q, dy)]
    assert_same(hamilton(*there[:2]), hamilton(p, q))
    for found, expected in zip(hamilton_backward(*there), hamilton_backward(p, q, dy), strict=True):
        assert_same(found, expected)
    for function in (conjugate, norm, inverse):
        assert_same(function(there[0]), function(p))


def test_gradients_of_a_broadcast_quaternion_are_the_cpus(cupy, random, dtype):
    p, q, dy = (random.normal(size=shape).astype(dtype) for shape in ((3, 1, 4), (4,), (3, 5, 4)))
    there = [to_device(a, cupy) for a in (p, q, dy)]
    for found, expected in zip(hamilton_backward(*there), hamilton_backward(p, q, dy), strict=True):
        assert_same(found, expected)


def test_expand_and_fold_are_the_cpus(cupy, random, dtype):
    w, g = random.normal(size=(4, 3, 3, 2, 3)).astype(dtype), random.normal(size=(3, 3, 8, 12)).astype(dtype)
    assert_same(expand(to_device(w, cupy)), expand(w))
    assert_same(fold(to_device(g, cupy)), fold(g))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_cpus_forwards_and_backwards(cupy, dtype, name):
    results = {}
    for device, xp in zip(DEVICES, (np, cupy), strict=True):
        layer, parameters, state = random_layer(name, dtype, xp)
        x, dy = (to_device(array, xp) for array in batches(name, dtype))
        with no_synchronisation():
            y, backward = layer.forward(x)
            dx = backward(dy)
            results[device] = [y, dx, layer.predict(x), parameters.gradient, state.value]
            if layer.parameters:
                parameters.gradient.fill(0)
                layer.forward(x)[1](dy, inputs=False)
                results[device].append(parameters.gradient)
    assert_all_same(results)


def test_equal_entries_of_a_pooling_window_are_the_cpus(cupy, dtype):
    x, dy = np.zeros((2, 4, 4, 3), dtype), np.ones((2, 2, 2, 3), dtype)
    backward, there = MaxPool2d(2).forward(x)[1], MaxPool2d(2).forward(to_device(x, cupy))[1]
    np.testing.assert_array_equal(to_host(there(to_device(dy, cupy))), backward(dy))


def test_the_loss_is_the_cpus(cupy, random, dtype):
    logits, labels = random.normal(scale=30, size=(6, 5)).astype(dtype), np.array([0, 4, 2, 2, 1, 3])
    with no_synchronisation():
        found = softmax_cross_entropy(to_device(logits, cupy), to_device(labels, cupy))
    for ours, expected in zip(found, softmax_cross_entropy(logits, labels), strict=True):
        assert_same(ours, np.asarray(expected))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_is_the_cpus_and_leaves_pruned_weights_at_zero(cupy, random, dtype, name):
    gradients, mask = random.normal(size=(5, 35)), np.arange(35) % 3 > 0
    mask[28:] = True  # the biases
    results = {}
    for device, xp in zip(DEVICES, (np, cupy), strict=True):
        parameters = Parameters(Dense(4, 7).parameters, np.dtype(dtype), xp)
        parameters.set_value(np.random.default_rng(1).normal(size=35))
        parameters.set_mask(mask)
        optimizer = OPTIMIZERS[name](parameters)
        for gradient in gradients.astype(dtype):
            parameters.gradient[...] = to_device(gradient, xp)
            with no_synchronisation():
                optimizer.step(1e-2)
        results[device] = [parameters.value, *optimizer.moments.values()]
        assert not to_host(parameters.value)[~mask].any()
    assert_all_same(results)


def test_the_state_of_an_optimizer_goes_to_a_checkpoint_and_back(cupy, random):
    parameters = Parameters(Dense(4, 7).parameters, np.dtype("float64"), cupy)
    adam, other = Adam(parameters), Adam(parameters)
    parameters.gradient[...] = to_device(random.normal(size=35), cupy)
    adam.step(0.1)
    other.set_state(adam.state(), adam.steps)
    for name, moment in adam.state().items():
        assert type(moment) is np.ndarray
        np.testing.assert_array_equal(to_host(other.moments[name]), moment)
    adam.mask_state()
    adam.reset()
    assert not any(moment.any() for moment in adam.state().values())


@pytest.mark.parametrize("images_dtype", ["uint8", "float32"])
def test_preprocessing_is_the_cpus(cupy, random, dtype, images_dtype):
    images = random.integers(0, 256, (5, 6, 4, 3)).astype(images_dtype)
    there = to_device(images, cupy)
    with no_synchronisation():
        normal = normalize(there, (0.4, 0.5, 0.6), (0.2, 0.3, 0.1), dtype)
        cropped = augment(there, np.random.default_rng(1), padding=2)
    assert_same(normal, normalize(images, (0.4, 0.5, 0.6), (0.2, 0.3, 0.1), dtype))
    np.testing.assert_array_equal(to_host(cropped), augment(images, np.random.default_rng(1), padding=2))


# Whole networks


def on_both(arch, quaternion, steps=4, **given):
    """Train a network on both devices, without waiting for them; return what the last step gave on each."""
    networks = {device: network(arch, quaternion, device=device, **given) for device in DEVICES}
    found = {device: trained(one, steps, (1.0, 0.4), no_synchronisation) for device, one in networks.items()}
    return {device: [*arrays.values()] for device, arrays in found.items()}


@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_steps_of_training_are_the_cpus_and_do_not_wait(arch, quaternion):
    assert_all_same(on_both(arch, quaternion))


@pytest.mark.parametrize("given", [{"norm": "whitening"}, {"norm": "scalar"}, {"signs": "shuffled"}], ids=str)
def test_variants_of_quaternion_networks_are_the_cpus_and_do_not_wait(given):
    assert_all_same(on_both("resnet-20", True, steps=2, **given))


@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_in_float32_the_first_logits_are_the_cpus_and_everything_is_float32(arch, quaternion):
    """What comes after can differ by more than rounding: where a ReLU or a pooling is undecided, gradients jump."""
    networks = {device: network(arch, quaternion, "float32", device) for device in DEVICES}
    results = {device: [*trained(one, steps=1).values()] for device, one in networks.items()}
    assert_all_same({device: result[:2] for device, result in results.items()})
    assert {array.dtype for array in results["gpu"]} == {np.dtype("float32")}


def test_where_kernels_cannot_be_compiled_a_network_stays_as_it_is():
    one = network("conv-2", quaternion=True, device="gpu")
    assert accelerate(one) is one


class Bench:
    """A small network on a device, with its optimizer, data and settings."""

    def __init__(self, dataset, device, *, quaternion=True, **given):
        self.settings = small.train_settings(dataset.source, quaternion=quaternion, dtype="float64", **given)
        self.dataset = TrainingData.cut(dataset, self.settings).dataset
        shape, classes = dataset.input_shape, dataset.classes
        of_it = {"input_shape": shape, "classes": classes, "dtype": "float64", "device": device}
        self.network = build("lenet-12", quaternion=quaternion, **of_it)
        self.optimizer = make_optimizer(self.network, self.settings)

    def train_epoch(self):
        return train_epoch(self.network, self.optimizer, self.dataset, self.settings, ROUND_0, 0)

    def evaluate(self):
        return evaluate(self.network, self.dataset, self.dataset.x_test, self.dataset.y_test)


@pytest.mark.parametrize("given", [{}, {"augment": True}, {"optimizer": "sgd", "momentum": 0.9}], ids=str)
@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
def test_an_epoch_and_its_evaluation_are_the_cpus(dataset, quaternion, given):
    benches = {device: Bench(dataset, device, quaternion=quaternion, **given) for device in DEVICES}
    losses = {device: bench.train_epoch() for device, bench in benches.items()}
    np.testing.assert_allclose(losses["gpu"], losses["cpu"], rtol=1e-12)
    assert_all_same({device: [bench.network.parameters.value] for device, bench in benches.items()})
    np.testing.assert_allclose(benches["gpu"].evaluate(), benches["cpu"].evaluate(), rtol=1e-12)
    found, expected = (predict(b.network, dataset, dataset.x_test) for b in (benches["gpu"], benches["cpu"]))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_epoch_and_an_evaluation_wait_for_the_device_once_each(cupy, dataset):
    bench = Bench(dataset, "gpu")
    waits = []
    for work in (bench.train_epoch, bench.evaluate):
        before = cupy.waits
        work()
        waits.append(cupy.waits - before)
    assert waits == [1, 1]


@pytest.mark.parametrize("augmented", [False, True], ids=["plain", "augmented"])
@pytest.mark.parametrize("quaternion", [False, True], ids=["real", "quaternion"])
def test_a_step_copies_nothing_to_the_device(cupy, dataset, quaternion, augmented):
    uploads = []
    for batch_size in (30, 6):
        bench = Bench(dataset, "gpu", quaternion=quaternion, augment=augmented, batch_size=batch_size)
        before = cupy.uploads
        bench.train_epoch()
        uploads.append(cupy.uploads - before)
    assert uploads[0] == uploads[1]


# Pruning


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_criterion_prunes_exactly_the_cpus_weights(dtype, criterion):
    masks = {}
    for device in DEVICES:
        network = build("lenet-12", quaternion=True, input_shape=(4, 4, 3), classes=4, dtype=dtype, device=device)
        for _ in range(3):
            mask = CRITERIA[criterion](network.parameters, 0.2, np.random.default_rng(3))
            network.parameters.set_mask(mask)
        masks[device] = Masks.of(network.parameters)
        assert network.parameters.count_kept() == masks[device].count()
        assert mask[network.parameters.prunable].mean() < 0.6
        network.parameters.load(network.parameters.by_name())
    for name, expected in masks["cpu"].dense().items():
        np.testing.assert_array_equal(masks["gpu"].dense()[name], expected)


def test_an_experiment_is_the_cpus(tmp_path):
    data = small.write(tmp_path / "small.npz", channels=3)
    results = {}
    for device in DEVICES:
        settings = small.train_settings(data, dtype="float64", validation_size=12, patience=1)
        experiment = start(tmp_path / device, settings, small.prune_settings(), engine=Compute(device))
        prune(experiment, small.prune_settings())
        results[device] = experiment.run.results()
    assert len(results["gpu"]) == 3
    for found, expected in zip(results["gpu"], results["cpu"], strict=True):
        assert (found.kept_weights, found.accuracy, found.epoch) == (
            expected.kept_weights,
            expected.accuracy,
            expected.epoch,
        )
        assert found.loss == pytest.approx(expected.loss, rel=1e-12)
