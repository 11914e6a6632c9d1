"""The public names: what each package exports, that it has a docstring, and that docs/api.md shows its signature."""

import inspect
from pathlib import Path

import pytest

import quatnet
from quatnet import data, deploy, nn, pruning, sweep
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
    nn: ["architectures", "assembly", "initializers", "layers", "losses", "networks", "optimizers", "parameters"],
    data: ["Dataset", "augment", "default_data_dir", "entries", "fetch", "load", "normalize"],
    pruning: ["criteria", "lab", "lottery", "masks", "units"],
    deploy: ["budget", "c", "compile", "model", "onnx", "seed_ticket", "shrink", "steps", "ticket"],
    sweep: ["Job", "Standing", "jobs_of", "run_jobs", "standing"],
    layers: [
        *("AppendGray", "Backward", "BatchNorm", "Conv2d", "Dense", "Flatten", "GlobalAveragePool", "Layer"),
        *("MaxPool2d", "Parallel", "PureReal", "QuaternionConv2d", "QuaternionDense", "QuaternionFlatten"),
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
    nn.assembly.Algebra,
    nn.assembly.layers_of,
    nn.networks.count_parameters,
    nn.optimizers.Adam,
    nn.optimizers.SGD,
    nn.parameters.Parameter,
    nn.parameters.Parameters,
    pruning.criteria.global_magnitude,
    pruning.criteria.layerwise_magnitude,
    pruning.criteria.random,
    pruning.lab.Lab,
    deploy.budget.Goal,
    deploy.budget.prune_until,
    deploy.c.accuracy,
    deploy.c.write_c,
    deploy.compile.compile,
    deploy.onnx.write_onnx,
    deploy.seed_ticket.read_seed_ticket,
    deploy.seed_ticket.retrain,
    deploy.seed_ticket.write_seed_ticket,
    deploy.shrink.shrink,
    deploy.steps.steps_of,
    deploy.ticket.entropy_bound,
    deploy.ticket.quantised,
    deploy.ticket.read_ticket,
    deploy.ticket.write_ticket,
    pruning.lottery.finetune,
    pruning.lottery.imp,
    pruning.lottery.paper,
    pruning.lottery.reinit,
    pruning.masks.sparse_weight,
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
SETTINGS = [quatnet.TrainSettings, quatnet.PruneSettings, data.Dataset, quatnet.runs.RoundResult]
EXPORTED = [(package, name) for package, names in EXPORTS.items() for name in names]


def described(name: str, thing: object) -> str:
    """Return how docs/api.md names a thing: with its parameters and defaults, without annotations."""
    # A dataclass is shown as a table of its fields, an exception by its name.
    if not callable(thing) or thing in SETTINGS or (inspect.isclass(thing) and issubclass(thing, BaseException)):
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


@pytest.mark.parametrize("settings", SETTINGS, ids=name_of)
def test_every_field_of_the_settings_is_described(settings):
    section = PAGE.read_text().partition(f"`{settings.__name__}`")[2]
    for name, parameter in inspect.signature(settings).parameters.items():
        has_default = parameter.default is not inspect.Parameter.empty
        assert (f"| `{name}` | `{parameter.default!r}` |" if has_default else f"| `{name}` |") in section
