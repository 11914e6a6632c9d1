"""A pruned network as C99, for devices without Python."""

from quatnet.deploy.c.emit import CFiles, accuracy, main_source, write_c

__all__ = ["CFiles", "accuracy", "main_source", "write_c"]
