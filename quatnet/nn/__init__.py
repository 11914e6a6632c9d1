"""The engine: what a network is. No autograd; every layer states its forward and its backward pass."""

from quatnet.nn import architectures, assembly, initializers, layers, losses, models, optimizers, parameters

__all__ = ["architectures", "assembly", "initializers", "layers", "losses", "models", "optimizers", "parameters"]
