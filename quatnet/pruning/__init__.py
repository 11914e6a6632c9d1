"""What the paper does to a network: masks, criteria, and the lottery-ticket experiment."""

from quatnet.pruning import criteria, lab, lottery, masks, units

__all__ = ["criteria", "lab", "lottery", "masks", "units"]
