"""The networks of the paper (its Table 1, Lenet-12, and section 5.2) as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

from quatnet.errors import UsageError


@dataclass(frozen=True)
class Architecture:
    """Widths of the layers, in real units, and how the network is trained.

    Attributes
    ----------
    blocks : widths of 3x3 convolutions (stride 1, padding 1); 2x2 max pooling follows each block.
    hidden : widths of the hidden dense layers; the output layer comes on top.
    paper_dataset, default_dataset : the set of the paper and the built-in one that needs no network.
    epochs, rate, batch_size, optimizer, weight_decay : of training.
    batch_norm : whether every convolution is followed by batch normalisation.
    stages : of a residual network: widths of the stages, each of `depth` residual blocks. The first convolution has the
        width of the first stage.
    depth : residual blocks per stage.
    projection : whether shortcuts that change the shape are 1x1 convolutions, or have no weights.
    exempt_shortcuts : whether those convolutions are exempt from pruning in the real network, as in the paper's code.
    """

    name: str
    blocks: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]
    paper_dataset: str
    default_dataset: str
    epochs: int
    rate: float
    batch_size: int = 60
    optimizer: str = "adam"
    weight_decay: float = 0.0
    batch_norm: bool = False
    stages: tuple[int, ...] = ()
    depth: int = 0
    projection: bool = False
    exempt_shortcuts: bool = False

    @property
    def convolutional(self) -> bool:
        """Whether there are convolutions."""
        return bool(self.blocks or self.stages)

    def scaled(self, width: float) -> Architecture:
        """Return the architecture with all hidden widths times `width`; a UsageError if one would not be whole."""
        return replace(
            self,
            blocks=tuple(tuple(_scaled(w, width) for w in block) for block in self.blocks),
            hidden=tuple(_scaled(w, width) for w in self.hidden),
            stages=tuple(_scaled(w, width) for w in self.stages),
        )


LENET_300_100 = Architecture("lenet-300-100", (), (300, 100), "mnist", "mnist-mini", 40, 1.2e-3)
LENET_12 = Architecture("lenet-12", (), (12,), "mnist", "mnist-mini", 20, 1.2e-3)
CONV_2 = Architecture("conv-2", ((64, 64),), (256, 256), "cifar10", "shapes", 40, 2e-4)
CONV_4 = Architecture("conv-4", ((64, 64), (128, 128)), (256, 256), "cifar10", "shapes", 40, 3e-4)
CONV_6 = Architecture("conv-6", ((64, 64), (128, 128), (256, 256)), (256, 256), "cifar10", "shapes", 60, 3e-4)

# The paper gives no settings for section 5.2; these are the ones of its code for the residual network.
_NORMALISED = Architecture(
    "", (), (), "cifar10", "shapes", 80, 1e-2, batch_size=128, optimizer="sgd", weight_decay=1e-4, batch_norm=True
)
RESNET_20 = replace(_NORMALISED, name="resnet-20", stages=(16, 32, 64), depth=3)
RESNET_20_CONV = replace(RESNET_20, name="resnet-20-conv", projection=True, exempt_shortcuts=True)
RESNET_18 = replace(_NORMALISED, name="resnet-18", stages=(64, 128, 256, 512), depth=2, projection=True)
VGG_16 = replace(
    _NORMALISED, name="vgg-16", blocks=((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
)

ARCHITECTURES = {
    a.name: a
    for a in (
        LENET_300_100, LENET_12, CONV_2, CONV_4, CONV_6, RESNET_20, RESNET_20_CONV, RESNET_18, VGG_16
    )
}  # fmt: skip
ALIASES = {"lenet": LENET_300_100}


def architecture(name: str) -> Architecture:
    """Return the architecture called `name`; `lenet` means lenet-300-100. Raises UsageError for others."""
    found = ALIASES.get(name) or ARCHITECTURES.get(name)
    if found is None:
        known = [*ALIASES, *ARCHITECTURES]
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"{name!r} given; allowed are {', '.join(known)}{hint}", "arch")
    return found


def _scaled(neurons: int, width: float) -> int:
    whole = max(1, round(neurons * width))
    if abs(neurons * width - whole) > 1e-9 * neurons:
        nearest = whole / neurons
        raise UsageError(
            f"{width:g} given; a layer of {neurons} needs a whole number, the nearest: {nearest:g}", "width"
        )
    return whole
