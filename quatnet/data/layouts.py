"""How the official sets lie on a disk: the names and sizes of their files. Nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quatnet.errors import DataError

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""The files of MNIST and its relatives, each with or without .gz."""

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """How one of the two sets is stored: records of label bytes and 3,072 planar RGB bytes.

    `label_ranges`: the number of values of each label byte; the last one is the class.
    """

    title: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    train_images: int
    test_images: int
    label_ranges: tuple[int, ...]
    pickled: tuple[str, ...]
    pickled_files: frozenset[str]

    @property
    def record(self) -> int:
        """Bytes per image."""
        return len(self.label_ranges) + _PIXELS


CIFAR10 = Layout(
    title="CIFAR-10",
    folder="cifar-10-batches-bin",
    archive="cifar-10-binary.tar.gz",
    train=tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
    test="test_batch.bin",
    train_images=50_000,
    test_images=10_000,
    label_ranges=(10,),
    pickled=("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    pickled_files=frozenset({"data_batch_1", "test_batch"}),
)
CIFAR100 = Layout(
    title="CIFAR-100",
    folder="cifar-100-binary",
    archive="cifar-100-binary.tar.gz",
    train=("train.bin",),
    test="test.bin",
    train_images=50_000,
    test_images=10_000,
    label_ranges=(20, 100),
    pickled=("cifar-100-python", "cifar-100-python.tar.gz"),
    pickled_files=frozenset({"train", "test"}),
)


def locate_cifar(layout: Layout, data_dir: Path) -> Path | None:
    """Return the folder or archive of the set under `data_dir`: the whole set before a part of it.

    Raises
    ------
    DataError
        Only the pickled version is there.
    """
    folder, archive = data_dir / layout.folder, data_dir / layout.archive
    if is_whole(layout, folder):
        return folder
    for path in (archive, folder):
        if path.exists():
            return path
    for name in layout.pickled:
        if (data_dir / name).exists():
            raise pickled(layout, data_dir / name)
    return None


def is_whole(layout: Layout, folder: Path) -> bool:
    """Tell whether `folder` holds the files of the full set, by their sizes."""
    batch = layout.train_images // len(layout.train) * layout.record
    sizes = {**dict.fromkeys(layout.train, batch), layout.test: layout.test_images * layout.record}
    paths = {folder / name: size for name, size in sizes.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def pickled(layout: Layout, path: Path) -> DataError:
    """Return the error for the version of the set that is not read."""
    return DataError(
        f"{path}: the pickled version of {layout.title}, and pickles are never loaded; "
        f"get the binary version, {layout.archive}"
    )


def find_idx(folder: Path, name: str) -> Path | None:
    """Return the path of `name` or `name`.gz in `folder`, None when neither is there."""
    candidates = (folder / f"{name}.gz", folder / name)
    return next((path for path in candidates if path.is_file()), None)
