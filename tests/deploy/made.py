"""Networks to deploy: every architecture, small and pruned, with statistics as after some training."""

import numpy as np

from quatnet.deploy.model import Description, Model
from quatnet.settings import ModelSettings

LENETS = ("lenet-12", "lenet-300-100")
CONVS = ("conv-2", "conv-4", "conv-6")
NORMALISED = ("resnet-20", "resnet-18", "vgg-16")
WIDTHS = {"resnet-18": 1 / 16, "vgg-16": 1 / 16, "conv-2": 1 / 8, "conv-4": 1 / 8, "conv-6": 1 / 8}
SHAPES = {"lenet-12": (8, 8, 1), "lenet-300-100": (12, 12, 1), "vgg-16": (32, 32, 3)}


def model(arch, *, quaternion, density=0.3, norm="split", signs="hamilton", shape=None, seed=0):
    """Return a model with random biases, masks of a density, and moving statistics that are not those of the start."""
    shape = shape or SHAPES.get(arch, (16, 16, 3))
    channels = shape[2]
    width, mean, std = WIDTHS.get(arch, 1.0), (0.13, 0.4, 0.5)[:channels], (0.3, 0.25, 0.2)[:channels]
    settings = ModelSettings(arch=arch, quaternion=quaternion, seed=seed, width=width, signs=signs, norm=norm)
    description = Description(settings, shape, tuple("abcde"), mean, std)
    network = description.build()
    random = np.random.default_rng(seed)
    network.parameters.set_mask((random.random(network.parameters.size) < density) | ~network.parameters.prunable)
    for parameter in network.parameters.values():
        if not parameter.prunable:
            parameter.value[...] += random.normal(0, 0.2, parameter.shape)
        elif density < 0.5:  # so that signals neither vanish nor explode with the depth
            parameter.value[...] *= density**-0.5
    for name, parameter in network.statistics.items():
        if name.endswith("mean"):
            parameter.value[...] = random.normal(0, 0.2, parameter.shape)
        elif parameter.value.ndim == 1:
            parameter.value[...] = random.uniform(0.5, 2, parameter.shape)
        else:
            root = random.normal(0, 1, (parameter.shape[2], 4, 8))
            parameter.value[...] = np.moveaxis(root @ root.transpose(0, 2, 1) / 8, 0, 2)
    return Model(description, network)


def images(model, count=5, seed=1):
    """Return raw uint8 images."""
    return np.random.default_rng(seed).integers(0, 256, (count, *model.description.input_shape), np.uint8)
