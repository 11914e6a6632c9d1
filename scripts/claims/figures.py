"""The sections of docs/results/README.md about figures of the paper."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from claims import claims, when
from claims.data import (
    ALGEBRAS,
    QUATERNION,
    REAL,
    WORDS,
    column,
    compare,
    crossing,
    level,
    pair,
    paper_column,
    paper_crossing,
    paper_pair,
    part,
    percent,
    results,
    row,
    rows,
    seeds_of,
    settings,
    spread,
)
from quatnet.data.descriptions import DESCRIPTIONS
from quatnet.nn.networks import count_parameters
from quatnet.report import paper
from quatnet.report.comparison import AHEAD, BEHIND, UNKNOWN
from quatnet.report.crossing import Polyline
from quatnet.report.statistics import SIGNIFICANCE

PAGE = "docs/results/README.md"
DENSE = {"lenet-300-100": ("lenet-300-100-mnist-dense", "2a"), "lenet-12": ("figure-5a", "5a")}
EPOCHS = {"lenet-300-100": 40, "lenet-12": 20, "conv-2": 40, "conv-4": 40, "resnet-20": 80}
"""The paper's, and for resnet-20 its code's."""


def reduction(name: str) -> str:
    """Write how much less than in the paper a run has: `a fifth of the images, a quarter of the epochs`."""
    s = settings(name)
    images = DESCRIPTIONS[s["dataset"]].train_images
    return f"{part(s['images'], images)} of the images, {part(s['epochs'], EPOCHS[s['arch']])} of the epochs"


def images(name: str) -> str:
    """Write how many of the training images were used."""
    s = settings(name)
    return (
        f"{s['images']:,} of the {DESCRIPTIONS[s['dataset']].train_images:,} training images (all 10,000 test images)"
    )


def protocol(name: str) -> str:
    """Write epochs and rounds of a run at the paper's settings."""
    s = settings(name)
    return f"{s['epochs']} epochs, {s['rounds']} rounds of {s['amount']:.0%}".replace("%", " %")


def amount(name: str) -> str:
    """Write how much goes in a round."""
    return f"{100 * settings(name)['amount']:.3g} % of the weights left go each round"


def reduced(name: str) -> str:
    """Write all that is less than in the paper."""
    s = settings(name)
    return f"**{seeds_of(name)}**: {images(name)}, {s['epochs']} of {EPOCHS[s['arch']]} epochs, {amount(name)}"


def paper_accuracies(figure: str, weights_left: float) -> tuple[float, float]:
    """Return the paper's real and quaternion accuracies, interpolated."""
    at = np.array([weights_left])
    real, quaternion = (Polyline.of(c.weights_left, c.mean).at(at)[0, 0] for c in paper_pair(figure))
    return float(real), float(quaternion)


def paper_difference(figure: str, weights_left: float) -> float:
    """Return the paper's quaternion - real, interpolated."""
    real, quaternion = paper_accuracies(figure, weights_left)
    return quaternion - real


def ours_minus_paper(name: str, figure: str) -> list[float]:
    """Return our means minus the paper's, of all rounds within its range."""
    curves, theirs = results(name).curves, paper.load(figure).curves
    return [v.difference for a in ALGEBRAS for v in paper.verdicts(curves[a], theirs[a]) if v is not None]


def count(name: str) -> str:
    """Write with how many seeds something was run, in digits: `5 seeds`."""
    n = len(results(name).curves[REAL].seeds)
    return f"{n} seed{'s' * (n > 1)}"


def dense_differences(arch: str) -> list[float]:
    """Return our means of dense networks minus the paper's last epoch."""
    name, figure = DENSE[arch]
    return [float(column(name, a).mean[0] - paper_column(figure, a).mean[-1]) for a in ALGEBRAS]


