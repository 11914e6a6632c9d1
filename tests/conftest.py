"""Settings of all tests.

Hypothesis has no deadline (times vary between machines) and is repeatable where CI is set. BLAS has one thread: the
matrices are small, and two test processes, or NumPy and PyTorch side by side, would only wait for each other.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from quatnet.fast import blas

settings.register_profile("quatnet", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("quatnet"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "quatnet")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    with blas.threads(1):
        yield
