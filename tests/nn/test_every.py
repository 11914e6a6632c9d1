"""What is tested for every kind is tested for every kind."""

from quatnet.nn import architectures, layers, optimizers
from quatnet.nn.layers import Backward, Layer, WeightLayer
from tests.nn.every import ARCHITECTURES, LAYERS, OPTIMIZERS


def test_every_layer_is_there():
    kinds = {getattr(layers, name) for name in layers.__all__} - {Backward, Layer, WeightLayer}
    assert {type(make()) for make, _ in LAYERS.values()} == kinds


def test_every_optimizer_is_there():
    given = [value for value in vars(optimizers).values() if isinstance(value, type)]
    kinds = {kind for kind in given if issubclass(kind, optimizers.Optimizer)} - {optimizers.Optimizer}
    assert kinds == {optimizers.Adam, optimizers.SGD} == {OPTIMIZERS["adam"], OPTIMIZERS["sgd"]}


def test_every_architecture_is_there():
    assert ARCHITECTURES.keys() == architectures.ARCHITECTURES.keys()
