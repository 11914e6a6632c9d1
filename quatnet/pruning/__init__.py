"""What the paper does to a network: masks, criteria, and the lottery-ticket experiment."""

from quatnet.pruning import criteria, masks, protocols, units

__all__ = ["criteria", "masks", "protocols", "units"]
