"""The loss: softmax cross-entropy, with its gradient."""

from __future__ import annotations

import numpy as np

from quatnet.backend import Array, array_module


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
        If a label is out of range, on the CPU: on a GPU, looking would wait for the device.
    """
    xp, (n, classes) = array_module(logits), logits.shape
    if isinstance(labels, np.ndarray) and labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels: {labels.min()} to {labels.max()} given; 0 to {classes - 1} are needed")
    rows = xp.arange(n)
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    loss = (xp.log(totals[:, 0]) - shifted[rows, labels]).mean()
    dlogits = exponentials / totals
    dlogits[rows, labels] -= 1
    dlogits /= n
    return loss, dlogits
