"""Options that are made from the fields of settings, and the help that shows them in groups."""

import re
from dataclasses import MISSING, fields

import click
import pytest

from quatnet.cli import options
from quatnet.cli.group import load
from quatnet.settings import PruneSettings, TrainSettings

FIELDS = [*fields(TrainSettings), *fields(PruneSettings)]
GROUPED = ("train", "prune", "sweep", "reproduce")


def help_of(command):
    """Return the text of the help by group, each in one line."""
    text = command.get_help(click.Context(command, info_name=command.name, max_content_width=100))
    parts = re.split(r"^(\w+):\n", text, flags=re.MULTILINE)
    return {group: " ".join(part.split()) for group, part in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.fixture(scope="module")
def prune_help():
    return help_of(load("prune"))


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_setting_is_an_option_in_its_group_with_its_help(prune_help, field):
    group = prune_help[field.metadata["group"]].replace("re- ", "re-")
    assert f"--{field.name.replace('_', '-')} " in group
    assert field.metadata["help"] in group


@pytest.mark.parametrize("field", [f for f in FIELDS if f.metadata["choices"]], ids=lambda field: field.name)
def test_an_option_has_the_choices_of_its_setting(prune_help, field):
    assert f"--{field.name} [{'|'.join(field.metadata['choices'])}]" in prune_help[field.metadata["group"]]


@pytest.mark.parametrize(
    "field", [f for f in FIELDS if f.default not in (MISSING, None, False, ())], ids=lambda field: field.name
)
def test_the_help_has_the_default_of_the_setting(prune_help, field):
    default = field.default if isinstance(field.default, str) else f"{field.default:g}"
    shown = field.metadata["otherwise"] or default
    assert f"{field.metadata['help']} [default: {shown}]" in prune_help[field.metadata["group"]].replace("re- ", "re-")


@pytest.mark.parametrize("name", GROUPED)
def test_every_option_is_in_a_group(name):
    groups = help_of(load(name))
    assert "Options" not in groups
    assert list(groups)[-2:] == ["Computing", "Output"]
    assert {option for p in load(name).params for option in p.opts if option.startswith("--")} == {
        option for text in groups.values() for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", text)
    } - {"--real", "--no-augment", "--help", "--format"}


def test_an_option_that_is_not_given_is_left_out():
    assert options.given({"epochs": None, "seed": 0, "augment": False}) == {"seed": 0, "augment": False}


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), {}),
        (("--quaternion", "--no-augment"), {"quaternion": True, "augment": False}),
        (("--real", "--augment"), {"quaternion": False, "augment": True}),
        (("--width", "0.5", "--batch-size", "7"), {"width": 0.5, "batch_size": 7}),
        (("--fresh-optimizer",), {"fresh_optimizer": True}),
        (("--retrain-rounds", "5-7,9"), {"retrain_rounds": (5, 6, 7, 9)}),
    ],
    ids=str,
)
def test_options_are_read_as_the_settings_have_them(arguments, given):
    @click.command()
    @options.of(TrainSettings)
    @options.of(PruneSettings)
    def command(**settings):
        return options.given(settings)

    assert command.main(arguments, standalone_mode=False) == given


def test_some_settings_can_be_chosen_or_left_out():
    @click.command()
    @options.of(TrainSettings, "epochs", "rate", but=("rate",), defaults=False)
    @options.listed(PruneSettings, "protocol")
    @options.listed(TrainSettings, "seed", key="seeds")
    def command(**settings):
        return settings

    given = command.main(["--protocol", "imp,paper", "--seeds", "0-4"], standalone_mode=False)
    assert given == {"epochs": None, "protocol": ["imp", "paper"], "seeds": "0-4"}


def test_rounds_that_cannot_be_read_are_an_error_of_their_option(quatnet):
    message = quatnet.error(2, "prune", "--retrain-rounds", "8-7")
    assert "'--retrain-rounds'" in message
    assert "'8-7' given; numbers and ranges are needed" in message
