"""Equal, but faster: `accelerate` is the door, and `Compute` the engine that takes networks through it."""

from quatnet.fast.accelerate import accelerate, accelerate_optimizer
from quatnet.fast.engine import Compute

__all__ = ["Compute", "accelerate", "accelerate_optimizer"]
