"""The loss: softmax cross-entropy, with its gradient."""

from __future__ import annotations

import numpy as np

from quatnet.backend import Array, array_module
from quatnet.nn import cuda, kernels


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Return the mean of -log softmax(logits)[label] over a batch, and its gradient.

    Parameters
    ----------
    logits : (n, classes) floats, of any size: the maximum is subtracted first.
    labels : (n,) integers.

    Returns
    -------
    loss : a scalar of the logits' dtype (on the GPU a 0-d device array: reading it waits for the device).
    dlogits : (n, classes), (softmax(logits) - onehot(labels)) / n.

    Raises
    ------
    ValueError
        If a label is out of range (on a GPU, where looking would wait for the device, the loss is nan instead).
    """
    xp = array_module(logits)
    if xp is np and labels.size and not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(f"labels: {labels.min()} to {labels.max()} given; 0 to {logits.shape[1] - 1} are needed")
    if cuda.usable(logits):
        losses, dlogits = kernels.cross_entropy(logits, labels)
        return losses.mean(), dlogits
    n = logits.shape[0]
    rows = xp.arange(n)
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    loss = (xp.log(totals[:, 0]) - shifted[rows, labels]).mean()
    dlogits = exponentials / totals
    dlogits[rows, labels] -= 1
    dlogits /= n
    return loss, dlogits
