"""Equal, but faster: one door, through which a network, or an optimizer, comes out as an equal one.

What comes out shares the parameters of what went in, so that masks, pruning and checkpoints know nothing of it.
"""

from quatnet.fast.accelerate import accelerate, accelerate_optimizer
from quatnet.fast.engine import Compute

__all__ = ["Compute", "accelerate", "accelerate_optimizer"]
