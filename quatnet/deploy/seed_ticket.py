"""The seed ticket: seed, settings and masks, from which a round is trained again bit for bit (docs/ticket.md).

That takes a round that stands alone (`quatnet.pruning.protocols`): its training starts from values that can be drawn
again, with a fresh optimizer. The bits are the same with the same versions of quatnet, NumPy and BLAS, on the same kind
of processor or GPU, with as many threads, and with the same algorithm of the convolutions (environment.json of the run
has them).
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quatnet.data.fingerprint import DataDescription
from quatnet.deploy import mask_codes
from quatnet.deploy.ticket import check_limits, opened, sealed
from quatnet.deploy.values import Reader, varint
from quatnet.errors import DataError, RunError, UsageError
from quatnet.experiment import Experiment, Listener, find_or_make, finished_round, load_data, network_for
from quatnet.fast import Compute
from quatnet.files import write_bytes
from quatnet.pruning import protocols
from quatnet.pruning.masks import Masks
from quatnet.runs import Run, run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position

FAST = Compute()

MAGIC = b"QNS"
VERSION = 1
COMPRESSED = 1
MOST_TEXT = 2**20
"""Limit of the settings as text, in bytes: a small file must not become a large one."""

ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, zlib.error)
"""What invalid settings and unreadable files raise."""


@dataclass(frozen=True)
class SeedTicket:
    """What it takes to train a round of a run again.

    Attributes
    ----------
    train, prune : the settings of the run; `prune` is None if it was never pruned.
    data : the data that it was trained with, cut by the settings.
    round, masks : which round, and the weights that it trains.
    checksum : CRC-32 of the values that the round ended with.
    """

    train: TrainSettings
    prune: PruneSettings | None
    data: DataDescription
    round: int
    masks: Masks
    checksum: int

    @classmethod
    def of(cls, run: Run, round: int) -> SeedTicket:
        """Return the seed ticket of a finished round; errors as `write_seed_ticket`."""
        round = finished_round(run, round).round
        _check_start(run.prune_settings, round)
        values, masks = run.load_round(Position(Phase.ROUNDS, round))
        return cls(run.train_settings, run.prune_settings, run.data, round, masks, _checksum(values))

    @property
    def name(self) -> str:
        """The name of the folder in which the round is trained again: that of the run, with round and masks."""
        masks = zlib.crc32(_encode_masks(self.masks))
        return f"{run_name(self.train, self.prune)}-round{self.round:02d}-{masks:08x}"

    def encode(self) -> bytes:
        """Return the content of the file; a UsageError if the settings or the network are beyond its limits."""
        check_limits(self.train.arch, self.train.width, self.data.input_shape, len(self.data.class_names))
        text = json.dumps(_settings(self), separators=(",", ":")).encode()
        if len(text) > MOST_TEXT:
            raise UsageError(f"settings of {len(text):,} bytes; a seed ticket has at most {MOST_TEXT:,}")
        stored = min(text, zlib.compress(text, 9), key=len)
        head = bytes([COMPRESSED * (stored is not text)]) + varint(self.round) + self.checksum.to_bytes(4, "little")
        return sealed(MAGIC, VERSION, head + varint(len(stored)) + stored + _encode_masks(self.masks))

    def matches(self, run: Run) -> bool:
        """Say whether the round of a run ended with the values that the ticket was made of, bit for bit."""
        return _checksum(run.load_round(Position(Phase.ROUNDS, self.round))[0]) == self.checksum


def write_seed_ticket(path: Path, run: Run, round: int) -> int:
    """Write the seed ticket of a finished round, and return its size in bytes.

    Raises UsageError if there is no such round, or its training began with what the rounds before had left.
    """
    content = encode(run, round)
    write_bytes(Path(path), content)
    return len(content)


def read_seed_ticket(path: Path) -> SeedTicket:
    """Return what is in a seed ticket; a RunError if the file is missing, damaged, or no seed ticket."""
    try:
        return decode(Path(path).read_bytes())
    except ERRORS as error:
        raise RunError(f"{path}: not a readable seed ticket ({error})") from None


def retrain(
    ticket: SeedTicket,
    runs_dir: Path,
    *,
    data_dir: Path | None = None,
    compute: Compute = FAST,
    listener: Listener | None = None,
) -> Run:
    """Train the round of a seed ticket, and return its run: a folder that has this round alone.

    The run is made in `runs_dir`, or resumed there. Raises DataError if the data are not here, or have changed.
    """
    experiment = start(ticket, runs_dir, data_dir=data_dir, compute=compute)
    experiment.listener = listener or experiment.listener
    train(experiment, ticket)
    return experiment.run


def start(ticket: SeedTicket, runs_dir: Path, *, data_dir: Path | None = None, compute: Compute = FAST) -> Experiment:
    """Return the experiment in which the round of a ticket is trained; errors as `retrain`."""
    data, description = load_data(ticket.train, data_dir)
    _check_data(ticket, description)
    network = network_for(ticket.train, ticket.data, compute)
    run = find_or_make(Path(runs_dir) / ticket.name, ticket.train, ticket.data, network, compute)
    return Experiment(run, data, network, compute)


def train(experiment: Experiment, ticket: SeedTicket) -> None:
    """Train the round of a ticket in its experiment."""
    protocols.train_alone(experiment, ticket.round, ticket.masks, ticket.prune)


def encode(run: Run, round: int) -> bytes:
    """Return the content of a round's seed ticket; errors as `write_seed_ticket`."""
    return SeedTicket.of(run, round).encode()


