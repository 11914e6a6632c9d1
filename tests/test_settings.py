"""Settings: the paper's Table 1, and an error that names the field for every value that is not allowed."""

import json
import pickle
from dataclasses import FrozenInstanceError, asdict, fields

import numpy as np
import pytest

from quatnet import settings as module
from quatnet.errors import UsageError
from quatnet.nn import initializers, networks
from quatnet.pruning import criteria, units
from quatnet.settings import ModelSettings, PruneSettings, TrainSettings, numbers, read_numbers

TABLE_1 = {
    "lenet-300-100": (40, 1.2e-3, "mnist-mini"),
    "lenet-12": (20, 1.2e-3, "mnist-mini"),
    "conv-2": (40, 2e-4, "shapes"),
    "conv-4": (40, 3e-4, "shapes"),
    "conv-6": (60, 3e-4, "shapes"),
    "resnet-20": (80, 1e-2, "shapes"),
    "resnet-18": (80, 1e-2, "shapes"),
    "vgg-16": (80, 1e-2, "shapes"),
}
NORMALISED = ("resnet-20", "resnet-18", "vgg-16")
OUT_OF_RANGE = [
    *[(name, value, "1 or more") for name in ("epochs", "batch_size", "step_epochs") for value in (0, -3)],
    *[(name, 0, "1 or more") for name in ("train_size", "test_size", "test_every")],
    *[(name, -1, "0 or more") for name in ("seed", "validation_size", "patience")],
    ("weight_decay", -1e-4, "0 or more"),
    *[("width", value, "more than 0") for value in (0, -1)],
    *[("rate", value, "more than 0") for value in (0, -1e-3)],
    *[("step_factor", value, "more than 0") for value in (0, -0.1)],
    *[("momentum", value, "0 or more and less than 1") for value in (-0.1, 1)],
]
PRUNING_OUT_OF_RANGE = [
    ("rounds", 0, "1 or more"),
    ("search_epochs", 0, "1 or more"),
    *[("amount", value, "more than 0 and less than 1") for value in (0, 1, -0.2, 20)],
    ("rewind_epoch", -1, "0 or more"),
    *[("stop_below", value, "0 or more and less than 100") for value in (-1, 100)],
]
WRONG_TYPES = [
    *[("epochs", value, "an integer") for value in (None, "3", 2.5, True, [1])],
    *[("seed", value, "an integer") for value in (True, np.int64(3))],
    *[("rate", value, "a finite number") for value in ("fast", None, float("nan"), float("inf"), True)],
    *[("quaternion", value, "true or false") for value in ("x", 1)],
    ("augment", [1], "true or false"),
    *[("dataset", value, "a string") for value in (1, None)],
    *[("arch", value, "a string") for value in (12, ["lenet"])],
    ("optimizer", ["adam"], "a string"),
]
PRUNING_WRONG_TYPES = [
    ("amount", "0.2", "a finite number"),
    ("retrain_rounds", 7, "a list"),
    ("retrain_rounds", "7", "a list"),
    ("search_epochs", 1.0, "an integer"),
]
NAMES = [
    (module.INITIALIZERS, initializers.INITIALIZERS),
    (module.NORMALISATIONS, networks.NORMALISATIONS),
    (module.CRITERIA, criteria.CRITERIA),
    (module.UNITS, units.UNITS),
]
CHOICES = {
    "init": ("paper", "matched", "he", "glorot"),
    "signs": ("hamilton", "shuffled"),
    "norm": ("split", "whitening", "scalar"),
    "dtype": ("float32", "float64"),
    "optimizer": ("adam", "sgd"),
    "schedule": ("constant", "step"),
}
PRUNING_CHOICES = {
    "criterion": ("global", "layerwise", "random"),
    "unit": ("weight", "quaternion", "channel"),
    "protocol": ("imp", "paper", "finetune", "reinit"),
}


def settings(**given):
    return TrainSettings.for_architecture(**{"arch": "lenet-12", "quaternion": True, **given})


