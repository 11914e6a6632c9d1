"""Which algorithm a layer gets on the CPU, and what threads share."""

import pytest

from quatnet.fast import cpu
from quatnet.fast.conv import FastConv2d, Im2col
from quatnet.fast.parallel import Parallel
from quatnet.fast.threads import SERIAL, Threads
from quatnet.fast.winograd import F2, F4
from tests.nn import every


def fast_layers(arch, conv="auto", threads=SERIAL):
    network = every.network(arch, quaternion=False)
    return cpu.layers(network.layers, network.input_shape, conv, threads)


def tiles(height, width, conv):
    network = every.build("conv-2", quaternion=False, input_shape=(height, width, 3), classes=3)
    found = cpu.layers(network.layers, network.input_shape, conv, SERIAL).layers
    algorithms = [found[name].algorithm for name in ("conv1", "conv2")]
    return [None if isinstance(algorithm, Im2col) else algorithm.tile for algorithm in algorithms]


@pytest.mark.parametrize(("height", "width", "chosen"), [(8, 12, [None, F4]), (8, 6, [None, F2]), (8, 7, [None, None])])
def test_auto_picks_by_shape(height, width, chosen):
    assert tiles(height, width, "auto") == chosen


@pytest.mark.parametrize(("conv", "chosen"), [("winograd", [F4, F4]), ("im2col", [None, None])])
def test_on_request_an_algorithm_is_used_wherever_it_applies(conv, chosen):
    assert tiles(8, 8, conv) == chosen


def test_a_kernel_of_another_size_is_never_winograds():
    first = fast_layers("resnet-18", "winograd").layers["stage2-1"].shortcut.layers["conv"]
    assert isinstance(first, FastConv2d)
    assert isinstance(first.algorithm, Im2col)


def test_threads_share_all_that_lies_before_the_flattening():
    first, *others = fast_layers("conv-4", threads=Threads(2)).layers.values()
    assert isinstance(first, Parallel)
    assert not any(isinstance(layer, Parallel) for layer in others)


@pytest.mark.parametrize("arch", ["resnet-20", "vgg-16"])
def test_beside_batch_normalisation_threads_share_every_convolution_by_itself(arch):
    leaves = [*fast_layers(arch, threads=Threads(2)).leaves()]
    assert not any(isinstance(leaf, FastConv2d) for leaf in leaves)
    shared = [leaf.layer for leaf in leaves if isinstance(leaf, Parallel)]
    assert sum(isinstance(layer, FastConv2d) for layer in shared) == {"resnet-20": 19, "vgg-16": 13}[arch]


def test_a_single_thread_shares_nothing():
    assert not any(isinstance(leaf, Parallel) for leaf in fast_layers("conv-4").leaves())
