"""Whole networks against PyTorch in float64: logits, loss, every gradient, ten steps of Adam and of SGD.

The PyTorch network is written here on its own: channels first, and quaternion weights assembled from their four
components as the paper prints matrix (4). Only the layout of the weights and of the flattened rows is converted.
"""

import numpy as np
import pytest

from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.optimizers import SGD, Adam
from tests.nn import every
from tests.small import build

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
functional = torch.nn.functional

pytestmark = pytest.mark.torch

CASES = [
    ("lenet-300-100", (28, 28, 1)),
    ("lenet-300-100", (6, 6, 3)),
    ("lenet-12", (28, 28, 1)),
    ("conv-2", (9, 8, 3)),
    ("conv-2", (8, 8, 1)),
    ("conv-4", (8, 8, 3)),
    ("conv-6", (8, 8, 3)),
]
CLASSES = 10
BLOCKS = {"conv-2": (2,), "conv-4": (2, 2), "conv-6": (2, 2, 2)}
HIDDEN = {"lenet-300-100": 2, "lenet-12": 1, "conv-2": 2, "conv-4": 2, "conv-6": 2}


def matrix_4(w):
    """The paper's matrix (4) in blocks, (4 out, 4 in, ...), for w (4, ..., in, out) of a dense or a conv layer."""
    r, i, j, k = (component.movedim((-1, -2), (0, 1)) for component in w)
    return torch.cat(
        [
            torch.cat([r, -i, -j, -k], dim=1),
            torch.cat([i, r, -k, j], dim=1),
            torch.cat([j, k, r, -i], dim=1),
            torch.cat([k, -j, i, r], dim=1),
        ],
        dim=0,
    )


def torch_weight(w, quaternion):
    return matrix_4(w) if quaternion else w.movedim((-1, -2), (0, 1))


def torch_logits(arch, quaternion, images, p):
    """The network of `arch` as a function of NHWC images and of the parameters by name."""
    x = images.permute(0, 3, 1, 2)
    channels = x.shape[1]
    if quaternion and channels == 3:
        gray = 0.2989 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
        x = torch.cat([x, gray[:, None]], dim=1)
    if quaternion and channels == 1 and arch in BLOCKS:
        x = torch.cat([x, torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)], dim=1)
    number = 0
    for convs in BLOCKS.get(arch, ()):
        for _ in range(convs):
            number += 1
            weight = torch_weight(p[f"conv{number}.weight"], quaternion)
            x = functional.relu(functional.conv2d(x, weight, p[f"conv{number}.bias"], padding=1))
        x = functional.max_pool2d(x, 2)
    components = 4 if quaternion and x.shape[1] % 4 == 0 else 1
    x = x.unflatten(1, (components, -1)).movedim(2, -1).flatten(1)
    for number in range(1, HIDDEN[arch] + 1):
        x = functional.relu(
            functional.linear(x, torch_weight(p[f"fc{number}.weight"], quaternion), p[f"fc{number}.bias"])
        )
    last = f"fc{HIDDEN[arch] + 1}"
    return functional.linear(x, torch_weight(p[f"{last}.weight"], False), p[f"{last}.bias"])


@pytest.fixture(autouse=True)
def one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1][-1]}-channels")
def arch_and_shape(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["real", "quaternion"])
def quaternion(request):
    return request.param


@pytest.fixture
def network(arch_and_shape, quaternion):
    arch, shape = arch_and_shape
    return build(arch, quaternion=quaternion, input_shape=shape, classes=CLASSES, seed=7, dtype="float64")


@pytest.fixture
def images_nhwc(arch_and_shape):
    return np.random.default_rng(11).normal(size=(5, *arch_and_shape[1]))


@pytest.fixture
def labels():
    return np.array([3, 0, 9, 3, 5])


@pytest.fixture
def torch_parameters(network):
    return {name: torch.tensor(p.value, requires_grad=True) for name, p in network.parameters.items()}


def assert_equal(found, expected, name):
    """Equal to a relative 1e-9, and to 1e-12 of the largest entry where entries cancel."""
    expected = expected.detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max(), err_msg=name)


def test_logits_loss_and_all_gradients_equal_pytorchs(
    arch_and_shape, quaternion, network, images_nhwc, labels, torch_parameters
):
    logits, backward = network.forward(images_nhwc)
    loss, dlogits = softmax_cross_entropy(logits, labels)
    dimages = backward(dlogits)

    images = torch.tensor(images_nhwc, requires_grad=True)
    expected_logits = torch_logits(arch_and_shape[0], quaternion, images, torch_parameters)
    expected_loss = functional.cross_entropy(expected_logits, torch.tensor(labels))
    expected_loss.backward()

    assert_equal(logits, expected_logits, "logits")
    assert_equal(loss, expected_loss, "loss")
    assert_equal(dimages, images.grad, "images")
    for name, parameter in network.parameters.items():
        assert_equal(parameter.gradient, torch_parameters[name].grad, name)


