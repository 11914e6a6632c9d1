"""The command line: one small file per command, with no logic of its own."""

from quatnet.cli.main import main

__all__ = ["main"]
