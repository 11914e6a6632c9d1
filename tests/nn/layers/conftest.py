"""What the tests of several layers compare with."""

import pytest


@pytest.fixture
def torch():
    """PyTorch on one thread."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)
