"""`quatnet models`: the numbers of the paper's Table 1."""

import pytest

COUNTS = [
    ("lenet-300-100", "real", 266_200, 266_610, 0),
    ("lenet-300-100", "quaternion", 67_300, 67_710, 0),
    ("lenet-12", "real", 9_528, 9_550, 0),
    ("lenet-12", "quaternion", 2_472, 2_494, 0),
    ("conv-2", "real", 4_300_992, 4_301_642, 38_720),
    ("conv-2", "quaternion", 1_077_312, 1_077_962, 9_920),
    ("conv-4", "real", 2_425_024, 2_425_930, 260_160),
    ("conv-4", "quaternion", 608_320, 609_226, 65_472),
    ("conv-6", "real", 2_261_184, 2_262_602, 1_145_408),
    ("conv-6", "quaternion", 567_360, 568_778, 287_168),
]
COUNTS_OF_100_CLASSES = [
    ("conv-2", "real", 4_324_032, 4_324_772),
    ("conv-2", "quaternion", 1_100_352, 1_101_092),
    ("conv-4", "real", 2_448_064, 2_449_060),
    ("conv-4", "quaternion", 631_360, 632_356),
    ("conv-6", "real", 2_284_224, 2_285_732),
    ("conv-6", "quaternion", 590_400, 591_908),
]


@pytest.fixture
def row_of(quatnet):
    def row(arch, algebra, *arguments):
        rows = quatnet.json("models", *arguments)["models"]
        return next(row for row in rows if (row["arch"], row["algebra"]) == (arch, algebra))

    return row


@pytest.mark.parametrize(("arch", "algebra", "weights", "parameters", "conv"), COUNTS)
def test_the_counts_are_the_paper_s(row_of, arch, algebra, weights, parameters, conv):
    row = row_of(arch, algebra)
    assert (row["weights"], row["parameters"], row["conv_parameters"]) == (weights, parameters, conv)
    assert row["biases"] == parameters - weights


@pytest.mark.parametrize(("arch", "algebra", "weights", "parameters"), COUNTS_OF_100_CLASSES)
def test_the_counts_for_cifar100_are_the_paper_s(row_of, arch, algebra, weights, parameters):
    row = row_of(arch, algebra, "--classes", 100)
    assert (row["weights"], row["parameters"]) == (weights, parameters)


@pytest.mark.parametrize(("arch", "algebra", "weights", "parameters", "conv"), COUNTS)
def test_the_table_has_the_counts(quatnet, arch, algebra, weights, parameters, conv):
    line = next(line for line in quatnet("models").splitlines() if line.split()[:2] == [arch, algebra])
    assert line.split()[2:6] == [
        f"{conv:,}" if conv else "-",
        f"{weights:,}",
        f"{parameters - weights:,}",
        f"{parameters:,}",
    ]


def test_every_line_fits_eighty_columns(quatnet):
    assert max(map(len, quatnet("models").splitlines())) <= 80


def test_the_training_settings_are_the_paper_s(row_of):
    assert [row_of(arch, "real")["epochs"] for arch in ("lenet-300-100", "conv-2", "conv-6")] == [40, 40, 60]
    assert [row_of(arch, "real")["rate"] for arch in ("lenet-12", "conv-2", "conv-4")] == [1.2e-3, 2e-4, 3e-4]


def test_fewer_than_two_classes_are_an_error(quatnet):
    assert quatnet.error(2, "models", "--classes", 1).startswith("Invalid value for '--classes': 1 is not in the range")
