import gzip
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from quatnet.data import download, fetch, load
from quatnet.data.layouts import IDX_FILES
from quatnet.errors import DataError, UsageError

FILES = [f"{name}.gz" for name in IDX_FILES]
IMAGES = FILES[0]


class QuietServer(ThreadingHTTPServer):
    """A server whose threads end with it, and that says nothing when a client hangs up."""

    daemon_threads = False

    def handle_error(self, *args):
        pass


class Mirror:
    """A local mirror: `files` by name, a `fault` for each name that has one, and the `log` of what was asked."""

    def __init__(self, files):
        self.files, self.faults, self.ranges, self.log = dict(files), {}, True, []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *args):
                pass

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/digits/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, request):
        name, asked = request.path.rpartition("/")[2], request.headers.get("Range")
        self.log.append((name, asked))
        content, fault = self.files.get(name), self.faults.get(name)
        if fault == "silent":
            time.sleep(0.3)
        if content is None:
            request.send_error(404)
            return
        if fault == "corrupt":
            content = content[:-1] + b"?"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start : len(content) // 2 if fault == "cut" else None])


@pytest.fixture
def files(idx_files):
    return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in idx_files.items()}


@pytest.fixture
def start(monkeypatch, files, sha256):
    """Start a mirror of the four files, whose checksums take the place of MNIST's."""
    checksums = {name: sha256(content) for name, content in files.items()}
    monkeypatch.setitem(download.SOURCES, "mnist", download.Source("mnist", ("http://unused/",), checksums))
    started = []

    def start():
        started.append(Mirror(files))
        return started[-1]

    yield start
    for mirror in started:
        mirror.server.shutdown()
        mirror.server.server_close()


@pytest.fixture
def mirror(start):
    return start()


@pytest.fixture
def get(tmp_path, mirror):
    """Fetch the set from the mirror into `tmp_path`."""

    def get(*mirrors, **options):
        return fetch("mnist", tmp_path, mirrors=mirrors or [mirror.url], **options)

    return get


