"""What a run was started on: versions, commit, processor, BLAS and threads, for environment.json."""

from __future__ import annotations

import os
import platform
import subprocess
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
        "commit": _commit(),
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


def _commit() -> str | None:
    """Return the commit of the git checkout that this code runs from, with `-dirty` if it has been changed since.

    None outside a checkout, or where git is not installed.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


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
