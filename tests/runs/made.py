"""What the run folders of these tests hold, and how their errors are asked for."""

import numpy as np
import pytest

from quatnet.data.fingerprint import DataDescription
from quatnet.pruning.masks import Masks
from quatnet.runs import RoundResult
from quatnet.settings import TrainSettings
from quatnet.streams import Phase, Position
from quatnet.training import EpochResult, Progress

SETTINGS = TrainSettings.for_architecture("lenet-12", True, seed=3)
DATA = DataDescription("0123456789abcdef", 60, 25, (4, 4, 1), ("a", "b"), (0.5,), (0.25,))
INITIAL = {"fc1.weight": np.arange(8.0).reshape(4, 1, 2), "fc1.bias": np.zeros(8)}
MASKS = Masks({"fc1.weight": np.arange(8).reshape(4, 1, 2) % 3 > 0})
RESULT = RoundResult(1, 25.5, 5, 81.25, 2, 0.1, 0.2)
ROUND_1, SEARCH_1 = Position(Phase.ROUNDS, 1), Position(Phase.SEARCH, 1)
ARRAYS = {"value": np.arange(16.0), "mask": np.arange(16) % 3 > 0, "m": np.ones(16), "v": np.full(16, 2.0)}


def epoch(number, validation_loss=None):
    return EpochResult(number, 1 / number, 2 / number, 100 / 3, 0.125, validation_loss)


def progress(epochs):
    return Progress(epochs, epoch(epochs))


def save_epochs(run, *epochs):
    for number in epochs:
        run.save_checkpoint(ROUND_1, progress(number), ARRAYS, 7)


def one_line_error(error, call, *parts):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message