OPTIMIZERS = {
    "adam": (lambda p: Adam(p), lambda p: torch.optim.Adam(p, lr=1e-3), 1e-3),
    "sgd": (
        lambda p: SGD(p, momentum=0.9, weight_decay=1e-4),
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, weight_decay=1e-4),
        1e-2,
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_steps_lead_to_pytorchs_weights(
    name, arch_and_shape, quaternion, network, images_nhwc, labels, torch_parameters
):
    make, make_expected, rate = OPTIMIZERS[name]
    optimizer, expected = make(network.parameters), make_expected(torch_parameters.values())
    start = network.parameters.value.copy()
    images, targets = torch.tensor(images_nhwc), torch.tensor(labels)
    for _ in range(10):
        logits, backward = network.forward(images_nhwc)
        backward(softmax_cross_entropy(logits, labels)[1])
        optimizer.step(rate)
        expected.zero_grad()
        logits = torch_logits(arch_and_shape[0], quaternion, images, torch_parameters)
        functional.cross_entropy(logits, targets).backward()
        expected.step()
    assert np.abs(network.parameters.value - start).max() > rate
    for parameter_name, parameter in network.parameters.items():
        found, wanted = parameter.value, torch_parameters[parameter_name].detach().numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=parameter_name)


def torch_logits_of_normalised(arch, quaternion, images, p):
    """The network as a function of NHWC images and of the parameters by name."""
    x = images.permute(0, 3, 1, 2)
    if quaternion:
        gray = 0.2989 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
        x = torch.cat([x, gray[:, None]], dim=1)

    def conv_norm(x, conv, norm, stride=1, padding=1):
        weight = torch_weight(p[f"{conv}.weight"], quaternion)
        y = functional.conv2d(x, weight, None, stride=stride, padding=padding)
        return functional.batch_norm(y, None, None, p[f"{norm}.scale"], p[f"{norm}.shift"], training=True)

    if arch == "vgg-16":
        for k in range(1, 14):
            x = functional.relu(conv_norm(x, f"conv{k}", f"norm{k}"))
            if k in (2, 4, 7, 10, 13):
                x = functional.max_pool2d(x, 2)
        return x.flatten(1) @ p["fc1.weight"] + p["fc1.bias"]
    x = functional.relu(conv_norm(x, "conv1", "norm1"))
    for stage, blocks in enumerate((2, 2, 2, 2) if arch == "resnet-18" else (3, 3, 3), start=1):
        for k in range(1, blocks + 1):
            block, stride = f"stage{stage}-{k}", 2 if stage > 1 and k == 1 else 1
            y = functional.relu(conv_norm(x, f"{block}.body.conv1", f"{block}.body.norm1", stride))
            y = conv_norm(y, f"{block}.body.conv2", f"{block}.body.norm2")
            if stride == 1:
                shortcut = x
            elif arch == "resnet-18":
                shortcut = conv_norm(x, f"{block}.shortcut.conv", f"{block}.shortcut.norm", 2, 0)
            else:
                parts = x[:, :, ::2, ::2].chunk(4 if quaternion else 1, dim=1)
                shortcut = torch.cat([torch.cat([part, torch.zeros_like(part)], dim=1) for part in parts], dim=1)
            x = functional.relu(y + shortcut)
    return x.mean(dim=(2, 3)) @ p["fc1.weight"] + p["fc1.bias"]


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("arch", ["resnet-20", "resnet-18", "vgg-16"])
def test_logits_and_all_gradients_of_normalised_networks_equal_pytorchs(arch, quaternion, labels):
    network = every.network(arch, quaternion, classes=CLASSES, seed=1)
    images = np.random.default_rng(0).normal(size=(5, *network.input_shape))
    p = {name: torch.tensor(value.value, requires_grad=True) for name, value in network.parameters.items()}
    expected = torch_logits_of_normalised(arch, quaternion, torch.tensor(images), p)
    functional.cross_entropy(expected, torch.tensor(labels)).backward()
    logits, backward = network.forward(images)
    np.testing.assert_allclose(logits, expected.detach().numpy(), atol=1e-9)
    backward(softmax_cross_entropy(logits, labels)[1])
    for name, parameter in network.parameters.items():
        scale = max(1e-3, float(p[name].grad.abs().max()))
        np.testing.assert_allclose(parameter.gradient, p[name].grad.numpy(), atol=1e-6 * scale, err_msg=name)
