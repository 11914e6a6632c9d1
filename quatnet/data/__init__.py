"""Image sets: the official formats, built-in sets, a user's own .npz, download, and input preprocessing."""

from quatnet.data.catalogue import default_data_dir, entries, load
from quatnet.data.dataset import Dataset
from quatnet.data.download import fetch
from quatnet.data.preprocess import augment, normalize

__all__ = ["Dataset", "augment", "default_data_dir", "entries", "fetch", "load", "normalize"]
