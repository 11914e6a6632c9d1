"""Deployment of a pruned network: everything here is made from a `Model`, or from its operations."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.deploy import budget, c, inference, ir, model, onnx, seed_ticket, shrink, ticket

__all__ = ["budget", "c", "inference", "ir", "model", "onnx", "seed_ticket", "shrink", "ticket"]

if not TYPE_CHECKING:
    _HOMES = {name: f"{__name__}.{name}" for name in __all__}

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
