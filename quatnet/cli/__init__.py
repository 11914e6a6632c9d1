"""The command line: one small file per command, with no logic of its own."""

import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


def main(prog_name: str | None = None) -> None:
    """Run the command `quatnet`. Everything is imported here, so that Ctrl-C at any time ends it in one line."""
    try:
        from quatnet.cli.group import group

        group(prog_name=prog_name)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted\n")
        sys.exit(INTERRUPTED)
