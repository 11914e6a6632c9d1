"""Files that are whole or not there, and .npz archives without pickles, against plain NumPy and zipfile."""

import io
import os
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quatnet.errors import RunError
from quatnet.files import read_json, read_npz, sha256, uninterrupted, write_bytes, write_json, write_npz

ARRAYS = {
    "fc1.weight": np.arange(24, dtype=np.float32).reshape(4, 3, 2),
    "mask": np.arange(9) % 2 == 0,
    "state": np.array('{"round": 1}'),
}
DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_, "U5"])


class Bomb:
    """A pickle of it would leave the file `touched` behind."""

    def __init__(self, touched):
        self.touched = touched

    def __reduce__(self):
        return Path.touch, (self.touched,)


def npz_bytes(tmp_path, *, compress=False):
    write_npz(tmp_path / "good.npz", ARRAYS, compress=compress)
    return (tmp_path / "good.npz").read_bytes()


def one_line_run_error(call, path):
    with pytest.raises(RunError) as caught:
        call(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def old_file(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"old")
    return folder / "file"


def test_bytes_are_written_as_they_are(tmp_path):
    write_bytes(tmp_path / "file", b"\x00\xffnew\r\n")
    assert (tmp_path / "file").read_bytes() == b"\x00\xffnew\r\n"


def test_a_file_is_replaced_and_nothing_else_is_left(old_file):
    write_bytes(old_file, b"new")
    assert {path.name: path.read_bytes() for path in old_file.parent.iterdir()} == {"file": b"new"}


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_the_old_file_whole_and_no_other(old_file, monkeypatch, call, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(error)):
        write_bytes(old_file, b"new")
    assert {path.name: path.read_bytes() for path in old_file.parent.iterdir()} == {"file": b"old"}


def test_a_failure_in_the_middle_of_a_first_write_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *names: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_bytes(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_is_there_until_the_new_one_is_whole_on_the_disk(old_file, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def seen_fsync(handle):
        fsync(handle)
        events.append(("fsync", os.fstat(handle).st_size, old_file.read_bytes()))

    def seen_replace(source, target):
        events.append(("replace", Path(source).read_bytes(), old_file.read_bytes()))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "replace", seen_replace)
    write_bytes(old_file, b"newer")
    assert events == [("fsync", 5, b"old"), ("replace", b"newer", b"old")]


def test_the_sha256_of_abc_is_the_one_of_the_standard(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# .npz


@given(
    arrays=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9.]{0,8}", fullmatch=True),
        hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)),
        max_size=4,
    ),
    compress=st.booleans(),
)
def test_arrays_come_back_with_their_names_order_dtypes_shapes_and_values(tmp_path_factory, arrays, compress):
    path = tmp_path_factory.mktemp("npz") / "arrays.npz"
    write_npz(path, arrays, compress=compress)
    found = read_npz(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_plain_numpy_reads_the_arrays_and_no_others(tmp_path):
    with np.load(io.BytesIO(npz_bytes(tmp_path))) as archive:
        assert sorted(archive) == sorted(ARRAYS)
        np.testing.assert_array_equal(archive["fc1.weight"], ARRAYS["fc1.weight"])


def test_what_plain_numpy_wrote_is_read(tmp_path):
    np.savez_compressed(tmp_path / "plain.npz", **ARRAYS)
    np.testing.assert_array_equal(read_npz(tmp_path / "plain.npz")["mask"], ARRAYS["mask"])


def test_a_compressed_file_of_zeros_is_smaller(tmp_path):
    for compress in (False, True):
        write_npz(tmp_path / f"{compress}.npz", {"zeros": np.zeros(10_000)}, compress=compress)
    assert (tmp_path / "True.npz").stat().st_size < (tmp_path / "False.npz").stat().st_size / 50


@pytest.mark.parametrize("compress", [False, True])
def test_equal_arrays_give_equal_bytes_whenever_they_are_written(tmp_path, monkeypatch, compress):
    first = npz_bytes(tmp_path, compress=compress)
    a_year_later = time.localtime(time.time() + 3.2e7)
    monkeypatch.setattr(time, "localtime", lambda *seconds: a_year_later)
    assert npz_bytes(tmp_path, compress=compress) == first


def test_an_array_of_objects_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "objects.npz", {"objects": np.array([{}, []], dtype=object)})
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_in_an_npz_file_is_an_error_and_is_not_run(tmp_path):
    path, touched = tmp_path / "pickled.npz", tmp_path / "touched"
    np.savez(path, state=np.array([Bomb(touched)], dtype=object))
    one_line_run_error(read_npz, path)
    assert not touched.exists()


