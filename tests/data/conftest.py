"""Writers of the official formats that share no code with the readers, and small sets written with them."""

import hashlib
import io
import struct
import tarfile

import numpy as np
import pytest

from tests.runs import made

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(scope="session")
def idx_bytes():
    """The idx file of an array of unsigned bytes."""

    def write(array, type_code=0x08):
        header = struct.pack(">HBB", 0, type_code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
        return header + array.astype(np.uint8).tobytes()

    return write


@pytest.fixture(scope="session")
def cifar_bytes():
    """The binary CIFAR file of images (n, 32, 32, 3) and a list of label columns."""

    def write(images, *labels):
        out = bytearray()
        for at, image in enumerate(images):
            out += struct.pack(f">{len(labels)}B", *(column[at] for column in labels))
            for channel in range(3):
                out += image[:, :, channel].tobytes()
        return bytes(out)

    return write


@pytest.fixture(scope="session")
def tar_bytes():
    """The gzipped tar archive of files given by name."""

    def write(files):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return write


@pytest.fixture
def images_nhwc():
    """Random colour images of CIFAR's size."""
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def idx_files(idx_bytes):
    """The four files of a small set of digits: 20 training and 10 test images of 5 x 4 pixels."""
    generator = np.random.default_rng(1)
    files = {}
    for images, labels, n in ((*IDX_FILES[:2], 20), (*IDX_FILES[2:], 10)):
        files[images] = idx_bytes(generator.integers(0, 256, (n, 5, 4)))
        files[labels] = idx_bytes(np.arange(n) % 10)
    return files


@pytest.fixture
def cifar10_files(images_nhwc, cifar_bytes):
    """The six files of a small CIFAR-10: five batches of four images, and a test batch of ten."""
    files = {
        f"data_batch_{k + 1}.bin": cifar_bytes(images_nhwc[4 * k : 4 * k + 4], np.arange(4 * k, 4 * k + 4) % 10)
        for k in range(5)
    }
    return files | {"test_batch.bin": cifar_bytes(images_nhwc[:10], np.arange(10))}


@pytest.fixture
def cifar100_files(images_nhwc, cifar_bytes):
    """The two files of a small CIFAR-100: twenty training and ten test images."""
    coarse, fine = np.arange(20) % 20, np.arange(20) * 5 + 3
    return {
        "train.bin": cifar_bytes(images_nhwc, coarse, fine),
        "test.bin": cifar_bytes(images_nhwc[:10], coarse, fine),
    }


@pytest.fixture(scope="session")
def write_files():
    """Write files by name into a folder, and return the folder."""

    def write(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture(scope="session")
def sha256():
    """SHA-256 of bytes, in hexadecimal."""
    return lambda content: hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="session")
def one_line_error():
    """Check that `call` raises `error`, that its message is one line with all of `parts`, and return it."""

    return made.one_line_error
