"""Options that several commands share, those of settings made from their fields, and help that shows them in groups.

A setting whose option is not given is left out: the settings have defaults of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from quatnet.data import default_data_dir
from quatnet.settings import CONVOLUTIONS, ENGINES, read_numbers, type_of

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_RUNS_DIR = Path("runs")
BOTH_WAYS = {"quaternion": "--quaternion/--real", "augment": "--augment/--no-augment"}
METAVARS = {int: "N", float: "X", str: "NAME", tuple: "5-8,10"}


class Option(click.Option):
    """An option with the name of the group that it is shown in."""

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


class Command(click.Command):
    """A command whose help shows the options in groups, in the order of their first options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section per group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "Output"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records, col_max=24)


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers: 7,8 or 5-8."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers."""
        try:
            return tuple(read_numbers(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def option(group: str, *names: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option that is shown in a group, with its default and its environment variable."""
    shown = {"show_default": True, "show_envvar": True}
    return click.option(*names, cls=Option, group=group, **{**shown, **attributes})


def number_option(group: str, name: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option of a whole number, 1 or more."""
    return option(group, name, type=click.IntRange(min=1), metavar="N", **attributes)


def of(settings: type, *only: str, but: Iterable[str] = (), defaults: bool = True) -> Callable[[F], F]:
    """Return the options of a settings class, all or some of them, with their defaults in the help or without."""
    chosen = [f for f in fields(settings) if (not only or f.name in only) and f.name not in but]
    return _all(*(_option(field, _default(field) if defaults else "") for field in chosen))


def listed(
    settings: type, name: str, *, key: str = "", values: tuple[str, ...] = (), default: str = ""
) -> Callable[[F], F]:
    """Return the option of a setting that may have several values: texts, or numbers and ranges as one text."""
    (field,) = (f for f in fields(settings) if f.name == name)
    group, help, choices = (field.metadata[about] for about in ("group", "help", "choices"))
    values = values or choices
    help = _with_default(f"{help} One or more of {', '.join(values)}." if values else help, default or _default(field))
    if type_of(field) is int:
        return option(group, f"--{key or name}", metavar="0-4,7", help=help)
    return option(group, f"--{key or name}", metavar="A,B", type=_texts, help=help)


def _option(field: Field[Any], default: str) -> Callable[[F], F]:
    kind, choices = type_of(field), field.metadata["choices"]
    attributes: dict[str, Any] = {"type": kind, "metavar": METAVARS.get(kind)}
    if kind is bool:
        attributes = {} if field.name in BOTH_WAYS else {"is_flag": True}
    elif choices:
        attributes = {"type": click.Choice(choices)}
    elif kind is tuple:
        attributes["type"] = Numbers()
    name = BOTH_WAYS.get(field.name, "--" + field.name.replace("_", "-"))
    help = _with_default(field.metadata["help"], default)
    return option(field.metadata["group"], name, default=None, help=help, **attributes)


def _default(field: Field[Any]) -> str:
    """Return the default of a setting in words; empty if there is none to be shown."""
    if field.name == "quaternion":
        return "real"
    if field.metadata["otherwise"] or field.default is MISSING or field.default is False:
        return str(field.metadata["otherwise"])
    return f"{field.default:g}" if type_of(field) is float else str(field.default)


def _with_default(help: str, default: str) -> str:
    return f"{help}  [default: {default}]" if default else help


def _texts(value: str) -> list[str]:
    return value.split(",")


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


FOLDER = click.Path(file_okay=False, path_type=Path)
data_dir_option = option(
    "Data",
    "--data-dir",
    type=FOLDER,
    envvar="QUATNET_DATA",
    default=default_data_dir,
    show_default="~/.cache/quatnet-data",
    help="Where data sets are kept.",
)
runs_dir_option = option(
    "Output", "--runs-dir", type=FOLDER, default=DEFAULT_RUNS_DIR, help="Where run folders are kept."
)
json_option = option(
    "Output",
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object on standard output, and text on standard error.",
)
quiet_option = option("Output", "--quiet", "-q", is_flag=True, help="Print nothing but errors and the JSON object.")

device_option = option(
    "Computing",
    "--device",
    metavar="NAME",
    default="auto",
    envvar="QUATNET_DEVICE",
    help="Device: auto, cpu, gpu, or gpu:K with the number of a GPU.",
)
conv_option = option(
    "Computing", "--conv", type=click.Choice(CONVOLUTIONS), default="auto", help="Algorithm of convolutions on the CPU."
)
engine_option = option(
    "Computing",
    "--engine",
    type=click.Choice(ENGINES),
    default="fast",
    help="Engine: fast, or reference, the formulas of the core as they are.",
)
compute_options = _all(
    device_option,
    engine_option,
    conv_option,
    number_option(
        "Computing",
        "--threads",
        help="CPU threads; by default 1 for a lenet and all cores for other networks.",
    ),
)
sweep_options = _all(
    device_option,
    engine_option,
    conv_option,
    number_option("Computing", "--threads", default=1, help="CPU threads per run."),
    number_option("Computing", "--workers", help="Parallel runs on this machine; by default as many as fit its cores."),
    option(
        "Computing",
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler, tcp://HOST:PORT, whose workers do the runs instead of this machine.",
    ),
)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