def test_a_pickle_in_place_of_an_npz_file_is_an_error_and_is_not_run(tmp_path):
    path, touched = tmp_path / "pickled.npz", tmp_path / "touched"
    np.array([Bomb(touched)], dtype=object).dump(path)
    one_line_run_error(read_npz, path)
    assert not touched.exists()


@pytest.mark.parametrize("compress", [False, True])
def test_an_npz_file_cut_short_anywhere_is_a_one_line_error(tmp_path, compress):
    content, path = npz_bytes(tmp_path, compress=compress), tmp_path / "cut.npz"
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        one_line_run_error(read_npz, path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_changed_byte_in_an_array_is_a_one_line_error(tmp_path, compress):
    content, path = bytearray(npz_bytes(tmp_path, compress=compress)), tmp_path / "changed.npz"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo("fc1.weight.npy")
    start = member.header_offset + 30 + len(member.filename) + 20
    for at in range(start, start + member.compress_size, 5):
        content[at] ^= 0x10
        path.write_bytes(content)
        one_line_run_error(read_npz, path)
        content[at] ^= 0x10


@given(at=st.floats(0, 1, exclude_max=True), damage=st.binary(min_size=1, max_size=20), compress=st.booleans())
def test_an_npz_file_damaged_anywhere_is_read_or_is_a_one_line_error(tmp_path_factory, at, damage, compress):
    folder = tmp_path_factory.mktemp("npz")
    content, path = bytearray(npz_bytes(folder, compress=compress)), folder / "damaged.npz"
    start = int(at * len(content))
    content[start : start + len(damage)] = damage
    path.write_bytes(content)
    try:
        read_npz(path)
    except RunError:
        one_line_run_error(read_npz, path)


@pytest.mark.parametrize(("offset", "value"), [(8, 0x01), (6, 0xFF)], ids=["encrypted", "version"])
def test_an_npz_file_whose_directory_is_damaged_is_a_one_line_error(tmp_path, offset, value):
    content, path = bytearray(npz_bytes(tmp_path)), tmp_path / "damaged.npz"
    content[content.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(content)
    one_line_run_error(read_npz, path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_file_is_a_one_line_error(tmp_path, content):
    (tmp_path / "other.npz").write_bytes(content)
    one_line_run_error(read_npz, tmp_path / "other.npz")


@pytest.mark.parametrize("read", [read_npz, read_json])
def test_a_missing_file_is_a_one_line_error(tmp_path, read):
    one_line_run_error(read, tmp_path / "missing")


@pytest.mark.parametrize("read", [read_npz, read_json])
def test_a_folder_in_place_of_a_file_is_a_one_line_error(tmp_path, read):
    (tmp_path / "folder").mkdir()
    one_line_run_error(read, tmp_path / "folder")


# JSON


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_values_come_back_exactly(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize("content", [b"", b'{"schema": 1', b"\xff\xfe\x00", b"schema = 1"])
def test_what_is_no_json_file_is_a_one_line_error(tmp_path, content):
    (tmp_path / "other.json").write_bytes(content)
    one_line_run_error(read_json, tmp_path / "other.json")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_file_gets_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "other").write_bytes(b"")
    write_bytes(tmp_path / "file", b"content")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


class SignalledOnTheWay(dict):
    """Arrays between which this process gets a signal."""

    def __init__(self, arrays, number):
        super().__init__(arrays)
        self.number = number
        self.went_on = False

    def items(self):
        for pair in super().items():
            os.kill(os.getpid(), self.number)
            self.went_on = True
            yield pair


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_an_archive_is_closed_and_is_then_answered_as_before(tmp_path, number):
    answered = []
    arrays = SignalledOnTheWay(ARRAYS, number)
    before = signal.signal(number, lambda *_: answered.append(arrays.went_on))
    try:
        write_npz(tmp_path / "arrays.npz", arrays)
        assert answered == [True] * len(ARRAYS)
        os.kill(os.getpid(), number)
        assert len(answered) == len(ARRAYS) + 1
    finally:
        signal.signal(number, before)
    assert read_npz(tmp_path / "arrays.npz").keys() == ARRAYS.keys()


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_signal_while_the_handlers_are_being_exchanged_leaves_them_as_they_were(monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    exchange, raised = signal.signal, []

    def late(number, handler):
        before = exchange(number, handler)
        if number == signal.SIGINT and not raised:
            raised.append(number)
            os.kill(os.getpid(), signal.SIGTERM)
        return before

    before = exchange(signal.SIGTERM, stop), signal.getsignal(signal.SIGINT)
    try:
        monkeypatch.setattr(signal, "signal", late)
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            pass
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == (stop, before[1])
    finally:
        exchange(signal.SIGTERM, before[0])
