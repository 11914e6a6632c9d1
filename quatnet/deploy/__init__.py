"""The pruned network leaves: everything here is made from a `Model`, or from its `steps`."""

from quatnet.deploy import budget, c, compile, model, onnx, seed_ticket, shrink, steps, ticket

__all__ = ["budget", "c", "compile", "model", "onnx", "seed_ticket", "shrink", "steps", "ticket"]
