"""The networks of the paper in PyTorch, as its users write them: what quatnet is measured against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from quatnet.nn.architectures import Architecture


class QuaternionLayer(nn.Module):
    """Four component weights (in/4, out/4, ...), assembled to the 4x4 block weight in every forward pass."""

    def __init__(self, inputs: int, outputs: int, *kernel: int) -> None:
        super().__init__()
        shape = (outputs // 4, inputs // 4, *kernel)
        self.r, self.i, self.j, self.k = (nn.Parameter(torch.randn(shape) / np.sqrt(inputs)) for _ in range(4))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def expanded(self) -> torch.Tensor:
        """Return the real weight (out, in, ...): matrix (4) of the paper."""
        r, i, j, k = self.r, self.i, self.j, self.k
        rows = ((r, -i, -j, -k), (i, r, -k, j), (j, k, r, -i), (k, -j, i, r))
        return torch.cat([torch.cat(row, dim=1) for row in rows], dim=0)


class QuaternionLinear(QuaternionLayer):
    """A dense layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return y (n, out)."""
        return F.linear(x, self.expanded(), self.bias)


class QuaternionConv(QuaternionLayer):
    """A 3x3 convolution with padding 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return y (n, out, h, w)."""
        return F.conv2d(x, self.expanded(), self.bias, padding=1)


class Gray(nn.Module):
    """Appends the gray channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 4, h, w)."""
        gray = 0.2989 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
        return torch.cat([x, gray], dim=1)


def network(arch: Architecture, quaternion: bool, shape: tuple[int, int, int]) -> nn.Module:
    """Return the network of an architecture for images of `shape` (h, w, c), with 10 classes."""
    height, width, channels = shape
    layers: list[nn.Module] = []
    if quaternion and channels == 3:
        layers.append(Gray())
        channels = 4
    for block in arch.blocks:
        for outputs in block:
            conv = QuaternionConv(channels, outputs) if quaternion else nn.Conv2d(channels, outputs, 3, padding=1)
            layers += [conv, nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
        height, width = height // 2, width // 2
    layers.append(nn.Flatten())
    features = channels * height * width
    for outputs in arch.hidden:
        layers += [(QuaternionLinear if quaternion else nn.Linear)(features, outputs), nn.ReLU()]
        features = outputs
    return nn.Sequential(*layers, nn.Linear(features, 10))


def training_step(
    arch: Architecture,
    quaternion: bool,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    tuned: bool,
    device: str = "cpu",
) -> Callable[[], object]:
    """Return a whole training step (forward, loss, backward, Adam); `tuned` is channels_last and the fused Adam."""
    net = network(arch, quaternion, images.shape[1:]).to(device)
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device)
    if tuned:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    y = torch.from_numpy(labels).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=arch.rate, fused=tuned)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def inference(arch: Architecture, quaternion: bool, images: np.ndarray) -> Callable[[], object]:
    """Return a forward pass without gradients."""
    net = network(arch, quaternion, images.shape[1:]).eval()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

    def predict() -> torch.Tensor:
        with torch.no_grad():
            return net(x)

    return predict
