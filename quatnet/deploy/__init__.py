"""The pruned network leaves: everything here is made from a `Model`, or from its operations."""

from quatnet.deploy import budget, c, inference, ir, model, onnx, seed_ticket, shrink, ticket

__all__ = ["budget", "c", "inference", "ir", "model", "onnx", "seed_ticket", "shrink", "ticket"]
