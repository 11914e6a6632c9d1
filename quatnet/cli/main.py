"""The command group, and what becomes of errors: one line on standard error and an exit code."""

from __future__ import annotations

import shlex
import signal
from types import FrameType
from typing import Any, NoReturn

import click

from quatnet import __version__
from quatnet.cli.data import data
from quatnet.cli.evaluate import evaluate
from quatnet.cli.models import models
from quatnet.cli.predict import predict
from quatnet.cli.prune import prune
from quatnet.cli.runs import runs
from quatnet.cli.train import train
from quatnet.errors import QuatnetError

INTERRUPTED = 130


class Group(click.Group):
    """A group that turns every foreseen error into a line and an exit code, and SIGTERM into Ctrl-C."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Keep the arguments as they were given, for the message after an interruption."""
        given = list(args)
        try:
            ctx = super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _fail_usage(error)
        ctx.meta["arguments"] = given
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            return super().invoke(ctx)
        except QuatnetError as error:
            _fail(str(error), error.exit_code)
        except click.UsageError as error:
            _fail_usage(error)
        except KeyboardInterrupt:
            command = shlex.join(["quatnet", *ctx.meta.get("resume", ctx.meta["arguments"])])
            click.echo(f"\nInterrupted. The last finished epoch is saved; to go on: {command}", err=True)
            ctx.exit(INTERRUPTED)
        finally:
            signal.signal(signal.SIGTERM, before)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="quatnet")
def main() -> None:
    """Train image classifiers with real or quaternion weights, and prune them round by round.

    \b
    quatnet train --arch lenet --quaternion     train the dense network
    quatnet prune --rounds 20                   prune it, 20 % of the weights left a round
    """


for command in (train, prune, evaluate, predict, models, data, runs):
    main.add_command(command)


def _fail_usage(error: click.UsageError) -> NoReturn:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        raise error
    hint = f" ({error.ctx.command_path} --help)" if error.ctx else ""
    _fail(error.format_message() + hint, error.exit_code)


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo("Error: " + " ".join(message.split()), err=True)
    raise click.exceptions.Exit(exit_code) from None


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
