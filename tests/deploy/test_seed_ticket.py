"""Seed tickets: what is trained again is what was trained, and nothing but a whole ticket is read."""

import itertools
import json
import os
import re
import struct
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import asdict, replace

import numpy as np
import pytest

from quatnet.data.fingerprint import DataDescription
from quatnet.deploy import seed_ticket
from quatnet.deploy.seed_ticket import ERRORS, SeedTicket, decode, read_seed_ticket, retrain, write_seed_ticket
from quatnet.deploy.values import varint
from quatnet.errors import DataError, RunError, UsageError
from quatnet.experiment import Listener
from quatnet.pruning.masks import Masks
from quatnet.runs import run_name
from quatnet.settings import PruneSettings, TrainSettings
from quatnet.streams import Phase, Position
from tests import small
from tests.deploy.test_mask_codes import mask_at, varint_at
from tests.deploy.test_ticket import in_page, resealed

REINIT = {"protocol": "reinit", "criterion": "random"}
FRESH = {"protocol": "paper", "fresh_optimizer": True}


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("data") / "digits.npz")


@pytest.fixture
def experiment(tmp_path, digits):
    def do(training=None, **pruning):
        train = replace(
            small.train_settings(digits, quaternion=(training := training or {}).get("quaternion", True)), **training
        )
        return small.experiment(tmp_path / "runs", train, small.prune_settings(**pruning))

    return do


def through_a_file(path, run, round):
    assert write_seed_ticket(path, run, round) == path.stat().st_size
    return read_seed_ticket(path)


def files(run, round):
    """The bytes of a round's three files: result.json has losses and accuracies."""
    folder = run.folder(Position(Phase.ROUNDS, round))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# what is trained again


@pytest.mark.parametrize(
    ("training", "pruning"),
    [
        ({}, {}),
        ({}, REINIT),
        ({}, FRESH),
        ({"quaternion": False}, {}),
        ({"quaternion": False}, REINIT),
        ({"quaternion": False}, FRESH),
        ({"arch": "lenet-300-100", "init": "he", "seed": 3, "width": 0.04, "signs": "shuffled"}, {}),
        ({"epochs": 5, "validation_size": 15, "patience": 1, "rate": 0.05}, {}),
        ({"dtype": "float64", "train_size": 40, "schedule": "step", "step_epochs": 1}, REINIT),
    ],
)
def test_the_round_is_trained_again_bit_for_bit(tmp_path, experiment, training, pruning):
    run = experiment(training, **pruning)
    ticket = through_a_file(tmp_path / "t", run, 2)
    again = retrain(ticket, tmp_path / "elsewhere")
    assert files(again, 2) == files(run, 2)
    assert ticket.matches(again)
    assert [result.round for result in again.results()] == [2]
    assert (again.train_settings, again.prune_settings, again.data) == (
        run.train_settings,
        run.prune_settings,
        run.data,
    )


def test_so_is_a_round_that_was_rewound_to_a_later_epoch(tmp_path, experiment):
    run = experiment({"epochs": 3}, rewind_epoch=2, rounds=1)
    again = retrain(through_a_file(tmp_path / "t", run, 1), tmp_path / "elsewhere")
    assert files(again, 1) == files(run, 1)
    assert [line["epoch"] for line in again.metrics()] == [3]


def test_so_is_a_network_with_normalisations_and_augmentation(tmp_path, experiment):
    colours = small.write(tmp_path / "colours.npz", side=8, channels=3)
    network = {"arch": "resnet-20", "width": 0.25, "norm": "whitening"}
    training = {"dataset": str(colours), "augment": True, "epochs": 1, **network}
    run = experiment(training, rounds=1)
    assert files(retrain(through_a_file(tmp_path / "t", run, 1), tmp_path / "elsewhere"), 1) == files(run, 1)


@pytest.mark.parametrize("pruning", [{}, {"protocol": "paper"}, {"protocol": "finetune"}, {"protocol": "reinit"}])
def test_round_0_of_any_protocol_is_trained_again(tmp_path, experiment, pruning):
    run = experiment(rounds=1, **pruning)
    assert files(retrain(through_a_file(tmp_path / "t", run, 0), tmp_path / "elsewhere"), 0) == files(run, 0)


