"""The command group, and what becomes of errors: one line on standard error and an exit code."""

from __future__ import annotations

import shlex
import signal
from types import FrameType
from typing import Any, NoReturn

import click

from quatnet.cli.bench import bench
from quatnet.cli.data import data
from quatnet.cli.doctor import doctor
from quatnet.cli.evaluate import evaluate
from quatnet.cli.export import export
from quatnet.cli.models import models
from quatnet.cli.predict import predict
from quatnet.cli.prune import prune
from quatnet.cli.report import report
from quatnet.cli.reproduce import reproduce
from quatnet.cli.runs import runs
from quatnet.cli.sweep import sweep
from quatnet.cli.train import train
from quatnet.errors import QuatnetError, RunError, UsageError
from quatnet.version import VERSION

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

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of their use."""
        return list(self.commands)

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
            click.echo(f"\nInterrupted; {saved}to go on: {command}", err=True)
            ctx.exit(INTERRUPTED)
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


@click.group("quatnet", cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="quatnet")
def main() -> None:
    """Train image classifiers with real or quaternion weights, and prune them round by round.

    \b
    Examples: quatnet train --arch lenet --quaternion    train the dense network
              quatnet prune --rounds 20                  prune it, 20 % a round
    """


for command in (train, prune, sweep, reproduce, evaluate, predict, report, export, bench, models, data, runs, doctor):
    main.add_command(command)


def _fail_usage(error: click.UsageError) -> NoReturn:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        raise error
    hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
    _fail(error.format_message().rstrip(".") + hint, error.exit_code)


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo("Error: " + " ".join(message.split()), err=True)
    raise click.exceptions.Exit(exit_code) from None


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
