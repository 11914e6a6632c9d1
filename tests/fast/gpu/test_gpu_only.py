"""What only a real GPU can show: speed, memory, races, large arrays, the precision of its library of matrix products.

Skipped, with the reason, where there is none: an emulated device counts as none. `-s` shows the times of the steps.
"""

import math
from itertools import pairwise

import numpy as np
import pytest

from quatnet.api import build
from quatnet.backend import gpu_problem, to_device, to_host
from quatnet.data import Dataset
from quatnet.fast import accelerate_optimizer
from quatnet.fast.gpu import kernels
from quatnet.settings import TrainSettings
from quatnet.streams import Phase, Position
from quatnet.training import TrainingData, evaluate, make_optimizer, train_epoch

EMULATED = b"CPU emulation"
"""The name of an emulated device."""


def problem():
    """Say why there is no real GPU, or None."""
    if gpu_problem() is not None:
        return gpu_problem()
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())["name"]
    return f"the device is emulated ({name.decode()})" if name == EMULATED else None


pytestmark = [pytest.mark.gpu, pytest.mark.cupy, pytest.mark.skipif(problem() is not None, reason=str(problem()))]

ROUND_0 = Position(Phase.ROUNDS, 0)
NETWORKS = [(arch, quaternion) for arch in ("lenet", "conv-4") for quaternion in (False, True)]
BATCH, BATCHES = 60, 50


@pytest.fixture
def cupy():
    import cupy

    return cupy


class Bench:
    """A network as the paper has it, its optimizer, and random images of the right shape, on the GPU."""

    def __init__(self, arch, quaternion):
        shape = (28, 28, 1) if arch == "lenet" else (32, 32, 3)
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (BATCH * BATCHES, *shape), dtype=np.uint8)
        labels = random.integers(0, 10, BATCH * BATCHES)
        mean, std = (0.5,) * shape[-1], (0.25,) * shape[-1]
        names = tuple("0123456789")
        dataset = Dataset("random", images, labels, images, labels, names, mean, std, arch != "lenet", "random")
        self.network = build(arch, quaternion=quaternion, input_shape=shape, classes=10, device="gpu")
        self.data = TrainingData(dataset).on(self.network.parameters.xp)
        self.settings = TrainSettings.for_architecture(arch, quaternion, dataset="random", batch_size=BATCH)
        self.optimizer = accelerate_optimizer(make_optimizer(self.network, self.settings), self.network)

    def train_epoch(self, epoch=0, after_step=lambda step, steps: None):
        return train_epoch(self.network, self.optimizer, self.data.dataset, self.settings, ROUND_0, epoch, after_step)

    def evaluate(self):
        return evaluate(self.network, self.data.dataset, self.data.dataset.x_test, self.data.dataset.y_test)


@pytest.mark.parametrize(("arch", "quaternion"), NETWORKS)
def test_a_step_takes_a_finite_time_which_is_printed(cupy, arch, quaternion):
    bench, marks = Bench(arch, quaternion), []
    bench.train_epoch()  # compiles

    def mark(step, steps):
        marks.append(cupy.cuda.Event())
        marks[-1].record()

    bench.train_epoch(1, mark)
    marks[-1].synchronize()
    times = [cupy.cuda.get_elapsed_time(a, b) for a, b in pairwise(marks)]
    print(f"\n{arch}, {'quaternion' if quaternion else 'real'}: {np.median(times):.3f} ms a step of {BATCH} images")
    assert len(times) == BATCHES - 1
    assert all(math.isfinite(time) and time > 0 for time in times)


@pytest.mark.parametrize(("arch", "quaternion"), NETWORKS)
def test_two_trainings_are_equal_to_the_last_bit(arch, quaternion):
    results = []
    for _ in range(2):
        bench = Bench(arch, quaternion)
        losses = [bench.train_epoch(epoch) for epoch in range(2)]
        results.append((losses, bench.evaluate(), to_host(bench.network.parameters.value)))
    assert results[0][:2] == results[1][:2]
    np.testing.assert_array_equal(results[0][2], results[1][2])


def test_products_of_float32_are_not_rounded_to_tf32(cupy):
    a, b = np.random.default_rng(1).normal(size=(2, 512, 512)).astype(np.float32)
    found = to_host(to_device(a, cupy) @ to_device(b, cupy))
    expected = a.astype(np.float64) @ b
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-5  # TF32 has 10 bits, an error of about 1e-3


@pytest.mark.parametrize(("arch", "quaternion"), NETWORKS)
def test_memory_does_not_grow_from_epoch_to_epoch(cupy, arch, quaternion):
    pool, bench = cupy.get_default_memory_pool(), Bench(arch, quaternion)
    pool.free_all_blocks()
    held = []
    for epoch in range(4):
        bench.train_epoch(epoch)
        bench.evaluate()
        held.append(pool.total_bytes())
    assert held[1] == held[2] == held[3]
    assert held[3] < 4 << 30


def test_arrays_of_more_than_2_to_the_31_entries_are_indexed_right(cupy):
    free, _ = cupy.cuda.runtime.memGetInfo()
    if free < 24 << 30:
        pytest.skip("less than 24 GiB of memory are free")
    side, channels = 1984, 64
    x = cupy.zeros((1, side, side, channels), np.float32)
    x[0, -1, -1, -1] = 3
    columns = kernels.im2col(x, (1, side, side, 3, 3, channels), 1, 1)
    assert columns.size > 1 << 31
    last = columns[0, -2:, -2:, :, :, -1]
    assert float(last.sum()) == 3 * 4
    assert float(columns[0, -1, -1, 1, 1, -1]) == 3
    kernels.col2im(columns, x, 1, 1)
    assert float(x[0, -1, -1, -1]) == 3 * 4
    cupy.get_default_memory_pool().free_all_blocks()
