"""The workers of one machine: threads that each wait for one process at a time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

import numpy as np

from quatnet import backend
from quatnet.sweep.process import Outcome, Task, execute


class Local:
    """`workers` processes at once; worker k computes on device k of `devices`, in rotation."""

    def __init__(self, workers: int, devices: list[str]) -> None:
        self._threads = ThreadPoolExecutor(workers)
        self._stop = threading.Event()
        self._devices: SimpleQueue[str] = SimpleQueue()
        for k in range(workers):
            self._devices.put(devices[k % len(devices)])

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop what still runs, and wait for it."""
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)

    def submit(self, task: Task) -> Future[Outcome]:
        """Do a task as soon as a worker is free."""
        return self._threads.submit(self._do, task)

    def _do(self, task: Task) -> Outcome:
        device = self._devices.get()
        try:
            return execute(replace(task, compute=replace(task.compute, device=device)), self._stop.is_set)
        finally:
            self._devices.put(device)


def at_once(jobs: int, workers: int | None, threads: int) -> int:
    """Return how many jobs this machine does at once: `workers`, or as many as its cores have threads for."""
    return min(jobs, workers or max(1, cores() // threads))


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices(device: str) -> list[str]:
    """Return the devices that a sweep shares out: all GPUs if `gpu` is chosen, or `auto` finds one.

    Raises UsageError if the device cannot be used.
    """
    xp = backend.select(device)
    if xp is np or ":" in device:
        return ["cpu" if xp is np else device]
    return [f"gpu:{k}" for k in range(xp.cuda.runtime.getDeviceCount())]