def test_a_training_that_was_interrupted_goes_on(tmp_path, experiment):
    run = experiment({"epochs": 3}, rounds=1)
    ticket = through_a_file(tmp_path / "t", run, 1)

    def stop(position, progress, weights_left):
        if progress.epochs == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrain(ticket, tmp_path / "elsewhere", listener=Listener(epoch=stop))
    epochs = []
    again = retrain(ticket, tmp_path / "elsewhere", listener=Listener(epoch=lambda _, p, __: epochs.append(p.epochs)))
    assert epochs == [3]
    assert files(again, 1) == files(run, 1)
    retrain(ticket, tmp_path / "elsewhere", listener=Listener(epoch=stop))  # finished: nothing is trained


def test_the_folder_is_none_of_the_run_and_one_per_round(tmp_path, experiment):
    run = experiment()
    names = [retrain(through_a_file(tmp_path / "t", run, round), tmp_path / "runs").path.name for round in (1, 2)]
    assert len({*names, run.path.name}) == 3
    assert all(name.startswith(f"{run_name(run.train_settings, run.prune_settings)}-round0") for name in names)


def test_the_run_that_was_made_can_be_pruned_on_as_the_original(tmp_path, experiment, digits):
    run = experiment(rounds=3)
    again = retrain(through_a_file(tmp_path / "t", run, 2), tmp_path / "elsewhere")
    again.path.rename(tmp_path / "elsewhere" / run.path.name)
    on = small.experiment(tmp_path / "elsewhere", run.train_settings, run.prune_settings)
    assert [files(on, round) for round in range(4)] == [files(run, round) for round in range(4)]


def test_another_training_is_seen(tmp_path, experiment):
    ticket = SeedTicket.of(experiment(rounds=1), 1)
    other = replace(ticket, train=replace(ticket.train, rate=0.011))
    assert not ticket.matches(retrain(other, tmp_path / "elsewhere"))


# what is refused


@pytest.mark.parametrize("protocol", ["paper", "finetune"])
def test_a_round_that_goes_on_from_others_has_no_seed_ticket(tmp_path, experiment, protocol):
    run = experiment(protocol=protocol)
    with pytest.raises(UsageError, match=f"--round: 1 given; with protocol {protocol} it continues .* imp, reinit, or"):
        write_seed_ticket(tmp_path / "t", run, 1)
    assert not (tmp_path / "t").exists()


def test_a_round_that_there_is_not_has_none(tmp_path, experiment):
    with pytest.raises(UsageError, match=r"^round: 3 given; .* has the rounds 0 to 2"):
        write_seed_ticket(tmp_path / "t", experiment(), 3)