def decode(content: bytes) -> SeedTicket:
    """Return what is in a seed ticket's content; one of `ERRORS` if it is none."""
    reader = opened(MAGIC, VERSION, content, "seed ticket")
    flags, round = reader.byte(), reader.varint()
    if flags > COMPRESSED:
        raise ValueError(f"unknown flags ({flags})")
    checksum = int(reader.array("<u4", 1)[0])
    settings = json.loads(_read_text(reader, bool(flags)))
    given = settings["train"]
    # Not for_architecture(**given): there an optimizer that is given changes the default of the rate.
    train = replace(TrainSettings.for_architecture(given["arch"], given["quaternion"]), **given)
    prune = None if settings["prune"] is None else PruneSettings(**settings["prune"])
    data = DataDescription.from_json(settings["data"])
    _check_start(prune, round)
    check_limits(train.arch, train.width, data.input_shape, len(data.class_names))
    parameters = network_for(train, data, Compute(threads=1)).parameters
    masks = {name: mask_codes.read(reader, p.shape) for name, p in parameters.items() if p.prunable}
    reader.end()
    return SeedTicket(train, prune, data, round, Masks(masks), checksum)


def _check_start(prune: PruneSettings | None, round: int) -> None:
    """Raise a UsageError unless a round begins with values that can be drawn again, and a fresh optimizer."""
    if not protocols.stands_alone(prune, round):
        protocol = "no protocol" if prune is None else f"protocol {prune.protocol}"
        raise UsageError(
            f"--round: {round} given; with {protocol} it continues from the rounds before. A seed ticket needs round 0,"
            " or protocol imp, reinit, or paper with --fresh-optimizer"
        )


def _settings(ticket: SeedTicket) -> dict[str, Any]:
    """Return the settings that differ from the defaults, and the data."""
    train, prune = ticket.train, ticket.prune
    return {
        "train": {"arch": train.arch, "quaternion": train.quaternion, **train.non_defaults()},
        "prune": None if prune is None else _different(asdict(prune), asdict(PruneSettings())),
        "data": asdict(ticket.data),
    }


def _different(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != defaults[name]}


def _read_text(reader: Reader, compressed: bool) -> bytes:
    stored = reader.take(reader.varint())
    if not compressed:
        return stored
    inflate = zlib.decompressobj()
    text = inflate.decompress(stored, MOST_TEXT)
    if not inflate.eof or inflate.unused_data:
        raise ValueError("settings that end early, or are too long")
    return text


def _encode_masks(masks: Masks) -> bytes:
    return b"".join(mask_codes.encode(mask) for mask in masks.dense().values())


def _checksum(values: dict[str, np.ndarray]) -> int:
    """Return the CRC-32 of all values in their order, little-endian; a zero has no sign in it."""
    checksum = 0
    for value in values.values():
        unsigned = value + value.dtype.type(0)
        checksum = zlib.crc32(unsigned.astype(value.dtype.newbyteorder("<")).tobytes(), checksum)
    return checksum


def _check_data(ticket: SeedTicket, found: DataDescription) -> None:
    made = ticket.data
    if replace(found, class_names=made.class_names) != made:
        raise DataError(
            f"the seed ticket was made with other data: the images of {ticket.train.dataset}, or how they are"
            f" normalised, have changed since ({made.train_images:,} + {made.test_images:,} images then,"
            f" {found.train_images:,} + {found.test_images:,} now)"
        )
