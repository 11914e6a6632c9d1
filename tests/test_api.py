"""The public names: what each package exports, that it has a docstring, and that docs/api.md shows its signature."""

import inspect
import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest

import quatnet
from quatnet import data, deploy, experiment, nn, pruning, settings, sweep
from quatnet.nn import layers

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
EXPORTS = {
    quatnet: [
        *(
            "Compute",
            "DataError",
            "Masks",
            "Network",
            "PruneSettings",
            "QuatnetError",
            "Run",
            "RunError",
            "TrainSettings",
        ),
        *(
            "UsageError",
            "build",
            "compile",
            "data",
            "deploy",
            "nn",
            "prune",
            "pruning",
            "quaternion",
            "reopen",
            "runs",
            "start",
        ),
        *("train_dense", "trained_network", "training"),
    ],
    nn: ["architectures", "initializers", "layers", "losses", "networks", "optimizers", "parameters"],
    data: ["Dataset", "augment", "default_data_dir", "entries", "fetch", "load", "normalize"],
    pruning: ["criteria", "masks", "protocols", "units"],
    deploy: ["budget", "c", "inference", "ir", "model", "onnx", "seed_ticket", "shrink", "ticket"],
    sweep: ["Job", "Status", "jobs_of", "run_jobs", "status_of"],
    layers: [
        *("AppendGray", "Backward", "BatchNorm", "Conv2d", "Dense", "Flatten", "GlobalAveragePool", "Layer"),
        *("MaxPool2d", "PureReal", "QuaternionConv2d", "QuaternionDense", "QuaternionFlatten"),
        *("QuaternionSubsample", "ReLU", "Residual", "ScalarBatchNorm", "Sequential", "Subsample", "WeightLayer"),
        "WhiteningBatchNorm",
    ],
}
MEMBERS = [
    nn.initializers.glorot,
    nn.initializers.he,
    nn.initializers.matched,
    nn.initializers.paper,
    nn.losses.softmax_cross_entropy,
    nn.architectures.architecture,
    nn.networks.Algebra,
    nn.networks.layers_of,
    nn.networks.count_parameters,
    nn.optimizers.Adam,
    nn.optimizers.SGD,
    nn.parameters.Parameter,
    nn.parameters.Parameters,
    pruning.criteria.global_magnitude,
    pruning.criteria.layerwise_magnitude,
    pruning.criteria.random,
    deploy.budget.Goal,
    deploy.budget.prune_until,
    deploy.c.accuracy,
    deploy.c.write_c,
    deploy.inference.compile_model,
    deploy.ir.operations_of,
    deploy.onnx.write_onnx,
    deploy.seed_ticket.read_seed_ticket,
    deploy.seed_ticket.retrain,
    deploy.seed_ticket.write_seed_ticket,
    deploy.shrink.shrink,
    deploy.ticket.entropy_bound,
    deploy.ticket.quantised,
    deploy.ticket.read_ticket,
    deploy.ticket.write_ticket,
    experiment.Experiment,
    experiment.Reference,
    pruning.masks.weights_left,
    pruning.protocols.Pass,
    pruning.protocols.Protocol,
    pruning.protocols.epochs,
    pruning.protocols.is_finished,
    pruning.protocols.stands_alone,
    pruning.protocols.stops,
    quatnet.quaternion.conjugate,
    quatnet.quaternion.expand,
    quatnet.quaternion.fold,
    quatnet.quaternion.hamilton,
    quatnet.quaternion.hamilton_backward,
    quatnet.quaternion.inverse,
    quatnet.quaternion.norm,
    quatnet.quaternion.shuffled_signs,
    quatnet.runs.list_runs,
    quatnet.training.Progress,
    quatnet.training.TrainingData,
    quatnet.training.evaluate,
    quatnet.training.predict,
    quatnet.training.train_epoch,
]
"""What docs/api.md describes of the exported modules."""
SETTINGS = [settings.ModelSettings, quatnet.TrainSettings, quatnet.PruneSettings]
TABLES = [*SETTINGS, data.Dataset, quatnet.runs.RoundResult]
"""What is described as a table of its fields."""
EXPORTED = [(package, name) for package, names in EXPORTS.items() for name in names]


def described(name: str, thing: object) -> str:
    """Return how docs/api.md names a thing: with its parameters and defaults, without annotations."""
    # A dataclass is shown as a table of its fields, an exception by its name.
    if not callable(thing) or thing in TABLES or (inspect.isclass(thing) and issubclass(thing, BaseException)):
        return f"`{name}`"
    signature = inspect.signature(thing)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty, default=shown(parameter.default))
        for parameter in signature.parameters.values()
    ]
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return f"`{name}{text}`"


class Shown(str):
    """A string that is shown without quotes."""

    __repr__ = str.__str__


def shown(default: object) -> object:
    """Return the default of a parameter; classes, modules and the table of signs by name, a function as dots."""
    if default == quatnet.quaternion.SIGN:
        return Shown("SIGN")
    if default is inspect.Parameter.empty or not (callable(default) or inspect.ismodule(default)):
        return default
    return Shown("..." if inspect.isfunction(default) else name_of(default))


def name_of(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("package", EXPORTS, ids=name_of)
def test_a_package_exports_exactly_its_public_names_in_order(package):
    assert package.__all__ == EXPORTS[package] == sorted(package.__all__)


@pytest.mark.parametrize(("package", "name"), EXPORTED, ids=lambda v: v if isinstance(v, str) else name_of(v))
def test_an_exported_name_exists_and_has_a_docstring(package, name):
    thing = getattr(package, name)
    if name != "Backward":  # a type alias
        assert inspect.getdoc(thing)


@pytest.mark.parametrize(("package", "name"), EXPORTED, ids=lambda v: v if isinstance(v, str) else name_of(v))
def test_an_exported_name_is_described_with_its_signature(package, name):
    thing = getattr(package, name)
    expected = "`Backward`" if name == "Backward" else described(name, thing)
    if inspect.ismodule(thing):
        expected = f"`{thing.__name__}`"
    assert expected in PAGE.read_text()


@pytest.mark.parametrize("member", MEMBERS, ids=name_of)
def test_a_described_function_or_class_has_a_docstring_and_its_present_signature(member):
    assert inspect.getdoc(member)
    assert described(member.__name__, member) in PAGE.read_text()


@pytest.mark.parametrize("described", TABLES, ids=name_of)
def test_every_field_of_a_table_is_described(described):
    section = PAGE.read_text().partition(f"`{described.__name__}`")[2]
    assert [field.name for field in fields(described) if f"| `{field.name}` |" not in section] == []


def table(cls) -> str:
    """Return the table of docs/api.md: the settings of a class that are not its parent's."""
    rows = ["| field | default | allowed | meaning |", "|---|---|---|---|"]
    for field in fields(cls):
        if field.name not in {
            inherited.name for base in cls.__bases__ if is_dataclass(base) for inherited in fields(base)
        }:
            words = field.metadata["otherwise"]
            if field.default is not MISSING:
                words = f"`{field.default!r}` ({words})" if words else f"`{field.default!r}`"
            rows.append(f"| `{field.name}` | {words} | {settings.allowed(field)} | {field.metadata['help']} |")
    return f"`{cls.__name__}`\n\n" + re.sub("  +", " ", "\n".join(rows)) + "\n"


@pytest.mark.parametrize("cls", SETTINGS, ids=name_of)
def test_settings_are_described_with_default_allowed_values_and_help(cls):
    assert table(cls) in PAGE.read_text()
