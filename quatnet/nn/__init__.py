"""The engine: what a network is. No autograd; every layer states its forward and its backward pass."""

from quatnet.nn import initializers, layers, losses, models, optimizers, parameters

__all__ = ["initializers", "layers", "losses", "models", "optimizers", "parameters"]
