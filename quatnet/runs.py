"""The run folder: everything about one experiment, whole at every moment (docs/design.md, section 8).

config.json        all settings, defaults included      environment.json   versions, processor, threads
initial.npz        the initial weights                   metrics.jsonl      one object per epoch
checkpoint.npz     the state of the running training; replaced atomically after every epoch
rounds/00 ... NN/  weights.npz, mask.npz, result.json of the reported trainings; result.json is written last and holds
                   the checksums of the others: a round is whole when it is there
search/01 ... NN/  the same of the search for masks, in protocols that have one
rewind/EE/         weights.npz, result.json: the weights after epoch EE of round 0, where pruning rewinds to them
results.csv        one line per finished round
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from quatnet.data.fingerprint import DataDescription
from quatnet.errors import DataError, RunError, UsageError
from quatnet.files import (
    NPZ_ERRORS,
    locked,
    read_json,
    read_npz,
    seal,
    uninterrupted,
    verify,
    write_bytes,
    write_json,
    write_npz,
)  # fmt: skip
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position

if TYPE_CHECKING:
    import numpy as np

    from quatnet.pruning.masks import Masks
    from quatnet.training import EpochResult, Progress

    Arrays: TypeAlias = dict[str, np.ndarray]

SCHEMA = 1
CSV_COLUMNS = (
    "arch", "dataset", "algebra", "protocol", "init", "seed", "round", "weights_left", "kept_weights", "accuracy",
)  # fmt: skip


@dataclass(frozen=True)
class RoundResult:
    """What a finished round gave; `weights_left` (percent) is the paper's abscissa, `accuracy` in percent."""

    round: int
    weights_left: float
    kept_weights: int
    accuracy: float
    epoch: int
    loss: float
    test_loss: float


@dataclass(frozen=True)
class Checkpoint:
    """The state of the running training: `arrays` are the flat value, mask and moments, `steps` the optimizer's."""

    position: Position
    progress: Progress
    arrays: Arrays
    steps: int