@pytest.mark.parametrize("change", [{"seed": 1}, {"train": 59}])
def test_other_data_are_refused_before_anything_is_made(tmp_path, experiment, change):
    path = small.write(tmp_path / "changing.npz")
    ticket = SeedTicket.of(experiment({"dataset": str(path)}, rounds=1), 1)
    small.write(path, **change)
    with pytest.raises(DataError, match=r"the seed ticket was made with other data: .* \(60 \+ 25 images then"):
        retrain(ticket, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_other_names_of_the_classes_are_no_other_data(tmp_path, experiment):
    path = small.write(tmp_path / "named.npz")
    ticket = SeedTicket.of(experiment({"dataset": str(path)}, rounds=1), 1)
    with np.load(path) as arrays:
        np.savez(path, **arrays, class_names=np.array(["a", "b", "c"]))
    assert ticket.matches(retrain(ticket, tmp_path / "elsewhere"))


def test_a_folder_that_was_made_with_other_data_is_left_alone(tmp_path, experiment):
    path = small.write(tmp_path / "changing.npz")
    ticket = SeedTicket.of(experiment({"dataset": str(path)}, rounds=1), 1)
    config = retrain(ticket, tmp_path / "elsewhere").path / "config.json"
    config.write_text(config.read_text().replace(ticket.data.fingerprint, "0123456789abcdef"))
    with pytest.raises(DataError, match="was made with other data"):
        retrain(ticket, tmp_path / "elsewhere")


def test_a_folder_that_is_in_use_is_left_alone(tmp_path, experiment):
    ticket = SeedTicket.of(experiment(rounds=1), 1)
    run = retrain(ticket, tmp_path / "elsewhere")
    with run.locked(), pytest.raises(UsageError, match="in use by another process"):
        retrain(ticket, tmp_path / "elsewhere")


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_seed_ticket(path)
    assert f"{path}: not a readable seed ticket" in str(caught.value)
    return str(caught.value)


def test_a_seed_ticket_that_is_cut_or_changed_anywhere_is_refused(tmp_path):
    content = example().encode()
    for index in range(len(content)):
        broken = bytearray(content)
        broken[index] ^= 0x55
        for damaged in (content[:index], bytes(broken)):
            with pytest.raises(ValueError, match=r"early|checksum|does not begin|format has version"):
                decode(damaged)
    assert "its checksum is wrong" in refused(tmp_path / "t", content[:-1])
    with pytest.raises(RunError, match="No such file"):
        read_seed_ticket(tmp_path / "none")


def test_what_is_wrong_in_spite_of_its_checksum_is_refused_or_a_seed_ticket():
    content = example().encode()[:-4]
    for index, change in itertools.product(range(4, len(content)), (1, 8, 0x80)):
        broken = bytearray(content)
        broken[index] ^= change
        with suppress(*ERRORS):
            assert isinstance(decode(resealed(bytes(broken))), SeedTicket)


def with_settings(text, *, compressed=False):
    stored = zlib.compress(text, 9) if compressed else text
    return resealed(b"QNS\x01" + bytes([compressed, 1, 0, 0, 0, 0]) + varint(len(stored)) + stored + bytes([1, 0] * 2))


def changed(part, **values):
    """The settings of a lenet-12 for 4 x 8 pixels as text, with some of them changed."""
    settings = {
        "train": {"arch": "lenet-12", "quaternion": False},
        "prune": {},
        "data": {
            "fingerprint": "", "train_images": 1, "test_images": 1,
            "input_shape": [4, 8, 1], "class_names": ["a", "b"], "mean": [0], "std": [1],
        },
    }  # fmt: skip
    settings[part] = {**settings[part], **values}
    return json.dumps(settings).encode()


def test_settings_are_read_as_text_or_compressed():
    for compressed in (False, True):
        ticket = decode(with_settings(changed("train", seed=3), compressed=compressed))
        assert (ticket.train.seed, ticket.prune, ticket.round) == (3, PruneSettings(), 1)
        assert ticket.masks.count() == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (b"[" * 10_000, ""),
        (b"{}", "train"),
        (changed("train", arch="lenet-13"), "'lenet-13' given"),
        (changed("train", arch=[]), ""),
        (changed("train", rates=1), "rates"),
        (changed("train", seed="x"), ""),
        (changed("train", width=1e400), "width"),
        (changed("prune", protocol="finetune"), "continues from the rounds before"),
        (changed("prune", amount=2), "amount: 2 given"),
        (changed("data", input_shape=[2**12, 2**12, 1]), "at most 33,554,432"),
        (changed("data", input_shape=[4, 8]), ""),
        (changed("data", input_shape=[4, 8, "x"]), ""),
        (changed("data", class_names=7), "class_names"),
    ],
)
def test_settings_that_are_none_are_refused(tmp_path, text, reason):
    assert reason in refused(tmp_path / "t", with_settings(text))


