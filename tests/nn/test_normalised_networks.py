"""Residual networks and VGG-16: gradients against differences and PyTorch, running statistics, and threads."""

import numpy as np
import pytest

from quatnet.errors import UsageError
from quatnet.nn.losses import softmax_cross_entropy
from quatnet.nn.networks import build
from quatnet.nn.optimizers import SGD
from tests.nn.gradcheck import assert_gradients

ALGEBRAS = [(False, "split"), (True, "split"), (True, "whitening"), (True, "scalar")]
SMALL = {"resnet-20": ((8, 8, 3), 0.5), "resnet-18": ((16, 16, 3), 0.125), "vgg-16": ((32, 32, 3), 0.0625)}


def small(arch, quaternion, norm="split", **given):
    shape, width = SMALL[arch]
    given = {"input_shape": shape, "width": width, "classes": 5, "dtype": "float64", "seed": 1, **given}
    return build(arch, quaternion=quaternion, norm=norm, **given)


def images_for(network, n=3):
    return np.random.default_rng(0).normal(size=(n, *network.input_shape))


def trained(network, steps=3):
    """Return the losses of a few steps, and leave the network trained."""
    images, labels, optimizer, losses = images_for(network, 5), np.arange(5), SGD(network.parameters, momentum=0.9), []
    for _ in range(steps):
        logits, backward = network.forward(images)
        loss, dlogits = softmax_cross_entropy(logits, labels)
        backward(dlogits, inputs=False)
        optimizer.step(0.01)
        losses.append(loss)
    return losses


@pytest.mark.parametrize(("quaternion", "norm"), ALGEBRAS)
@pytest.mark.parametrize("arch", ["resnet-20", "resnet-18"])
def test_gradients_of_whole_networks_equal_differences(arch, quaternion, norm):
    network, random = small(arch, quaternion, norm), np.random.default_rng(3)
    images = images_for(network)
    logits, backward = network.forward(images)
    u = random.normal(size=logits.shape)
    gradients = {"images": backward(u)} | {name: p.gradient.copy() for name, p in network.parameters.items()}
    arguments = {"images": images} | {name: p.value for name, p in network.parameters.items()}
    run = lambda: network.forward(images)[0].copy()  # noqa: E731
    assert_gradients(run, arguments, gradients, u, random, step=1e-7, rtol=1e-5)


@pytest.mark.parametrize(("quaternion", "norm"), ALGEBRAS)
@pytest.mark.parametrize("arch", SMALL)
def test_the_number_of_threads_changes_no_more_than_rounding(arch, quaternion, norm):
    one, three = (small(arch, quaternion, norm, threads=threads) for threads in (1, 3))
    np.testing.assert_allclose(trained(one), trained(three), rtol=1e-7)
    np.testing.assert_allclose(one.flat(), three.flat(), atol=1e-6)
    images = images_for(one)
    np.testing.assert_allclose(one.predict(images), three.predict(images), atol=1e-5)


@pytest.mark.parametrize("norm", ["split", "whitening", "scalar"])
def test_values_that_are_put_back_bring_the_running_statistics_along(norm):
    network = small("resnet-20", True, norm)
    images, initial, flat = images_for(network), network.values(), network.flat()
    before = network.predict(images)
    trained(network)
    assert not np.allclose(network.predict(images), before)
    network.load(initial)
    np.testing.assert_array_equal(network.predict(images), before)
    trained(network)
    network.set_flat(flat)
    np.testing.assert_array_equal(network.predict(images), before)


def test_values_that_lack_a_running_statistic_change_nothing():
    network = small("resnet-20", False)
    values, flat = {name: value + 1 for name, value in network.values().items()}, network.flat()
    del values["norm1.variance"]
    with pytest.raises(ValueError, match=r"norm1\.variance missing or unknown"):
        network.load(values)
    np.testing.assert_array_equal(network.flat(), flat)
    with pytest.raises(ValueError, match=r"value: shape \(3,\) given"):
        network.set_flat(np.zeros(3))


def test_new_initial_weights_forget_the_running_statistics():
    network = small("resnet-20", True)
    trained(network)
    network.initialize("paper", np.random.default_rng(0))
    again = small("resnet-20", True)
    again.initialize("paper", np.random.default_rng(0))
    np.testing.assert_array_equal(network.flat(), again.flat())


def test_an_unknown_normalisation_is_an_error_that_names_those_there_are():
    with pytest.raises(UsageError, match="norm: 'layer' given; allowed are split, whitening, scalar"):
        small("resnet-20", True, "layer")


torch = pytest.importorskip("torch", reason="PyTorch is not installed")
functional = torch.nn.functional


def torch_weight(p, quaternion):
    """Return (out, in, kh, kw) from (kh, kw, in, out), or from four components assembled to matrix (4)."""
    if not quaternion:
        return p.permute(3, 2, 0, 1)
    r, i, j, k = (component.permute(3, 2, 0, 1) for component in p)
    rows = ([r, -i, -j, -k], [i, r, -k, j], [j, k, r, -i], [k, -j, i, r])
    return torch.cat([torch.cat(row, dim=1) for row in rows], dim=0)


def torch_logits(arch, quaternion, images, p):
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


@pytest.mark.torch
@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("arch", SMALL)
def test_logits_and_all_gradients_are_pytorchs(arch, quaternion):
    network = small(arch, quaternion)
    images, labels = images_for(network, 4), np.array([0, 3, 1, 4])
    p = {name: torch.tensor(value.value, requires_grad=True) for name, value in network.parameters.items()}
    expected = torch_logits(arch, quaternion, torch.tensor(images), p)
    functional.cross_entropy(expected, torch.tensor(labels)).backward()
    logits, backward = network.forward(images)
    np.testing.assert_allclose(logits, expected.detach().numpy(), atol=1e-9)
    backward(softmax_cross_entropy(logits, labels)[1])
    for name, parameter in network.parameters.items():
        scale = max(1e-3, float(p[name].grad.abs().max()))
        np.testing.assert_allclose(parameter.gradient, p[name].grad.numpy(), atol=1e-6 * scale, err_msg=name)
