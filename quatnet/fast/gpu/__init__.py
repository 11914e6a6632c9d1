"""CuPy arrays with CUDA kernels: where an operation costs many launches, it is one.

The formulas are in the core, in the files of the layers, the loss and the optimizers; a kernel equals its formula, in
the same order of additions and without fused multiply-adds.
"""

from quatnet.fast.gpu import cuda, kernels
from quatnet.fast.gpu.layers import layers

__all__ = ["cuda", "kernels", "layers"]