@pytest.fixture
def refused():
    """An address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_all_files_are_fetched_and_can_be_loaded(get, tmp_path, files):
    folder = get()
    assert folder == tmp_path / "mnist"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert len(load("mnist", data_dir=tmp_path).x_train) == 20


def test_a_file_with_the_right_checksum_is_not_fetched_again(get, mirror):
    get()
    mirror.log.clear()
    get()
    assert mirror.log == []


def test_a_whole_set_in_other_files_is_kept_without_a_look_at_the_network(tmp_path, write_files, idx_bytes):
    whole = {name: idx_bytes(np.zeros((60_000, 1, 1) if "images" in name else 60_000)) for name in IDX_FILES}
    folder = write_files(tmp_path / "mnist", whole)
    assert fetch("mnist", tmp_path, mirrors=[]) == folder


def test_a_whole_cifar_folder_is_kept_without_a_look_at_the_network(tmp_path):
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for name, images in (("train.bin", 50_000), ("test.bin", 10_000)):
        with (folder / name).open("wb") as file:
            file.truncate(3074 * images)
    assert fetch("cifar100", tmp_path, mirrors=[]) == folder


def test_an_archive_is_fetched_as_it_is(monkeypatch, mirror, tmp_path, sha256):
    mirror.files["cifar-10-binary.tar.gz"] = b"archive"
    checksums = {"cifar-10-binary.tar.gz": sha256(b"archive")}
    monkeypatch.setitem(download.SOURCES, "cifar10", download.Source("", (mirror.url,), checksums))
    assert fetch("cifar10", tmp_path) == tmp_path / "cifar-10-binary.tar.gz"
    assert (tmp_path / "cifar-10-binary.tar.gz").read_bytes() == b"archive"


def test_a_partial_file_is_resumed_where_it_ends(get, mirror, tmp_path, files):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / f"{IMAGES}.part").write_bytes(files[IMAGES][:100])
    get()
    assert mirror.log[0] == (IMAGES, "bytes=100-")
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == files[IMAGES]


def test_a_server_without_ranges_makes_the_file_start_again(get, mirror, tmp_path, files):
    mirror.ranges = False
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / f"{IMAGES}.part").write_bytes(b"old" * 30)
    get()
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == files[IMAGES]


def test_a_partial_file_that_is_complete_only_gets_its_name(get, tmp_path, files):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / f"{IMAGES}.part").write_bytes(files[IMAGES])
    get()
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == files[IMAGES]


def test_a_lost_connection_keeps_the_partial_file_for_the_next_call(
    get, mirror, tmp_path, files, one_line_error, monkeypatch
):
    monkeypatch.setattr(download, "_BLOCK", 16)
    mirror.faults[IMAGES] = "cut"
    one_line_error(DataError, get, IMAGES, "connection lost")
    assert [path.name for path in (tmp_path / "mnist").iterdir()] == [f"{IMAGES}.part"]
    mirror.faults.clear()
    get()
    assert mirror.log[1] == (IMAGES, f"bytes={len(files[IMAGES]) // 2 // 16 * 16}-")
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == files[IMAGES]


def test_a_wrong_checksum_is_named_and_leaves_nothing_behind(get, mirror, tmp_path, files, sha256, one_line_error):
    mirror.faults[IMAGES] = "corrupt"
    wrong = sha256(files[IMAGES][:-1] + b"?")
    one_line_error(DataError, get, tmp_path / "mnist" / IMAGES, f"is {wrong}", f"expected {sha256(files[IMAGES])}")
    assert list((tmp_path / "mnist").iterdir()) == []


@pytest.mark.parametrize("fault", ["corrupt", "cut", "missing"])
def test_the_next_mirror_is_tried_when_one_fails(get, start, mirror, tmp_path, files, fault):
    second = start()
    mirror.faults[IMAGES] = fault
    if fault == "missing":
        del mirror.files[IMAGES]
    get(mirror.url, second.url)
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == files[IMAGES]
    assert [name for name, _ in second.log] == [IMAGES]


def test_a_damaged_file_of_the_cache_is_fetched_again(get, tmp_path, files):
    get()
    (tmp_path / "mnist" / IMAGES).write_bytes(files[IMAGES][:50])
    get()
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == files[IMAGES]


def test_a_file_of_the_cache_is_kept_when_its_replacement_fails(get, refused, tmp_path, one_line_error):
    get()
    (tmp_path / "mnist" / IMAGES).write_bytes(b"what the user had")
    one_line_error(DataError, lambda: get(refused))
    assert (tmp_path / "mnist" / IMAGES).read_bytes() == b"what the user had"


def test_without_a_network_one_line_says_what_to_do(get, refused, tmp_path, one_line_error):
    message = one_line_error(DataError, lambda: get(refused))
    assert message == (
        f"{IMAGES} of mnist cannot be downloaded ({refused}/{IMAGES}: no connection): "
        f"put {', '.join(FILES)} into {tmp_path / 'mnist'} by hand, or use the built-in data set mnist-mini"
    )


def test_every_mirror_that_failed_is_named(get, refused, mirror, one_line_error):
    del mirror.files[IMAGES]
    one_line_error(DataError, lambda: get(refused, mirror.url), "no connection", "HTTP status 404")


def test_a_server_that_does_not_answer_is_given_up(get, mirror, monkeypatch, one_line_error):
    monkeypatch.setattr(download, "_TIMEOUT", (1, 0.1))
    mirror.faults[IMAGES] = "silent"
    one_line_error(DataError, get, "no answer in time")


def test_progress_is_reported_up_to_the_whole_file(get, files):
    calls = []
    get(progress=lambda *call: calls.append(call))
    last = {name: (done, total) for name, done, total in calls}
    assert last == {name: (len(content), len(content)) for name, content in files.items()}


def test_progress_of_a_resumed_file_counts_what_was_there(get, tmp_path, files):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / f"{IMAGES}.part").write_bytes(files[IMAGES][:100])
    calls = []
    get(progress=lambda *call: calls.append(call))
    size = len(files[IMAGES])
    assert calls[0] == (IMAGES, size, size)


def test_nothing_is_printed(get, capfd):
    get()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["shapes", "mnits"])
def test_a_set_without_a_download_is_a_wrong_argument(tmp_path, one_line_error, name):
    one_line_error(UsageError, lambda: fetch(name, tmp_path), repr(name), "mnist", "cifar100")


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path, mirror, one_line_error):
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "mnist" / IMAGES
    one_line_error(DataError, lambda: fetch("mnist", tmp_path / "file", mirrors=[mirror.url]), target, "written")


@pytest.mark.parametrize("name", download.SOURCES)
def test_every_published_file_has_a_sha256_and_a_mirror(name):
    source = download.SOURCES[name]
    assert all(mirror.endswith("/") for mirror in source.mirrors)
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum in source.files.values())