class Run:
    """A run folder that is open for reading; training and pruning lock it for writing."""

    def __init__(self, path: Path) -> None:
        """Open an existing folder; a UsageError if it is not a run, a RunError if its settings are damaged."""
        path = Path(path)
        if not (path / "config.json").is_file():
            reason = "it is a file" if path.is_file() else "it has no config.json"
            raise UsageError(f"{path} is not a run folder ({reason}); `quatnet runs` lists the runs")
        self.path = path
        config = read_json(path / "config.json")
        try:
            if config["schema"] != SCHEMA:
                raise RunError(f"{path}: schema {config['schema']} given; this quatnet reads schema {SCHEMA}")
            self.train_settings = TrainSettings(**config["train"])
            self.prune_settings = PruneSettings(**config["prune"]) if config["prune"] else None
            self.data = DataDescription.from_json(config["data"])
        except (KeyError, TypeError, AttributeError, UsageError) as error:
            raise RunError(f"{path / 'config.json'}: not the settings of a run ({error})") from None

    @classmethod
    def create(
        cls, path: Path, train: TrainSettings, data: DataDescription, initial: Arrays, environment: dict[str, Any]
    ) -> Run:
        """Make a new run folder; config.json is written last and makes it a run.

        A run that another process has made meanwhile stays as it is.
        """
        path.mkdir(parents=True, exist_ok=True)
        with locked(path):
            if not (path / "config.json").is_file():
                write_npz(path / "initial.npz", initial)
                write_json(path / "environment.json", environment)
                config = {"schema": SCHEMA, "train": asdict(train), "prune": None, "data": asdict(data)}
                write_json(path / "config.json", config)
        return cls(path)

    def check_prune_settings(self, prune: PruneSettings) -> None:
        """Raise a UsageError unless the run can be pruned with these settings.

        They must be those it was pruned with before; only the number of rounds may change, where more continue fewer.
        """
        prune.check_training(self.train_settings)
        before = self.prune_settings
        if before is not None:
            ignored = () if before.two_phases else ("rounds",)
            check_same_settings(self.path, asdict(before), asdict(prune), ignored)

    def set_prune_settings(self, prune: PruneSettings) -> None:
        """Check the pruning settings and write them into config.json; fewer rounds than before stay as many."""
        self.check_prune_settings(prune)
        if self.prune_settings is not None:
            prune = replace(prune, rounds=max(prune.rounds, self.prune_settings.rounds))
        config = read_json(self.path / "config.json")
        config["prune"] = asdict(prune)
        write_json(self.path / "config.json", config)
        self.prune_settings = prune

    def locked(self) -> AbstractContextManager[None]:
        """Keep a second process out of the folder (where the system has advisory locks)."""
        return locked(self.path)

    def check_data(self, data: DataDescription) -> None:
        """Raise a DataError unless the run was made with these data."""
        if data.fingerprint != self.data.fingerprint:
            raise DataError(
                f"{self.path} was made with other data: {self.train_settings.dataset} has changed since"
                f" ({self.data.train_images:,} + {self.data.test_images:,} images then,"
                f" {data.train_images:,} + {data.test_images:,} now)"
            )

    def initial(self) -> Arrays:
        """Return the initial weights and biases by name."""
        return read_npz(self.path / "initial.npz")

    # rounds

    def folder(self, position: Position) -> Path:
        """Return the folder of a round."""
        return self.path / position.phase.folder / f"{position.round:02d}"

    def is_finished(self, position: Position) -> bool:
        """Say whether a round is whole."""
        return (self.folder(position) / "result.json").is_file()

    def save_round(self, position: Position, weights: Arrays, masks: Masks, result: RoundResult) -> None:
        """Write a finished round: weights, masks, then the result with their checksums."""
        folder = self.folder(position)
        folder.mkdir(parents=True, exist_ok=True)
        write_npz(folder / "weights.npz", weights)
        masks.save(folder / "mask.npz")
        seal(folder / "result.json", asdict(result), ("weights.npz", "mask.npz"))
        self.write_results()

    def write_results(self) -> None:
        """Bring results.csv up to date with the finished rounds, if it is not."""
        path, content = self.path / "results.csv", self._csv().encode()
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)

    def load_round(self, position: Position) -> tuple[Arrays, Masks]:
        """Return the weights and masks of a finished round; a RunError if a file is not the one that was written."""
        from quatnet.pruning.masks import Masks

        folder = self.folder(position)
        verify(folder / "result.json", ("weights.npz", "mask.npz"))
        return read_npz(folder / "weights.npz"), Masks.load(folder / "mask.npz")

    def save_rewind_point(self, epoch: int, weights: Arrays) -> None:
        """Write the weights after an epoch of round 0, then their checksum."""
        result = self._rewind_point(epoch)
        result.parent.mkdir(parents=True, exist_ok=True)
        write_npz(result.parent / "weights.npz", weights)
        seal(result, {"epoch": epoch}, ("weights.npz",))

    def load_rewind_point(self, epoch: int) -> Arrays | None:
        """Return the weights after an epoch of round 0, or None if they were not written; errors as `load_round`."""
        result = self._rewind_point(epoch)
        if not result.is_file():
            return None
        verify(result, ("weights.npz",))
        return read_npz(result.parent / "weights.npz")

    def _rewind_point(self, epoch: int) -> Path:
        return self.path / "rewind" / f"{epoch:02d}" / "result.json"

    def results(self, phase: Phase = Phase.ROUNDS) -> list[RoundResult]:
        """Return the results of the finished rounds, in order."""
        results = []
        for path in sorted((self.path / phase.folder).glob("*/result.json")):
            values = read_json(path)
            try:
                values.pop("sha256")
                if not all(isinstance(value, int | float) for value in values.values()):
                    raise TypeError("not all values are numbers")
                results.append(RoundResult(**values))
            except (KeyError, TypeError, AttributeError) as error:
                raise RunError(f"{path}: not the result of a round ({error})") from None
        return sorted(results, key=lambda result: result.round)

    # the running training

    def save_checkpoint(self, position: Position, progress: Progress, arrays: Arrays, steps: int) -> None:
        """Append the last epoch to metrics.jsonl, then replace the checkpoint.

        `arrays` are the flat arrays of network and optimizer. The checkpoint says how long metrics.jsonl is, so that a
        line whose checkpoint was never written is dropped by the next one.
        """
        import numpy as np

        metrics = self.path / "metrics.jsonl"
        length = min(self._metrics_length(), metrics.stat().st_size if metrics.exists() else 0)
        line = json.dumps({"phase": position.phase.folder, "round": position.round, **_epoch(progress.last)}) + "\n"
        with metrics.open("r+b" if metrics.exists() else "w+b") as file:
            file.truncate(length)
            file.seek(length)
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
            length = file.tell()
        state = {
            "phase": position.phase,
            "round": position.round,
            "epochs": progress.epochs,
            "last": _epoch(progress.last),
            "best": _epoch(progress.best),
            "steps": steps,
            "metrics_length": length,
        }
        best = {} if progress.best_value is None else {"best_value": progress.best_value}
        write_npz(self.path / "checkpoint.npz", {**arrays, **best, "state": np.array(json.dumps(state))})

    def load_checkpoint(self) -> Checkpoint | None:
        """Return what `save_checkpoint` took, or None when no epoch has been trained yet."""
        from quatnet.training import EpochResult, Progress

        path = self.path / "checkpoint.npz"
        if not path.is_file():
            return None
        arrays = read_npz(path)
        try:
            state = json.loads(str(arrays.pop("state")))
            position = Position(Phase(state["phase"]), state["round"])
            last, best = (EpochResult(**state[key]) if state[key] else None for key in ("last", "best"))
            progress = Progress(state["epochs"], last, best, arrays.pop("best_value", None))
            return Checkpoint(position, progress, arrays, state["steps"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path}: not a checkpoint ({error})") from None

    def metrics(self) -> list[dict[str, Any]]:
        """Return one object per trained epoch."""
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        try:
            return [json.loads(line) for line in path.read_bytes()[: self._metrics_length()].splitlines()]
        except ValueError as error:
            raise RunError(f"{path}: not readable as one JSON object per line ({error})") from None

    def _metrics_length(self) -> int:
        import numpy as np

        path = self.path / "checkpoint.npz"
        if not path.is_file():
            return 0
        try:
            with uninterrupted(), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return int(json.loads(str(archive["state"]))["metrics_length"])
        except (*NPZ_ERRORS, TypeError) as error:
            raise RunError(f"{path}: not a checkpoint ({error})") from None

    def _csv(self) -> str:
        train, prune = self.train_settings, self.prune_settings
        settings = {
            "arch": train.arch,
            "dataset": train.dataset,
            "algebra": train.algebra,
            "protocol": prune.protocol if prune else "",
            "init": train.init,
            "seed": train.seed,
        }
        text = io.StringIO()
        writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**asdict(result), **settings} for result in self.results())
        return text.getvalue()


