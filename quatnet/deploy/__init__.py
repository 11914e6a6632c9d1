"""The pruned network leaves: everything here is made from a `Model`, or from its `steps`."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.deploy import budget, c, compile, model, onnx, seed_ticket, shrink, steps, ticket

__all__ = ["budget", "c", "compile", "model", "onnx", "seed_ticket", "shrink", "steps", "ticket"]

if not TYPE_CHECKING:
    _HOMES = {name: f"{__name__}.{name}" for name in __all__}

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
