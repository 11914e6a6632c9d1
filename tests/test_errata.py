"""What docs/errata.md says of the paper and of its code, where arithmetic or an experiment can show it.

Every expected number is computed here, from the paper's tables and equations; quatnet is what is compared with it.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from quatnet.nn.initializers import paper
from quatnet.nn.layers import QuaternionConv2d, QuaternionDense
from quatnet.nn.networks import count_parameters
from quatnet.pruning.criteria import global_magnitude
from quatnet.pruning.protocols import stops
from quatnet.quaternion import hamilton
from quatnet.settings import PruneSettings, TrainSettings
from tests.small import build

MNIST, CIFAR = (28, 28, 1), (32, 32, 3)
TABLE_1 = {
    "lenet-300-100": (28 * 28, (), (300, 100)),
    "lenet-12": (28 * 28, (), (12,)),
    "conv-2": (3, (64, 64), (256, 256)),
    "conv-4": (3, (64, 64, 128, 128), (256, 256)),
    "conv-6": (3, (64, 64, 128, 128, 256, 256), (256, 256)),
}
"""Inputs, widths of the 3x3 convolutions (a pool after every second) and of the hidden dense layers."""


def layers(arch: str, classes: int) -> list[tuple[str, int, int]]:
    """Return (kind, real inputs of one real output, real outputs) of every layer with weights, from Table 1."""
    inputs, convolutions, hidden = TABLE_1[arch]
    found = []
    for width in convolutions:
        found.append(("conv", 9 * inputs, width))
        inputs = width
    if convolutions:
        side = 32 // 2 ** (len(convolutions) // 2)
        inputs *= side * side
    for width in (*hidden, classes):
        found.append(("dense", inputs, width))
        inputs = width
    return found


def count(arch: str, quaternion: bool, classes: int = 10, *, biases: bool = True, only: str | None = None) -> int:
    """Count parameters by hand: a quaternion layer has a quarter of the weights, and the last layer is real."""
    *body, last = layers(arch, classes)
    if quaternion and body[0][0] == "conv":
        body[0] = ("conv", 9 * 4, body[0][2])  # red, green, blue and gray
    total = 0
    for kind, inputs, outputs in [*body, last]:
        part = 4 if quaternion and (kind, inputs, outputs) != last else 1
        if only in (None, kind):
            total += inputs * outputs // part + (outputs if biases else 0)
    return total


def printed(number: int, unit: float, decimals: int, *, truncate: bool) -> float:
    """Return a count in thousands or millions, as a table prints it."""
    scaled = number / unit * 10**decimals
    return (math.floor(scaled) if truncate else round(scaled)) / 10**decimals


K, M = 1e3, 1e6
QUANTITIES = {
    "lenet real": ("lenet-300-100", False, None, 266.6, K, 1),
    "lenet quaternion": ("lenet-300-100", True, None, 67.7, K, 1),
    "conv-2 real": ("conv-2", False, None, 4.30, M, 2),
    "conv-2 real conv": ("conv-2", False, "conv", 38, K, 0),
    "conv-2 quaternion": ("conv-2", True, None, 1.08, M, 2),
    "conv-2 quaternion conv": ("conv-2", True, "conv", 9.9, K, 1),
    "conv-4 real": ("conv-4", False, None, 2.42, M, 2),
    "conv-4 real conv": ("conv-4", False, "conv", 260, K, 0),
    "conv-4 quaternion": ("conv-4", True, None, 609, K, 0),
    "conv-4 quaternion conv": ("conv-4", True, "conv", 65, K, 0),
    "conv-6 real": ("conv-6", False, None, 2.26, M, 2),
    "conv-6 real conv": ("conv-6", False, "conv", 1.14, M, 2),
    "conv-6 quaternion": ("conv-6", True, None, 569, K, 0),
    "conv-6 quaternion conv": ("conv-6", True, "conv", 287, K, 0),
}
"""Table 1 as printed: architecture, algebra, layers counted, number, its unit and its decimals."""


def equation_3_as_printed(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    (r1, x1, y1, z1), (r2, x2, y2, z2) = p, q
    return np.array(
        [
            r1 * r2 - x1 * x2 - y1 * y2 - z1 * z2,
            r1 * x2 + x1 * r2 + y1 * z2 - z1 * y2,
            r1 * y2 - x1 * z2 + y1 * r2 - z1 * x2,
            r1 * z2 + x1 * y2 - y1 * x2 - z1 * r2,
        ]
    )


def test_equation_3_as_printed_says_that_k_times_one_is_minus_k_and_k_times_i_is_minus_j():
    one, i, j, k = np.eye(4)
    np.testing.assert_array_equal(equation_3_as_printed(k, one), -k)
    np.testing.assert_array_equal(equation_3_as_printed(k, i), -j)
    np.testing.assert_array_equal(hamilton(k, one), k)
    np.testing.assert_array_equal(hamilton(k, i), j)


def test_equation_3_as_printed_is_right_for_the_other_fourteen_products_of_units():
    units = np.eye(4)
    wrong = {
        (a, b)
        for a in range(4)
        for b in range(4)
        if (equation_3_as_printed(units[a], units[b]) != hamilton(units[a], units[b])).any()
    }
    assert wrong == {(3, 0), (3, 1)}


@pytest.mark.parametrize("arch", TABLE_1)
@pytest.mark.parametrize("quaternion", [False, True])
@pytest.mark.parametrize("classes", [10, 100])
def test_quatnet_counts_what_table_1_describes(arch, quaternion, classes):
    shape = MNIST if arch.startswith("lenet") else CIFAR
    weights = count(arch, quaternion, classes, biases=False)
    assert count_parameters(arch, quaternion, shape, classes) == (weights, count(arch, quaternion, classes) - weights)


@pytest.mark.parametrize("row", QUANTITIES)
def test_every_number_of_table_1_is_a_count_with_biases_rounded_or_truncated(row):
    arch, quaternion, only, number, unit, decimals = QUANTITIES[row]
    exact = count(arch, quaternion, only=only)
    assert number in {printed(exact, unit, decimals, truncate=truncate) for truncate in (True, False)}


def test_table_1_mixes_rounding_and_truncation():
    needs = {True: set(), False: set()}
    for row, (arch, quaternion, only, number, unit, decimals) in QUANTITIES.items():
        fits = [t for t in needs if printed(count(arch, quaternion, only=only), unit, decimals, truncate=t) == number]
        if len(fits) == 1:
            needs[fits[0]].add(row)
    assert needs[True] == {"conv-2 real conv", "conv-4 real", "conv-6 real conv"}
    assert {"conv-2 quaternion", "conv-6 quaternion"} <= needs[False]


def test_some_numbers_of_table_1_called_weights_cannot_be_had_without_biases():
    without = set()
    for row, (arch, quaternion, only, number, unit, decimals) in QUANTITIES.items():
        weights = count(arch, quaternion, biases=False, only=only)
        if number not in {printed(weights, unit, decimals, truncate=t) for t in (True, False)}:
            without.add(row)
    assert without >= {
        "lenet real",
        "lenet quaternion",
        "conv-2 quaternion conv",
        "conv-4 quaternion",
        "conv-6 quaternion",
        "conv-6 quaternion conv",
    }


@pytest.mark.parametrize(
    ("arch", "classes", "ratio"),
    [
        ("lenet-300-100", 10, 0.2540),
        ("lenet-12", 10, 0.2612),
        ("conv-2", 10, 0.2506),
        ("conv-4", 10, 0.2511),
        ("conv-6", 10, 0.2514),
        ("conv-4", 100, 0.2582),
        ("conv-6", 100, 0.2590),
    ],
)
def test_a_quaternion_network_has_more_than_one_fourth_of_the_real_networks_parameters(arch, classes, ratio):
    exact = count(arch, True, classes) / count(arch, False, classes)
    assert round(exact, 4) == ratio > 0.25


@pytest.mark.parametrize(("arch", "drawn_with"), [("conv-4", 0.25), ("conv-6", 0.2514)])
def test_figures_4e_and_4f_draw_the_quaternion_curve_three_percent_too_far_to_the_sparse_side(arch, drawn_with):
    true = count(arch, True, 100) / count(arch, False, 100)
    assert 0.03 < true / drawn_with - 1 < 0.034


def test_the_ratio_of_figure_4f_is_that_of_cifar_10():
    assert round(count("conv-6", True, 10) / count("conv-6", False, 10), 4) == 0.2514


@pytest.mark.parametrize(
    ("arch", "images", "steps", "frankle_and_carbin"),
    [
        ("lenet", 60_000, 40_000, 50_000),
        ("conv-2", 50_000, 33_360, 20_000),
        ("conv-4", 50_000, 33_360, 25_000),
        ("conv-6", 50_000, 50_040, 30_000),
    ],
)
def test_the_papers_epochs_are_other_numbers_of_steps_than_frankle_and_carbins(arch, images, steps, frankle_and_carbin):
    settings = TrainSettings.for_architecture(arch, quaternion=False)
    assert math.ceil(images / settings.batch_size) * settings.epochs == steps != frankle_and_carbin


def test_conv_6_has_2_26_million_weights_and_not_1_7():
    convolutions = 9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256)
    rest = 256 * 256 + 256 * 10
    assert convolutions + 256 * 4 * 4 * 256 + rest == 2_261_184
    assert convolutions + 2048 * 256 + rest == 1_736_896  # half of the inputs of the first dense layer


def test_quatnet_stops_after_two_successive_rounds_below_30_percent():
    results = [SimpleNamespace(round=k, accuracy=accuracy) for k, accuracy in enumerate([80.0, 29.0, 31.0, 29.0, 28.0])]
    ends = [stops(results[: k + 1], k, PruneSettings().stop_below) for k in range(1, 5)]
    assert ends == [False, False, False, True]


def test_a_rule_that_compares_a_round_with_itself_stops_after_one_round_below_30_percent():
    accuracies = [80.0, 29.0, 31.0, 29.0, 28.0]
    as_stated = next(k for k in range(1, 5) if max(accuracies[k - 1], accuracies[k]) < 30)
    with_the_slip = next(k for k in range(1, 5) if max(accuracies[k], accuracies[k]) < 30)
    assert (as_stated, with_the_slip) == (4, 1)


def test_the_four_pixels_of_a_quaternion_lie_196_apart_seven_rows_below_each_other():
    network = build("lenet", quaternion=True, input_shape=MNIST, classes=10, dtype="float64")
    weight = network.layers.layers["fc1"].weight
    weight.value[...] = 0
    chosen = 75
    weight.value[:, chosen] = 1
    image = np.arange(784.0).reshape(1, *MNIST)
    _, backward = network.layers.layers["fc1"].forward(network.layers.layers["flatten"].predict(image))
    one_output = np.zeros((1, 300))
    one_output[0, 0] = 1
    read = np.flatnonzero(backward(one_output))
    assert read.tolist() == [chosen, chosen + 196, chosen + 392, chosen + 588]
    rows, columns = np.divmod(read, 28)
    assert np.diff(rows).tolist() == [7, 7, 7]
    assert set(columns) == {chosen % 28}


def test_the_residual_network_of_the_papers_code_is_resnet_20():
    segments, blocks, convolutions_per_block = 3, 3, 2
    assert segments * blocks * convolutions_per_block + len(["first convolution", "dense layer"]) == 20
    widths = (16, 32, 64)
    weights = 9 * 3 * widths[0]
    for before, width in zip((widths[0], *widths), widths, strict=False):
        weights += 9 * before * width + (blocks * convolutions_per_block - 1) * 9 * width * width
    assert weights == 267_696  # the ResNet-18 of ImageNet has 11 million


def test_the_shortcuts_of_the_papers_code_are_convolutions_and_only_the_quaternion_ones_are_pruned():
    convolutions, thirds = 267_696 + 640, 16 * 32 + 32 * 64
    for quaternion, weights, pruned in (
        (False, convolutions + thirds, convolutions),
        (True, (16 * 4 * 9 + (267_696 - 9 * 3 * 16) + thirds) // 4 + 640, 68_240),
    ):
        network = build("resnet-20-conv", quaternion=quaternion, input_shape=(32, 32, 3), classes=10)
        sizes = [p.size for name, p in network.parameters.items() if name.endswith("weight")]
        assert sum(sizes) == weights == (68_240 if quaternion else 270_896)
        assert network.parameters.prunable.sum() == pruned
        assert any(".shortcut." in name for name, p in network.parameters.items() if p.prunable) is quaternion


def test_the_area_of_a_kernel_given_as_one_number_is_that_number():
    assert (np.prod(3), np.prod((3, 3))) == (3, 9)


@pytest.mark.parametrize(
    ("layer", "real_inputs", "counted_area", "area"),
    [(QuaternionDense(800, 800), 800, 1, 1), (QuaternionConv2d(128, 256, 3), 9 * 128, 3, 9)],
    ids=["dense", "conv"],
)
def test_quaternion_convolutions_start_three_times_too_large_in_variance(layer, real_inputs, counted_area, area):
    weight, _ = paper(layer, np.random.default_rng(1))
    scale_squared = 1 / (8 * (real_inputs / area / 4) * counted_area)
    expected = 4 * scale_squared  # the mean of a chi-squared number with 4 degrees of freedom is 4
    assert np.mean((weight**2).sum(axis=0)) == pytest.approx(expected, rel=0.04)
    assert expected * real_inputs / 4 == pytest.approx(0.5 * area / counted_area)


def test_pruning_by_magnitude_keeps_six_times_as_many_real_parts_as_imaginary_ones_before_any_training():
    network = build("lenet", quaternion=True, input_shape=MNIST, classes=10)
    for _ in range(10):
        network.parameters.set_mask(global_magnitude(network.parameters, 0.2, np.random.default_rng(0)))
    left = network.parameters["fc1.weight"].mask.mean(axis=(1, 2))
    np.testing.assert_allclose(left, [0.21, 0.037, 0.037, 0.037], atol=0.01)