@claims(PAGE, "Results")
def overview() -> Iterator[str]:
    yield "all 10,000 test images"
    yield "two successive rounds below 30 %"
    for arch, figure in (("lenet-300-100", "2a"), ("lenet-12", "5a")):
        furthest = max(map(abs, dense_differences(arch)))
        yield f"| {figure}, dense {arch} | {count(DENSE[arch][0])} | at most {furthest:.2f} points from"
    yield f"| {count('figure-5b-paper')}, `paper` and `imp` |"
    yield f"| `paper`: {count('figure-4a-paper')}, real network only; `imp`: {count('figure-4a-imp')} |"
    last = compare("figure-4b-imp").levels[-1].weights_left
    yield f"| 4b, pruned conv-2 | {count('figure-4b-imp')}, {reduction('figure-4b-imp')}, `imp` |"
    yield f"ahead down to {last:.1f} % of the weights; in the paper down to {paper_crossing('4b'):.1f} %"
    ahead = level("figure-4c-imp", 2.7)
    yield f"| 4c, pruned conv-4 | {count('figure-4c-imp')}, reduced like 4b, `imp` |"
    yield f"ahead below {crossing('figure-4c-imp'):.1f} % of the weights"
    yield f"by {ahead.difference:.1f} points at {ahead.weights_left:.1f} %"
    yield f"in the paper below {paper_crossing('4c'):.1f} %, by {paper_difference('4c', ahead.weights_left):.1f}"
    yield f"lenet-12 instead of conv-2, {count('figure-6-lenet-12')}, reduced"
    early, usual = (crossing(n) for n in ("figure-6-lenet-12", "figure-5b-paper"))
    never = paper_crossing("6") is None
    yield when(
        never, f"still ahead below {early:.1f} instead of {usual:.1f} % of the weights; in the paper it never is"
    )
    ours = "section-5.2-resnet-20-imp"
    yield f"| section 5.2, pruned resnet-20 | {count(ours)}, {reduction(ours)}, `imp` |"


@claims(PAGE, "Figure 5b: lenet-12 on MNIST, pruned")
def figure_5b() -> Iterator[str]:
    ours, imp = "figure-5b-paper", "figure-5b-imp"
    yield f"{protocol(ours)}, {settings(ours)['images']:,} training images, {seeds_of(ours)} (0 to 4)"
    levels = [(26.4, 26.1), (17, 16.8), (8.8, 8.7), *((p, p) for p in (5.7, 4.6, 3.0, 2.0, 1.66, 1.38))]
    yield from rows(levels, [*pair(ours), *pair(imp), *paper_pair("5b")])
    verdicts = {
        a: [v for v in paper.verdicts(c, paper.load("5b").curves[a]) if v] for a, c in results(ours).curves.items()
    }
    inside = {a: f"{sum(v.inside for v in found)} of {len(found)} {a}" for a, found in verdicts.items()}
    yield f"{inside[REAL]} and {inside[QUATERNION]} points lie within"
    worst = {a: max(found, key=lambda v: abs(v.difference)) for a, found in verdicts.items()}
    deviation = {a: column(ours, a).deviation[column(ours, a).round(worst[a].weights_left)] for a in ALGEBRAS}
    said = [f"{v.difference:+.1f} points ({a}, {v.weights_left:.1f} %)" for a, v in worst.items()]
    yield f"{said[1]} and {said[0]}" if said[0].startswith("+") else f"{said[0]} and {said[1]}"
    yield f"seeds spread by {deviation[REAL]:.1f} and {deviation[QUATERNION]:.1f}"
    different = any(v.p is not None and v.p <= SIGNIFICANCE for found in verdicts.values() for v in found)
    yield when(not different, "No point differs significantly (Welch's t test, Holm-corrected)")
    (piece,) = compare(ours).crossing.interval
    yield f"at {crossing(ours):.1f} % of the weights (95 % interval {piece.low:.1f} to {piece.high:.1f})"
    yield f"in the paper at {paper_crossing('5b'):.1f} %"
    shown = [one for one in compare(ours).levels if one.verdict == AHEAD]
    yield when(tuple(shown) == compare(ours).levels[-len(shown) :], "t tests, paired by seed, show it to be ahead from")
    yield f"to be ahead from {shown[0].weights_left:.1f} % down"
    collapsed, kept = column(ours, REAL).accuracy(5.7), column(imp, REAL).accuracy(5.7)
    yield f"at 5.7 % of the weights it has {kept.split()[0]} instead of {collapsed.split()[0]} %"
    first, second = compare(imp).crossing.interval
    yield f"overtakes at {crossing(imp):.2f} % (95 % interval {first.low:.2f} to {first.high:.2f}"
    yield when(second.low_open, f"and again below {second.high:.2f}")
    levels = compare(imp).levels
    real, quaternion = ([one for one in levels if one.verdict == verdict] for verdict in (BEHIND, AHEAD))
    sizes = [f"{abs(bound(one.difference for one in real)):.1f}" for bound in (max, min)]
    ends = levels[: len(real)] == tuple(real) and levels[-len(quaternion) :] == tuple(quaternion)
    yield when(ends, "and no difference between")
    yield f"corrected for {len(levels)} levels"
    yield f"the real network ahead from {real[0].weights_left:.0f} to {real[-1].weights_left:.1f} % of the weights"
    yield f"(by {sizes[0]} to {sizes[1]} points)"
    places, by = (
        [f"{x:.1f}" for x in of] for of in zip(*((q.weights_left, q.difference) for q in quaternion), strict=True)
    )
    yield f"the quaternion network at {' and '.join(places)} % (by {' and '.join(by)})"


