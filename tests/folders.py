"""What is compared of two run folders: every byte, but the seconds that epochs took."""

import io
import json
from pathlib import Path

import numpy as np

LEFT_OUT = ("environment.json", "curve.png")


def content(path: Path) -> dict[str, object]:
    """Everything in a run folder by its name; files that begin with a dot (locks, unfinished writes) are left out."""
    files = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return {
        str(file.relative_to(path)): _comparable(file.name, file.read_bytes())
        for file in sorted(files)
        if file.name not in LEFT_OUT
    }


def _comparable(name: str, data: bytes) -> object:
    if name == "metrics.jsonl":
        return [_without_seconds(json.loads(line)) for line in data.splitlines()]
    if name == "checkpoint.npz":
        with np.load(io.BytesIO(data)) as archive:
            arrays = {key: archive[key].tobytes() for key in archive if key != "state"}
            state = json.loads(str(archive["state"]))
        del state["metrics_length"]
        last, best = (_without_seconds(state[key]) for key in ("last", "best"))
        return arrays, {**state, "last": last, "best": best}
    return data


def _without_seconds(epoch: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in epoch.items() if key != "seconds"}
