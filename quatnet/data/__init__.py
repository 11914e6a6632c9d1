"""Image sets: the official formats, built-in sets, a user's own .npz, download, and input preprocessing."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.data.catalogue import load
    from quatnet.data.dataset import Dataset
    from quatnet.data.download import fetch
    from quatnet.data.places import default_data_dir, entries
    from quatnet.data.preprocess import augment, normalize

__all__ = ["Dataset", "augment", "default_data_dir", "entries", "fetch", "load", "normalize"]

if not TYPE_CHECKING:
    _HOMES = {
        "Dataset": "quatnet.data.dataset:Dataset",
        "augment": "quatnet.data.preprocess:augment",
        "default_data_dir": "quatnet.data.places:default_data_dir",
        "entries": "quatnet.data.places:entries",
        "fetch": "quatnet.data.download:fetch",
        "load": "quatnet.data.catalogue:load",
        "normalize": "quatnet.data.preprocess:normalize",
    }

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
