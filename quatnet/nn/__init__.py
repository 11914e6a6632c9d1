"""The core's engine: layers with explicit forward and backward passes, initialisation, loss, optimizers, networks."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.nn import architectures, initializers, layers, losses, networks, optimizers, parameters

__all__ = ["architectures", "initializers", "layers", "losses", "networks", "optimizers", "parameters"]

if not TYPE_CHECKING:
    _HOMES = {name: f"{__name__}.{name}" for name in __all__}

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