def test_settings_that_would_fill_the_memory_are_refused(tmp_path):
    content = with_settings(b" " * 2**26, compressed=True)
    tracemalloc.start()
    reason = refused(tmp_path / "t", content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "too long" in reason
    assert peak < 4 * seed_ticket.MOST_TEXT
    ticket = example()
    with pytest.raises(UsageError, match="a seed ticket has at most 1,048,576"):
        replace(ticket, train=replace(ticket.train, dataset="x" * 2**20)).encode()


# the document


def example():
    """The seed ticket of docs/ticket.md: round 7, with the masks of the ticket there."""
    first, second = np.zeros((4, 8, 1), np.bool_), np.zeros((4, 2), np.bool_)
    first.ravel()[[5, 6, 30]] = True
    second.ravel()[[1, 3, 4, 5, 6]] = True
    train = TrainSettings.for_architecture("lenet-12", True, width=1 / 3, seed=300, dataset="digits.npz")
    data = DataDescription("0123456789abcdef", 60, 25, (4, 8, 1), ("0", "1"), (0.5,), (0.25,))
    masks = Masks({"fc1.weight": first, "fc2.weight": second})
    return SeedTicket(train, PruneSettings(rounds=7), data, 7, masks, 0x12345678)


def test_a_seed_ticket_comes_back_exactly():
    ticket = example()
    for prune in (PruneSettings(rounds=7), PruneSettings(protocol="reinit", amount=0.5)):
        assert decode(replace(ticket, prune=prune).encode()) == replace(ticket, prune=prune)
    dense = replace(ticket, round=0, prune=None)
    assert decode(dense.encode()) == dense
    other_optimizer = replace(ticket, train=replace(ticket.train, optimizer="sgd", rate=1.2e-3))
    assert decode(other_optimizer.encode()) == other_optimizer


def test_the_defaults_that_a_seed_ticket_leaves_out_have_not_changed_since_version_1():
    shared = {
        "quaternion": True, "seed": 0, "init": "paper", "width": 1.0, "signs": "hamilton", "norm": "split",
        "dtype": "float32", "train_size": None, "test_size": None, "augment": None, "momentum": 0.9,
        "schedule": "constant", "step_epochs": 30, "step_factor": 0.1, "validation_size": 0, "patience": 0,
        "test_every": 1,
    }  # fmt: skip
    for arch, dataset, epochs, rate, batch_size, optimizer, weight_decay in (
        ("lenet-300-100", "mnist-mini", 40, 1.2e-3, 60, "adam", 0),
        ("lenet-12", "mnist-mini", 20, 1.2e-3, 60, "adam", 0),
        ("conv-2", "shapes", 40, 2e-4, 60, "adam", 0),
        ("conv-4", "shapes", 40, 3e-4, 60, "adam", 0),
        ("conv-6", "shapes", 60, 3e-4, 60, "adam", 0),
        *((arch, "shapes", 80, 1e-2, 128, "sgd", 1e-4) for arch in ("resnet-20", "resnet-18", "vgg-16")),
    ):
        own = {
            "arch": arch, "dataset": dataset, "epochs": epochs, "rate": rate, "batch_size": batch_size,
            "optimizer": optimizer, "weight_decay": weight_decay,
        }  # fmt: skip
        assert (shared | own).items() <= asdict(TrainSettings.for_architecture(arch, True)).items()
    pruning = {
        "rounds": 20, "amount": 0.2, "criterion": "global", "protocol": "imp", "rewind_epoch": 0,
        "unit": "weight", "fresh_optimizer": False, "stop_below": 30.0,
    }  # fmt: skip
    assert pruning.items() <= asdict(PruneSettings()).items()


def decoded_by_the_page(content):
    """Read a seed ticket by what section 4 of the document says, and nothing else."""
    assert content[:4] == b"QNS\x01"
    assert int.from_bytes(content[-4:], "little") == zlib.crc32(content[:-4])
    flags, offset = content[4], 5
    round, offset = varint_at(content, offset)
    (checksum,) = struct.unpack_from("<I", content, offset)
    length, offset = varint_at(content, offset + 4)
    text = content[offset : offset + length]
    settings = json.loads(zlib.decompress(text) if flags & 1 else text)
    offset += length
    masks = []
    for size in (4 * 8 * 1, 4 * 2):  # fc1.weight, fc2.weight
        mask, offset = mask_at(content, offset, size)
        masks.append(mask)
    assert offset == len(content) - 4
    return round, checksum, settings, masks


def test_the_dump_in_the_document_is_the_example_by_code_and_by_page():
    ticket, content = example(), bytes.fromhex(re.sub(r"(?m)^\w{4}  ", "", in_page(2)))
    assert decode(content) == ticket
    round, checksum, settings, masks = decoded_by_the_page(content)
    assert (round, checksum, settings) == decoded_by_the_page(ticket.encode())[:3]
    assert (round, checksum, settings["train"]["seed"]) == (7, 0x12345678, 300)
    assert masks == [mask.ravel().tolist() for mask in ticket.masks.dense().values()]