def usage_error(make):
    with pytest.raises(UsageError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# the paper's settings


@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("arch", TABLE_1)
def test_the_defaults_are_those_of_table_1(arch, quaternion):
    found = TrainSettings.for_architecture(arch, quaternion)
    assert (found.epochs, found.rate, found.dataset) == TABLE_1[arch]
    usual = (128, "sgd", 1e-4) if arch in NORMALISED else (60, "adam", 0)
    assert (found.batch_size, found.optimizer, found.weight_decay) == usual
    assert found.schedule == "constant"
    assert (found.init, found.validation_size, found.patience) == ("paper", 0, 0)
    assert found.quaternion is quaternion


@pytest.mark.parametrize(("names", "there"), NAMES)
def test_the_names_that_can_be_chosen_are_those_of_what_there_is(names, there):
    assert names == tuple(there)


def test_settings_of_a_network_are_the_first_of_those_of_its_training():
    model = ModelSettings(arch="lenet-12", quaternion=True, width=0.5)
    train = settings(width=0.5)
    assert isinstance(train, ModelSettings)
    assert list(asdict(train).items())[: len(fields(model))] == list(asdict(model).items())
    assert (model.algebra, ModelSettings(arch="conv-2", quaternion=False).algebra) == ("quaternion", "real")


@pytest.mark.parametrize("cls", [ModelSettings, TrainSettings, PruneSettings])
def test_settings_are_given_by_name(cls):
    with pytest.raises(TypeError, match="positional"):
        cls("lenet-12", True)


@pytest.mark.parametrize("field", [*fields(TrainSettings), *fields(PruneSettings)], ids=lambda field: field.name)
def test_the_help_of_a_setting_is_a_sentence(field):
    help = field.metadata["help"]
    assert help.endswith(".")
    assert help[0].isupper() or help.startswith("imp ")
    assert not help.startswith("Of ")


def test_lenet_is_short_for_lenet_300_100():
    assert TrainSettings.for_architecture("lenet", True) == TrainSettings.for_architecture("lenet-300-100", True)


def test_an_unknown_architecture_is_an_error_that_lists_those_there_are():
    message = usage_error(lambda: TrainSettings.for_architecture("lenet-5", True))
    assert "'lenet-5'" in message
    assert all(arch in message for arch in TABLE_1)


def test_pruning_is_the_papers_by_default():
    found = PruneSettings()
    assert (found.rounds, found.amount, found.criterion, found.stop_below) == (20, 0.2, "global", 30)
    assert (found.unit, found.protocol, found.rewind_epoch, found.fresh_optimizer) == ("weight", "imp", 0, False)


def test_what_is_given_replaces_the_defaults():
    found = settings(epochs=3, dataset="own.npz", seed=7)
    assert (found.epochs, found.dataset, found.seed, found.rate) == (3, "own.npz", 7, 1.2e-3)


def test_the_default_rate_of_sgd_is_a_hundredth():
    assert settings(optimizer="sgd").rate == 0.01


def test_the_default_rate_of_adam_in_a_residual_network_is_a_thousandth():
    assert TrainSettings.for_architecture("resnet-20", True, optimizer="adam").rate == 1e-3


def test_a_given_rate_of_sgd_is_kept():
    assert settings(optimizer="sgd", rate=0.5).rate == 0.5


@pytest.mark.parametrize("make", [settings, PruneSettings])
def test_settings_do_not_change(make):
    with pytest.raises(FrozenInstanceError):
        make().seed = 1


# what differs from the defaults


@pytest.mark.parametrize("arch", TABLE_1)
def test_an_architectures_defaults_differ_in_nothing(arch):
    assert TrainSettings.for_architecture(arch, False).non_defaults() == {}


def test_a_default_that_is_given_differs_in_nothing():
    assert settings(epochs=20, rate=1.2e-3, batch_size=60).non_defaults() == {}


def test_what_differs_from_the_defaults_is_listed():
    assert settings(epochs=3, augment=True).non_defaults() == {"epochs": 3, "augment": True}


def test_the_default_rate_of_sgd_differs_from_that_of_adam():
    assert settings(optimizer="sgd").non_defaults() == {"optimizer": "sgd", "rate": 0.01}


@pytest.mark.parametrize("protocol", ["imp", "finetune"])
def test_the_number_of_rounds_makes_no_other_run_where_more_rounds_continue_fewer(protocol):
    assert "rounds" not in PruneSettings(rounds=5, protocol=protocol).non_defaults()


@pytest.mark.parametrize("protocol", ["paper", "reinit"])
def test_the_number_of_rounds_makes_another_run_where_all_masks_are_searched_first(protocol):
    assert PruneSettings(rounds=5, protocol=protocol).non_defaults() == {"rounds": 5, "protocol": protocol}


def test_pruning_settings_that_differ_are_listed():
    assert PruneSettings(amount=0.5, criterion="random").non_defaults() == {"amount": 0.5, "criterion": "random"}


# the learning rate


def test_a_constant_rate_stays():
    assert [settings(rate=0.5).learning_rate(epoch) for epoch in (0, 29, 30, 1000)] == [0.5] * 4


def test_a_step_schedule_multiplies_the_rate_every_so_many_epochs():
    found = settings(rate=8.0, schedule="step", step_epochs=2, step_factor=0.5)
    assert [found.learning_rate(epoch) for epoch in range(7)] == [8, 8, 4, 4, 2, 2, 1]


def test_a_step_is_a_tenth_every_thirty_epochs_by_default():
    found = settings(rate=1.0, schedule="step")
    assert [found.learning_rate(epoch) for epoch in (0, 29, 30, 59, 60)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


# values that are not allowed


@pytest.mark.parametrize(("name", "value", "allowed"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_an_error_with_field_given_and_allowed(name, value, allowed):
    message = usage_error(lambda: settings(**{name: value}))
    assert message == f"{name}: {value:g} given; {allowed} is needed"


@pytest.mark.parametrize(("name", "value", "allowed"), PRUNING_OUT_OF_RANGE)
def test_a_pruning_value_out_of_range_is_an_error_with_field_given_and_allowed(name, value, allowed):
    message = usage_error(lambda: PruneSettings(**{name: value}))
    assert message == f"{name}: {value:g} given; {allowed} is needed"


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_choice_is_an_error_with_field_given_and_allowed(name):
    message = usage_error(lambda: settings(**{name: "other"}))
    assert message == f"{name}: 'other' given; allowed are {', '.join(CHOICES[name])}"


@pytest.mark.parametrize("name", PRUNING_CHOICES)
def test_an_unknown_pruning_choice_is_an_error_with_field_given_and_allowed(name):
    message = usage_error(lambda: PruneSettings(**{name: "other"}))
    assert message == f"{name}: 'other' given; allowed are {', '.join(PRUNING_CHOICES[name])}"


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in CHOICES for value in CHOICES[name]])
def test_every_choice_can_be_made(name, value):
    assert asdict(settings(**{name: value}))[name] == value


def test_the_edges_of_the_ranges_are_allowed():
    settings(epochs=1, batch_size=1, train_size=1, test_size=1, seed=0, momentum=0, weight_decay=0, rate=1e-30)
    PruneSettings(rounds=1, amount=1e-9, stop_below=0)


def test_pruning_quaternions_of_a_real_network_is_an_error():
    real = TrainSettings.for_architecture("lenet-12", False)
    message = usage_error(lambda: PruneSettings(unit="quaternion").check_training(real))
    assert message == "unit: quaternion given; a real network has no quaternions, only weight and channel"


@pytest.mark.parametrize("unit", ["weight", "quaternion", "channel"])
def test_every_unit_of_a_quaternion_network_can_be_pruned(unit):
    PruneSettings(unit=unit).check_training(settings())


def test_early_stopping_without_validation_images_is_an_error():
    message = usage_error(lambda: settings(patience=3))
    assert message == "patience: 3 given; early stopping needs a validation_size, and it is 0"


def test_validation_images_without_early_stopping_are_allowed():
    assert settings(validation_size=9).patience == 0


@pytest.mark.parametrize("protocol", ["paper", "finetune", "reinit"])
def test_only_imp_rewinds_to_a_later_epoch(protocol):
    message = usage_error(lambda: PruneSettings(protocol=protocol, rewind_epoch=2))
    assert message == "rewind_epoch: only with protocol imp, which rewinds in every round"


@pytest.mark.parametrize("protocol", ["imp", "finetune", "reinit"])
def test_only_the_papers_protocol_has_an_optimizer_to_freshen(protocol):
    message = usage_error(lambda: PruneSettings(protocol=protocol, fresh_optimizer=True))
    assert message.startswith("fresh_optimizer: only with protocol paper")


@pytest.mark.parametrize("protocol", ["imp", "finetune"])
@pytest.mark.parametrize(("name", "value"), [("retrain_rounds", (1,)), ("search_epochs", 1)])
def test_only_protocols_that_search_first_can_leave_out_retrainings_or_shorten_searches(protocol, name, value):
    with pytest.raises(UsageError, match=f"{name}: only with protocol paper or reinit"):
        PruneSettings(protocol=protocol, **{name: value})


@pytest.mark.parametrize("rounds", [(0, 1), (3, 4), (2, 2), (1.5,), (1, "2")])
def test_rounds_to_retrain_that_are_not_there_are_an_error_that_says_which_are(rounds):
    with pytest.raises(UsageError, match=r"^retrain_rounds: .* given; different rounds from 1 to 3"):
        PruneSettings(protocol="paper", rounds=3, retrain_rounds=rounds)


def test_the_rounds_to_retrain_are_those_that_the_search_has_reached():
    assert PruneSettings(protocol="paper", rounds=9, retrain_rounds=[8, 7]).retrained(7) == [7]
    assert PruneSettings(protocol="paper", rounds=9).retrained(3) == [1, 2, 3]


def test_what_makes_a_protocol_smaller_is_said_in_words():
    reduced = PruneSettings(protocol="reinit", rounds=9, retrain_rounds=(5, 7, 8), search_epochs=10)
    assert reduced.reductions() == ["only rounds 5, 7, 8 re-trained", "searches of 10 epochs"]
    assert not PruneSettings(protocol="reinit").reductions()


@pytest.mark.parametrize(("name", "value", "wanted"), WRONG_TYPES)
def test_a_value_of_another_type_is_an_error_that_says_which_is_needed(name, value, wanted):
    assert usage_error(lambda: settings(**{name: value})) == f"{name}: {value!r} given; {wanted} is needed"


@pytest.mark.parametrize(("name", "value", "wanted"), PRUNING_WRONG_TYPES)
def test_a_pruning_value_of_another_type_is_an_error_that_says_which_is_needed(name, value, wanted):
    assert usage_error(lambda: PruneSettings(**{name: value})) == f"{name}: {value!r} given; {wanted} is needed"


def test_any_real_number_can_stand_for_one():
    assert settings(rate=1, width=np.float64(0.5)).rate == 1


def test_settings_survive_json():
    train = TrainSettings.for_architecture("lenet", True, width=1, augment=None)
    prune = PruneSettings(protocol="paper", amount=0.5, retrain_rounds=(7, 8))
    assert TrainSettings(**json.loads(json.dumps(asdict(train)))) == train
    assert PruneSettings(**json.loads(json.dumps(asdict(prune)))) == prune


def test_an_error_keeps_its_field_between_processes():
    with pytest.raises(UsageError) as caught:
        settings(epochs=0)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.field, error.problem) == ("epochs", "0 given; 1 or more is needed")
    assert str(error) == str(caught.value) == "epochs: 0 given; 1 or more is needed"


@pytest.mark.parametrize("values", [[7], [0, 1, 2], [0, 1, 5, 8, 9]])
def test_whole_numbers_in_words_are_read_again(values):
    assert read_numbers(numbers(values).replace(" to ", "-")) == values


@pytest.mark.parametrize("text", ["", "a", "1.5", "4-2", "-1", "1,,2"])
def test_a_text_without_whole_numbers_is_an_error_that_shows_how_to_write_them(text):
    message = usage_error(lambda: read_numbers(text, "seed"))
    assert message == f"seed: {text!r} given; numbers and ranges are needed, such as 0-4,7"
