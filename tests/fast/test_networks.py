"""Accelerated networks have the threads of BLAS that they were given, whatever it has elsewhere."""

import numpy as np
import pytest

from quatnet import UsageError
from quatnet.fast import accelerate, blas
from quatnet.nn.layers import ReLU
from tests.fast.test_blas import threads_now
from tests.nn import every


@pytest.mark.parametrize(("arch", "threads", "of_blas"), [("lenet-12", 2, 2), ("lenet-12", 1, 1), ("conv-2", 2, 1)])
def test_every_pass_has_the_threads_of_blas_that_the_network_wants(monkeypatch, arch, threads, of_blas):
    seen, forward = [], ReLU.forward

    def recording(layer, x):
        seen.append(threads_now())
        y, backward = forward(layer, x)
        return y, lambda dy, inputs=True: seen.append(threads_now()) or backward(dy, inputs)

    monkeypatch.setattr(ReLU, "forward", recording)
    network = accelerate(every.network(arch, quaternion=False), threads=threads)
    images = np.zeros((4, *network.input_shape))
    with blas.threads(3 - of_blas):
        logits, backward = network.forward(images)
        backward(logits)
        network.predict(images)
        assert threads_now() == {3 - of_blas}
    assert len(seen) > 2
    assert all(count == {of_blas} for count in seen)


def test_images_of_another_shape_are_an_error_as_in_the_reference():
    network = accelerate(every.network("lenet-12", quaternion=True))
    for run in (network.forward, network.predict):
        with pytest.raises(UsageError, match=r"images: shape \(1, 4, 4, 1\) given; \(n, 4, 4, 3\) is needed"):
            run(np.zeros((1, 4, 4, 1)))