@claims(PAGE, "Figure 4a: lenet-300-100 on MNIST, pruned")
def figure_4a() -> Iterator[str]:
    ours, imp = "figure-4a-paper", "figure-4a-imp"
    yield f"{protocol(imp)}: both networks under `imp`, {seeds_of(imp)} (0 to 2); the real one also under `paper`"
    yield f"also under `paper`, **{seeds_of(ours)}**"
    levels = [(16.9, 16.3), (5.6, 5.4), (2.96, 2.86), (2.4, 2.3), (1.95, 1.89), (1.3, 1.26), (None, 0.44)]
    yield from rows(levels, [column(ours, REAL), *pair(imp), *paper_pair("4a")], decimals=2)
    before, after = (column(ours, REAL).accuracy(p, 1) for p in (2.96, 1.95))
    yield f"from {before} % at 3.0 % of the weights to {after} % at 2.0 %"
    levels = compare(imp).levels
    furthest = max(abs(one.difference) for one in levels)
    first, last = levels[0].weights_left, levels[-1].weights_left
    yield f"within {furthest:.1f} points of each other from {first:.0f} to {last:.1f} % of the weights"
    alike = all(one.verdict == UNKNOWN for one in levels)
    yield when(alike, f"{seeds_of(imp)} show no difference at any of the {len(levels)} levels")


@claims(PAGE, "Figure 4b: conv-2 on CIFAR-10, pruned, reduced")
def figure_4b() -> Iterator[str]:
    ours = "figure-4b-imp"
    yield reduced(ours)
    below = [-d for d in ours_minus_paper(ours, "4b")]
    yield f"{min(below):.0f} to {max(below):.0f} points below the paper's"
    levels = [
        (100, 25),
        (16.8, 16),
        (6.9, 6.6),
        (2.8, 2.7),
        (1.8, 1.7),
        (1.15, 1.1),
        *((None, p) for p in (0.71, 0.46, 0.3)),
    ]
    yield from rows(levels, [*pair(ours), *paper_pair("4b")])
    found = compare(ours).levels
    yield when(all(one.difference < 0 for one in found), "The real network stays ahead down to")
    sizes = [-one.difference for one in found[:-1]]
    yield f"down to {found[-1].weights_left:.1f} % of the weights, by {min(sizes):.1f} to {max(sizes):.1f} points"
    end = found[-1]
    yield f"points until {found[-2].weights_left:.1f} % and by {-end.difference:.1f} at {end.weights_left:.1f} %"
    real, quaternion = pair(ours)
    last = percent(real.weights_left[real.round(1.15)]), percent(quaternion.weights_left[quaternion.round(1.1)])
    yield f"at {last[0]} and {last[1]} % they have {real.accuracy(1.15)} and {quaternion.accuracy(1.1)} %"
    yield f"the quaternion network overtakes at {paper_crossing('4b'):.1f} %"
    lost = [
        c.mean[c.round(start)] - c.mean[c.round(end)] for c, start, end in ((real, 2.8, 1.15), (quaternion, 2.7, 1.1))
    ]
    yield f"the real network loses {lost[0]:.1f} points, the quaternion one {lost[1]:.1f}"
    yield f"From {percent(real.weights_left[real.round(2.8)])} to {last[0]} %"


@claims(PAGE, "Figure 4c: conv-4 on CIFAR-10, pruned, reduced")
def figure_4c() -> Iterator[str]:
    ours = "figure-4c-imp"
    yield reduced(ours)
    levels = [(100, 25), (16.8, 16), (6.9, 6.6), (4.4, 4.2), (2.8, 2.7), (1.8, 1.76), (None, 1.12), (None, 0.48)]
    yield from rows(levels, [*pair(ours), *paper_pair("4c")])
    at, (real, quaternion), ahead = crossing(ours), pair(ours), level(ours, 2.7)
    yield f"The curves cross at {at:.1f} % of the weights, in the paper at {paper_crossing('4c'):.1f} %"
    theirs = paper_difference("4c", ahead.weights_left)
    yield f"At {ahead.weights_left:.1f} % the quaternion network is ahead by {ahead.difference:.1f} points"
    yield f"(in the paper by {theirs:.1f})"
    said = [f"{c.accuracy(1.8)} % at {percent(c.weights_left[c.round(1.8)])} %" for c in (quaternion, real)]
    yield f"below, it has {said[0]} of the weights against {said[1]}"
    counts = [results(name).curves[REAL].kept_weights[0] for name in ("figure-4b-imp", ours)]
    yield f"has {counts[0] / counts[1]:.1f} times the weights"


