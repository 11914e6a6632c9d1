"""The facts about the data sets that quatnet knows by name, as one plain table."""

from __future__ import annotations

from dataclasses import dataclass

from quatnet.data.layouts import CIFAR10, CIFAR100, Layout

# The paper's code normalises both CIFARs with ImageNet's constants.
CIFAR_MEAN, CIFAR_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MNIST_MEAN, MNIST_STD = (0.1307,), (0.3081,)
FASHION_MNIST_MEAN, FASHION_MNIST_STD = (0.2860,), (0.3530,)
# Of the training images of seed 0.
SHAPES_MEAN, SHAPES_STD = (0.5005, 0.5004, 0.4991), (0.1614, 0.1168, 0.1914)


@dataclass(frozen=True)
class Description:
    """What one named data set is.

    `mean`, `std`: per channel, of the images scaled to [0, 1]. `stand_in`: the built-in set to use where this
    one cannot be had. `first_labels`: how the official training labels begin, by which a folder of idx files
    is told apart. `layout`: how a CIFAR is stored.
    """

    name: str
    description: str
    train_images: int
    test_images: int
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    licence: str
    augment: bool = False
    stand_in: str = ""
    first_labels: tuple[int, ...] = ()
    layout: Layout | None = None

    @property
    def built_in(self) -> bool:
        """Whether the set travels with quatnet."""
        return not self.stand_in


DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CIFAR100_CLASSES = tuple(_CIFAR100.split())
SHAPES = ("disc", "ring", "square", "triangle", "cross")
RELATIONS = ("ahead", "behind")
SHAPES_CLASSES = tuple(f"{shape}, {relation}" for relation in RELATIONS for shape in SHAPES)

_ALL = (
    Description(
        name="mnist",
        description="handwritten digits",
        train_images=60_000,
        test_images=10_000,
        shape=(28, 28, 1),
        class_names=DIGITS,
        mean=MNIST_MEAN,
        std=MNIST_STD,
        licence="CC BY-SA 3.0",
        stand_in="mnist-mini",
        first_labels=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
    ),
    Description(
        name="fashion-mnist",
        description="photographs of clothes in the format of MNIST",
        train_images=60_000,
        test_images=10_000,
        shape=(28, 28, 1),
        class_names=CLOTHES,
        mean=FASHION_MNIST_MEAN,
        std=FASHION_MNIST_STD,
        licence="MIT",
        stand_in="mnist-mini",
        first_labels=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
    ),
    Description(
        name="cifar10",
        description="small colour photographs, 10 classes",
        train_images=50_000,
        test_images=10_000,
        shape=(32, 32, 3),
        class_names=CIFAR10_CLASSES,
        mean=CIFAR_MEAN,
        std=CIFAR_STD,
        licence="none stated; cite Krizhevsky 2009",
        augment=True,
        stand_in="shapes",
        layout=CIFAR10,
    ),
    Description(
        name="cifar100",
        description="small colour photographs, 100 classes",
        train_images=50_000,
        test_images=10_000,
        shape=(32, 32, 3),
        class_names=CIFAR100_CLASSES,
        mean=CIFAR_MEAN,
        std=CIFAR_STD,
        licence="none stated; cite Krizhevsky 2009",
        augment=True,
        stand_in="shapes",
        layout=CIFAR100,
    ),
    Description(
        name="mnist-mini",
        description="a class-balanced subset of MNIST",
        train_images=8000,
        test_images=2000,
        shape=(28, 28, 1),
        class_names=DIGITS,
        mean=MNIST_MEAN,
        std=MNIST_STD,
        licence="CC BY-SA 3.0",
    ),
    Description(
        name="shapes",
        description="drawn figures; the class is a shape and a relation of two colours",
        train_images=8000,
        test_images=2000,
        shape=(32, 32, 3),
        class_names=SHAPES_CLASSES,
        mean=SHAPES_MEAN,
        std=SHAPES_STD,
        licence="MIT, drawn by quatnet",
    ),
)

DESCRIPTIONS = {description.name: description for description in _ALL}
