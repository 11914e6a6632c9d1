"""`quatnet doctor`: what this installation has, and whether it computes right."""

from __future__ import annotations

from importlib import util
from typing import Any

import click

from quatnet.cli import options
from quatnet.cli.console import Output
from quatnet.errors import RunError

OPTIONAL = {
    "matplotlib": "pictures (extra plot)",
    "PIL": "image files (extra plot)",
    "cupy": "GPUs (extra cuda12 or cuda13)",
    "distributed": "sweeps on a cluster (extra cluster)",
    "onnx": "export to ONNX (extra onnx)",
    "torch": "benchmarks (extra bench)",
}


@click.command()
@options.device_option
@options.json_option
@options.quiet_option
def doctor(device: str, as_json: bool, quiet: bool) -> None:
    """Check the installation and a device.

    Shows versions, missing packages and why no GPU is used, if none is; compares gradients with finite differences
    and, on a GPU, three training steps with those on the CPU; and times a few steps. Exit code 1 if a check fails.

    \b
    Example: quatnet doctor --device gpu
    """
    import numpy as np

    from quatnet.backend import gpu_problem, select
    from quatnet.doctor import checks, timings
    from quatnet.environment import describe

    output = Output(as_json=as_json, quiet=quiet)
    if device == "auto":
        device = "cpu" if select(device) is np else "gpu"
    environment = describe(device=device, engine="fast", conv="auto", threads=1)
    problem = gpu_problem()
    for name, value in _facts(environment).items():
        output.say(f"{name + ':':12}{value}")
    output.say(f"{'GPU:':12}{problem or 'works'}")
    output.say(f"{'checked:':12}{device}\n")
    done = []
    for check in checks(device):
        done.append(check)
        verdict = "ok" if check.passed else "FAILED"
        output.say(f"{verdict:7}{check.name}: relative error {check.error:.1e}, at most {check.bound:.0e} allowed")
    times = list(timings(device))
    output.say()
    output.table(["training step, batch 60, float32", "ms"], [[t.network, f"{t.milliseconds:.2f}"] for t in times])
    output.finish(
        {
            "environment": environment,
            "gpu_problem": problem,
            "device": device,
            "checks": [{"name": c.name, "error": c.error, "bound": c.bound, "passed": c.passed} for c in done],
            "step_ms": {t.network: t.milliseconds for t in times},
        }
    )
    failed = [check.name for check in done if not check.passed]
    if failed:
        raise RunError(f"{len(failed)} of {len(done)} checks failed on {device}: {'; '.join(failed)}")


def _facts(environment: dict[str, Any]) -> dict[str, str]:
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    blas = ", ".join(f"{b['internal_api']} {b['version']}" for b in environment["blas"]) or "not recognised"
    missing = [f"{name} for {use}" for name, use in OPTIONAL.items() if util.find_spec(name) is None]
    return {
        "quatnet": f"{environment['quatnet']}, Python {environment['python']}",
        "packages": packages,
        "missing": "; ".join(missing) or "none",
        "machine": f"{environment['processor']}, {environment['cores']} cores, BLAS {blas}",
    }