@claims(PAGE, "Early stopping, on lenet-12 (Figure 6 and section 5.1)")
def figure_6() -> Iterator[str]:
    ours, usual = "figure-6-lenet-12", "figure-5b-paper"
    s = settings(ours)
    yield f"**reduced, {seeds_of(ours)}**"
    yield f"at most {s['epochs']} epochs, of which the one with the lowest loss on {s['validation_size']:,} images"
    yield f"(patience {s['patience']}), {amount(ours)}"
    other = settings(usual)
    yield f"{other['epochs']} epochs ({seeds_of(usual)}, {100 * other['amount']:.0f} % a round)"
    levels = [(26.4, 26.1), (17, 16.8), *((p, p) for p in (4.6, 3.0, 2.0, 1.38))]
    yield from rows(levels, [*pair(ours), *pair(usual)])
    early, late = crossing(ours), crossing(usual)
    yield f"moves to {early:.1f} % of the weights instead of {late:.1f} %"
    yield f"| real, {other['epochs']} epochs | quaternion, {other['epochs']} epochs |"
    first, second = level(ours, 3.0), level(ours, 2.0)
    then = f"{second.difference:.1f} at {second.weights_left:.1f} %"
    yield f"by {first.difference:.1f} points at {first.weights_left:.1f} % and {then}"


@claims(PAGE, "Section 5.2: resnet-20 on CIFAR-10, reduced")
def section_52() -> Iterator[str]:
    ours = "section-5.2-resnet-20-imp"
    s = settings(ours)
    yield reduced(ours)
    yield from rows([(100, 25), (16, 10.5), (6.9, 4.5), (3.1, 2.1), (1.5, 1.2), (None, 0.77)], pair(ours))
    gaps = [-one.difference for one in compare(ours).levels]
    yield f"at the quaternion network's rounds by {min(gaps):.1f} to {max(gaps):.1f} points"
    yield f"With {s['epochs'] * -(-s['images'] // s['batch_size'])} steps of training"
    real, quaternion = (Polyline.of(c.weights_left, c.mean) for c in pair(ours))
    gap = real.minus(quaternion)
    yield when((gap.values > 0).all(), "The real network is ahead at all weights left that both have")
    k = int(gap.values[0].argmin())
    yield f"at {gap.weights_left[k]:.0f} % the gap is {gap.values[0, k]:.1f}"


@claims(PAGE, "Dense networks on MNIST: Figures 2a and 5a")
def dense() -> Iterator[str]:
    lenet, small = (settings(name) for name, _ in DENSE.values())
    yield f"{lenet['images']:,} training images, Adam with rate {lenet['rate']}, batches of {lenet['batch_size']}"
    yield f"{lenet['epochs']} epochs (lenet-300-100, {seeds_of(DENSE['lenet-300-100'][0])})"
    yield f"{small['epochs']} epochs (lenet-12, {seeds_of('figure-5a')})"
    for arch, (name, figure) in DENSE.items():
        for algebra in ALGEBRAS:
            parameters = sum(count_parameters(arch, algebra == QUATERNION, (28, 28, 1), 10))
            ours, theirs = column(name, algebra), paper_column(figure, algebra)
            found = [spread(c.mean[k], c.deviation[k], 2) for c, k in ((ours, 0), (theirs, -1))]
            yield row([arch, algebra, f"{parameters:,}", *found])


@claims(PAGE, "Two epochs on CIFAR-10")
def two_epochs() -> Iterator[str]:
    names = [f"{arch}-cifar10-2-epochs" for arch in ("conv-2", "conv-4")]
    s = settings(names[0])
    yield f"{s['images']:,} training images, random crop and flip"
    yield f"but only {WORDS[s['epochs']]} epochs, {seeds_of(names[0])}"
    for name in names:
        yield row([results(name).arch, *(f"{c.mean[0]:.2f}" for c in pair(name))])