def run_name(train: TrainSettings, prune: PruneSettings | None) -> str:
    """Return the folder name: readable, with a hash of the settings that are not the defaults."""
    different: dict[str, Any] = train.non_defaults()
    if prune is not None:
        different.update(prune.non_defaults())
    digest = hashlib.sha256(json.dumps(different, sort_keys=True).encode()).hexdigest()[:8]
    arch = "lenet" if train.arch == "lenet-300-100" else train.arch
    return f"{arch}-{train.algebra}-{Path(train.dataset).stem}-seed{train.seed}-{digest}"


def list_runs(runs_dir: Path) -> list[Path]:
    """Return the run folders in a directory, the most recently active first."""
    paths = [config.parent for config in runs_dir.glob("*/config.json")]
    return sorted(paths, key=_last_active, reverse=True)


def check_same_settings(path: Path, old: dict[str, Any], new: dict[str, Any], ignored: tuple[str, ...] = ()) -> None:
    """Raise a UsageError that names the settings that differ."""
    different = [name for name in old if name not in ignored and old[name] != new[name]]
    if different:
        pairs = ", ".join(f"{name.replace('_', '-')} {old[name]} there, {new[name]} given" for name in different)
        raise UsageError(f"{path} was made with other settings: {pairs}")


def _epoch(result: EpochResult | None) -> dict[str, Any]:
    return {} if result is None else asdict(result)


def _last_active(path: Path) -> float:
    files = (path / "config.json", path / "checkpoint.npz")
    return max(os.stat(file).st_mtime for file in files if file.exists())
