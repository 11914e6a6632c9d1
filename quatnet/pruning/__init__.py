"""What the paper does to a network: masks, criteria, and the lottery-ticket experiment."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.pruning import criteria, masks, protocols, units

__all__ = ["criteria", "masks", "protocols", "units"]

if not TYPE_CHECKING:
    _HOMES = {name: f"{__name__}.{name}" for name in __all__}

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
