"""The presets are the paper's figures, with its settings."""

import pytest

from quatnet.errors import UsageError
from quatnet.nn.networks import count_parameters
from quatnet.presets import PRESETS
from quatnet.settings import PruneSettings, TrainSettings

TABLE_1 = {
    "a": ("lenet-300-100", "mnist", 40, 1.2e-3),
    "b": ("conv-2", "cifar10", 40, 2e-4),
    "c": ("conv-4", "cifar10", 40, 3e-4),
    "d": ("conv-6", "cifar10", 60, 3e-4),
    "e": ("conv-4", "cifar100", 40, 3e-4),
    "f": ("conv-6", "cifar100", 60, 3e-4),
}
FIGURES = [*(f"{figure}{panel}" for figure in "234" for panel in "abcdef"), "5a", "5b", "6"]
ABLATIONS = ("ablations-lenet-12", "ablations-conv-2")


def jobs_of(figure, seeds=1, scale="full", training=None, pruning=None):
    return PRESETS[figure].jobs(seeds, scale, training or {}, pruning or {})


def test_every_figure_and_section_with_results_has_a_preset():
    assert [name for name in PRESETS if not name.startswith(("5.2", "abl"))] == FIGURES
    assert [name for name in PRESETS if name.startswith("5.2")] == ["5.2-resnet-20", "5.2-resnet-18", "5.2-vgg-16"]


@pytest.mark.parametrize("figure", [f for f in FIGURES if f[0] in "234"])
def test_figures_2_to_4_have_the_settings_of_table_1(figure):
    real, quaternion = jobs_of(figure)
    assert (real.train.quaternion, quaternion.train.quaternion) == (False, True)
    for job in (real, quaternion):
        train = job.train
        assert (train.arch, train.dataset, train.epochs, train.rate) == TABLE_1[figure[1]]
        assert (train.batch_size, train.optimizer, train.init, train.seed) == (60, "adam", "paper", 0)
        assert job.prune == (PruneSettings(protocol="paper", stop_below=0.0) if figure[0] == "4" else None)


def test_figure_6_stops_early_and_has_the_settings_of_figure_4b_otherwise():
    for early, usual in zip(jobs_of("6"), jobs_of("4b"), strict=True):
        assert (early.train.patience, early.prune) == (10, usual.prune)
        given = {"patience": 0, "validation_size": 0}
        assert TrainSettings(**{**vars(early.train), **given}) == usual.train


def test_both_algebras_have_the_same_seeds():
    jobs = jobs_of("5b", seeds=3)
    assert [(job.train.seed, job.train.algebra) for job in jobs] == [
        (seed, algebra) for seed in range(3) for algebra in ("real", "quaternion")
    ]


@pytest.mark.parametrize(("scale", "images"), [("full", None), ("half", 25_000), ("tenth", 5_000)])
def test_a_scale_takes_that_part_of_the_training_images(scale, images):
    assert {job.train.train_size for job in jobs_of("4c", scale=scale)} == {images}


def test_settings_that_are_given_replace_the_papers():
    job = jobs_of("4c", scale="tenth", training={"epochs": 2, "train_size": 99}, pruning={"protocol": "imp"})[0]
    assert (job.train.epochs, job.train.train_size, job.prune.protocol) == (2, 99, "imp")


def test_a_setting_out_of_range_is_an_error_that_names_it():
    with pytest.raises(UsageError, match=r"^epochs: 0 given"):
        jobs_of("5b", training={"epochs": 0})


@pytest.mark.parametrize("figure", PRESETS)
def test_all_runs_of_a_preset_have_folders_of_their_own(figure):
    names = [job.name for job in jobs_of(figure, seeds=2)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("figure", ABLATIONS)
def test_an_ablation_changes_one_thing_at_a_time(figure):
    preset = PRESETS[figure]
    changes = []
    for variant, job in zip(preset.variants, jobs_of(figure), strict=True):
        default = TrainSettings.for_architecture(preset.arch, job.train.quaternion, dataset=preset.dataset)
        changed = {n for n, value in vars(job.train).items() if value != getattr(default, n)}
        changed |= {n for n, value in vars(job.prune).items() if value != getattr(PruneSettings(stop_below=0.0), n)}
        assert variant.label.partition(",")[0] == job.train.algebra
        changes.append(sorted(changed))
    assert changes[:2] == [[], []]
    assert all(len(changed) == 1 for changed in changes[2:])


@pytest.mark.parametrize("figure", ABLATIONS)
def test_the_thin_network_has_as_many_parameters_as_the_quaternion_one_within_5_percent(figure):
    preset = PRESETS[figure]
    shape = (28, 28, 1) if preset.dataset == "mnist" else (32, 32, 3)
    (width,) = {job.train.width for job in jobs_of(figure)} - {1.0}
    thin, quaternion = (
        sum(count_parameters(preset.arch, algebra, shape, 10, w)) for algebra, w in ((False, width), (True, 1.0))
    )
    assert 0.95 < thin / quaternion < 1.05


def test_a_setting_in_which_the_networks_are_to_differ_cannot_be_given():
    with pytest.raises(UsageError, match=r"^protocol: the networks of ablations-lenet-12 differ in it"):
        jobs_of("ablations-lenet-12", pruning={"protocol": "paper"})


def test_some_ablations_come_with_the_two_unchanged_networks():
    few = PRESETS["ablations-conv-2"].only(["shuffled", "matched init"])
    assert few.figure == "ablations-conv-2-shuffled-matched-init"
    labels = [variant.label for variant in few.variants]
    matched = ["real, matched initialisation", "quaternion, matched initialisation"]
    assert labels == ["real", "quaternion", *matched, "quaternion, shuffled signs"]
    assert few.jobs(1, "full", {}, {}) == [*jobs_of("ablations-conv-2")[:4], jobs_of("ablations-conv-2")[7]]


@pytest.mark.parametrize("name", ["algebra", "real", "he", "initialisation", ""])
def test_what_no_ablation_begins_with_is_an_error_with_all_that_there_are(name):
    with pytest.raises(UsageError, match=f"^only: '{name}' given; one of these, or its beginning, is needed: matched"):
        PRESETS["ablations-conv-2"].only(["matched", name])


def test_the_figures_of_the_paper_have_no_ablations_to_choose_from():
    with pytest.raises(UsageError, match=r"^only: Figure 5b is not an ablation"):
        PRESETS["5b"].only(["real"])


@pytest.mark.parametrize(
    ("scale", "training"), [("full", {}), ("half", {}), ("tenth", {}), ("full", {"train_size": 600})]
)
def test_early_stopping_leaves_most_images_for_training_at_every_scale(scale, training):
    for job in jobs_of("6", scale=scale, training=training):
        assert job.train.validation_size * 10 == (job.train.train_size or 50_000)


def test_a_scale_is_a_fraction_of_the_papers_data():
    with pytest.raises(UsageError, match=r"^scale: half given; it is a fraction of the paper's data"):
        jobs_of("5b", scale="half", training={"dataset": "shapes"})
