"""What a run was started on: versions, processor, BLAS and threads, for environment.json."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import threadpoolctl

from quatnet import backend
from quatnet.version import VERSION

PACKAGES = ("numpy", "scipy", "click", "pooch", "rich", "threadpoolctl", "cupy-cuda12x", "cupy-cuda13x")


def describe(*, device: str, conv: str, threads: int) -> dict[str, Any]:
    """Return the environment as a JSON object; of `device`, what was chosen and the array library that it means."""
    return {
        "quatnet": VERSION,
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "blas": [
            {key: pool[key] for key in ("internal_api", "version", "architecture", "num_threads") if key in pool}
            for pool in threadpoolctl.threadpool_info()
            if pool["user_api"] == "blas"
        ],
        "conv": conv,
        "threads": threads,
        "device": device,
        "arrays": backend.select(device).__name__,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
