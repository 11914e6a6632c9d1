"""The commands, each loaded when it is asked for; and what becomes of errors: one line and an exit code."""

from __future__ import annotations

import shlex
import signal
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from quatnet.cli import INTERRUPTED
from quatnet.errors import QuatnetError, RunError, UsageError
from quatnet.version import VERSION

COMMANDS = {
    "train": "Train a dense network.",
    "prune": "Prune a network round by round.",
    "sweep": "Train and prune a grid of networks.",
    "reproduce": "Reproduce a figure of the paper.",
    "evaluate": "Measure RUN's accuracy on the test set again.",
    "predict": "Classify IMAGES with the network of RUN or of a TICKET.",
    "report": "Compare runs: real, quaternion and the paper's.",
    "export": "Write RUN's network as a small file, as ONNX or as C.",
    "bench": "Measure what RUN's rounds cost in bytes, work and time.",
    "models": "List the architectures and their sizes.",
    "data": "List, fetch and show data sets.",
    "runs": "List the runs, the one worked on last first.",
    "doctor": "Check the installation and a device.",
}
"""The first line of help of each command, in the order of their use. A command stands in the module of its name."""


def load(name: str) -> click.Command:
    """Return a command of quatnet; this imports it."""
    command: click.Command = getattr(import_module(f"quatnet.cli.{name}"), name)
    return command


class Group(click.Group):
    """A group that turns every foreseen error into a line and an exit code, and SIGTERM into Ctrl-C.

    A command is no more than its line of help until it is asked for.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Keep the arguments as they were given, for the message after an interruption."""
        given = list(args)
        try:
            ctx = super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _fail_usage(error)
        except KeyboardInterrupt:
            _end("Interrupted")
        ctx.meta["arguments"] = given
        return ctx

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of their use."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Load the command that is asked for into the place of its line of help."""
        if args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            return super().invoke(ctx)
        except QuatnetError as error:
            _fail(self._message(ctx, error), error.exit_code)
        except click.UsageError as error:
            _fail_usage(error)
        except BrokenPipeError:
            raise
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), RunError.exit_code)
        except KeyboardInterrupt:
            command = f"{ctx.info_name} {shlex.join(ctx.meta.get('resume', ctx.meta['arguments']))}"
            saved = (
                "the last finished epoch is saved; "
                if ctx.invoked_subcommand in ("train", "prune", "sweep", "reproduce")
                else ""
            )
            _end(f"Interrupted; {saved}to resume: {command}")
        finally:
            signal.signal(signal.SIGTERM, before)

    def _message(self, ctx: click.Context, error: QuatnetError) -> str:
        """Return what is wrong, with the option in place of the argument's name where the command has one."""
        if isinstance(error, UsageError):
            option = "--" + error.field.replace("_", "-")
            command = self.commands[ctx.invoked_subcommand or ""]
            if any(option in parameter.opts for parameter in command.params):
                return f"{option}: {error.problem}"
        return str(error)


@click.group(
    "quatnet",
    cls=Group,
    commands={name: click.Command(name, help=line) for name, line in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="quatnet")
def group() -> None:
    """Train image classifiers with real or quaternion weights, and prune them round by round.

    \b
    Examples: quatnet train --arch lenet --quaternion    train the dense network
              quatnet prune --rounds 20                  prune it, 20 % a round
    """


def _fail_usage(error: click.UsageError) -> NoReturn:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        raise error
    hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
    _fail(error.format_message().rstrip(".") + hint, error.exit_code)


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo("Error: " + " ".join(message.split()), err=True)
    raise click.exceptions.Exit(exit_code) from None


def _end(message: str) -> NoReturn:
    click.echo(f"\n{message}", err=True)
    raise click.exceptions.Exit(INTERRUPTED) from None


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
