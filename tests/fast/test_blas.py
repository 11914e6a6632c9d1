"""The threads of BLAS inside a `with` block, and after it."""

import pytest
import threadpoolctl

from quatnet.fast import blas


def threads_now():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_they_are_limited_inside_the_block_and_restored_after_it():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with blas.threads(1):
            assert threads_now() == {1}
        assert threads_now() == {2}


def test_they_are_restored_after_an_error():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with pytest.raises(RuntimeError, match="stop"), blas.threads(1):
            raise RuntimeError("stop")
        assert threads_now() == {2}
