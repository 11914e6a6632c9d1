"""Training curves by epoch."""

import numpy as np
import pytest

from quatnet.report import epochs, paper


class Trained:
    """A run of which only the metrics are read."""

    def __init__(self, *accuracies, pruned=()):
        self.lines = [self.line(0, k, a) for k, a in enumerate(accuracies, start=1)]
        self.lines += [self.line(1, k, a) for k, a in enumerate(pruned, start=1)]

    @staticmethod
    def line(number, epoch, accuracy):
        values = {"accuracy": accuracy, "test_loss": accuracy and 1 / accuracy, "loss": 9.0}
        return {"phase": "rounds", "round": number, "epoch": epoch, **values}

    def metrics(self):
        return self.lines


def test_a_curve_is_the_mean_of_the_dense_trainings_over_the_epochs_that_all_have():
    curve = epochs.ours([Trained(50, 60, 70, pruned=(1, 1)), Trained(54, 66)], "accuracy")
    np.testing.assert_array_equal(curve.epochs, [1, 2])
    np.testing.assert_array_equal(curve.mean, [52, 63])
    np.testing.assert_allclose(curve.deviation, [4 / 2**0.5, 6 / 2**0.5])


def test_epochs_after_which_not_all_runs_were_tested_are_left_out():
    curve = epochs.ours([Trained(None, 0, None, 70), Trained(54, 66, 68, 72)], "accuracy")
    np.testing.assert_array_equal(curve.epochs, [2, 4])
    np.testing.assert_array_equal(curve.mean, [33, 71])


def test_the_loss_is_that_on_the_test_images_and_one_seed_has_no_deviation():
    curve = epochs.ours([Trained(50, 100)], "loss")
    np.testing.assert_array_equal(curve.mean, [0.02, 0.01])
    assert curve.deviation is None


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_is_drawn_with_and_without_the_papers_curve(tmp_path, ending):
    curves = {"real": epochs.ours([Trained(50, 60), Trained(52, 64)], "accuracy")}
    sizes = []
    for figure in ("5a", ""):
        path = tmp_path / f"picture{figure}.{ending}"
        assert epochs.save_epochs(path, curves, figure, "accuracy", "title")
        sizes.append(path.stat().st_size)
    assert sizes[0] > sizes[1] > 1000


def test_the_papers_training_curves_are_read_by_algebra():
    curves = paper.epochs("5a")
    assert set(curves) == {"real", "quaternion"}
    at, accuracy, deviation = curves["quaternion"]
    assert len(at) == len(accuracy) == len(deviation) == 20
    assert accuracy[-1] == pytest.approx(91.6, abs=0.05)
    assert paper.epochs("5b") == paper.epochs("3a") == {}
