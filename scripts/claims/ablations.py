"""The sections of docs/results/README.md about the ablations."""

from __future__ import annotations

from collections.abc import Iterator

from claims import claims, figures, when
from claims.data import row, seeds, settings
from claims.figures import PAGE, amount, images
from claims.trials import (
    LEVELS,
    TICKS,
    cell,
    crossing,
    difference,
    gaps,
    mean,
    pairs,
    plain,
    signed,
    variants,
)

LENET, CONV = "ablations-lenet-12", "ablations-conv-2"
SHUFFLED = "quaternion, shuffled signs"
REACHED = LEVELS[:5]
"""The levels that the real network reaches."""


def accuracies(name: str) -> Iterator[str]:
    """Yield header and rows of the table of all variants."""
    yield row(["", *TICKS]).replace("|  |", "| |")
    for label in variants(name):
        yield row([label, *(cell(name, label, level) for level in LEVELS)])


def ahead_down_to(least: float) -> list[str]:
    """Return the ablations in which the quaternion network is ahead somewhere, with an interval that has no 0."""
    names = dict.fromkeys(label.partition(", ")[2] for label in variants(LENET))
    both = [n for n in names if all(f"{a}, {n}" in variants(LENET) for a in ("real", "quaternion"))]
    levels = [level for level in LEVELS if level >= least]
    found = {n: [difference(LENET, f"quaternion, {n}", f"real, {n}", level) for level in levels] for n in both}
    return [n for n, of in found.items() if any(mean > half for mean, half in of)]


@claims(PAGE, "Results")
def overview() -> Iterator[str]:
    yield from figures.overview()
    lenet, conv = variants(LENET), variants(CONV)
    few = min(map(len, lenet.values()))
    yield f"lenet-12, {few} seeds, {len(lenet)} variants; conv-2"
    yield f"conv-2, reduced, {len(conv['real'])} seed, {len(conv)} variants"
    yield "at 1.6 % of the weights"


@claims(PAGE, "On lenet-12")
def lenet() -> Iterator[str]:
    few = min(pairs(LENET, label, label) for label in variants(LENET))
    yield f"protocol `imp`, {seeds(few)} (0 to 4)"
    yield from accuracies(LENET)
    yield row(["", *TICKS[: len(REACHED)]]).replace("|  |", "| |")
    for name in dict.fromkeys(label.partition(", ")[2] for label in variants(LENET)):
        real, quaternion = (f"{algebra}, {name}" if name else algebra for algebra in ("real", "quaternion"))
        if real in variants(LENET) and quaternion in variants(LENET):
            found = (signed(difference(LENET, quaternion, real, level), star=True) for level in REACHED)
            yield row([f"quaternion - {real}", *found])
    last = LEVELS[4]
    real, quaternion = (mean(LENET, f"{a}, protocol of the paper", LEVELS[3]) for a in ("real", "quaternion"))
    yield f"the real network has {real:.1f} % at 3.1 % of the weights and the quaternion network {quaternion:.1f}"
    yield f"under `imp` {mean(LENET, 'real', LEVELS[3]):.1f} and {mean(LENET, 'quaternion', LEVELS[3]):.1f}"
    ahead = [
        difference(LENET, f"quaternion{n}", f"real{n}", last)
        for n in ("", ", matched initialisation", ", He initialisation")
    ]
    yield f"At 1.56 % the quaternion network is ahead by {plain(ahead[0])} points with the paper's initialisation"
    yield f"by {plain(ahead[1])} with the same variance and zero biases for both (matched)"
    yield f"and by {plain(ahead[2])} with He's"
    less = [plain(gaps(LENET, name, last)) for name in ("matched initialisation", "He initialisation")]
    yield f"That is less by {less[0]} and by {less[1]} points"
    only = ahead_down_to(LEVELS[3]) == ["random masks", "protocol of the paper"]
    yield when(only, f"Down to {TICKS[3]} of the weights only random masks and the protocol `paper` put it ahead")
    real, quaternion = (mean(LENET, f"{a}, random masks", LEVELS[3]) for a in ("real", "quaternion"))
    yield f"the real network falls to {real:.1f} % at 3.1 %, the quaternion network to {quaternion:.1f}"
    yield f"{mean(LENET, 'real, thin', LEVELS[0]):.1f} % at 25 %"
    anew = [difference(LENET, f"{a}, new initial weights", a, p) for a in ("real", "quaternion") for p in LEVELS[1:3]]
    lost = [f"{-bound(d for d, _ in anew):.1f}" for bound in (max, min)]
    yield f"cost both networks {lost[0]} to {lost[1]} points from 12.5 to 6.25 % of the weights"
    anew = [difference(LENET, f"{a}, new initial weights", a, last) for a in ("quaternion", "real")]
    yield f"At 1.56 % they change the quaternion network by {signed(anew[0])} points, the real one by {signed(anew[1])}"
    longer = [plain(difference(LENET, f"{a}, trained three times as long", a, last)) for a in ("real", "quaternion")]
    yield f"at 1.56 % the real network loses {longer[0]} points, the quaternion network {longer[1]}"


@claims(PAGE, "Shared weights, or Hamilton's signs?")
def shuffled() -> Iterator[str]:
    compared = {
        "quaternion - real": ("quaternion", "real"),
        "shuffled - real": (SHUFFLED, "real"),
        "shuffled - quaternion": (SHUFFLED, "quaternion"),
    }
    for title, (label, subtracted) in compared.items():
        found = (signed(difference(LENET, label, subtracted, level), star=True) for level in REACHED)
        yield row([title, str(pairs(LENET, label, subtracted)), *found])
    yield row(["", "seeds", *TICKS[: len(REACHED)]]).replace("|  |", "| |")
    real, kept, lost = (difference(LENET, *pair, LEVELS[4]) for pair in compared.values())
    yield f"At 1.56 % shuffled signs keep {plain(kept)} of the {real[0]:.1f} points"
    yield f"from {kept[0] - kept[1]:+.1f} to {kept[0] + kept[1]:+.1f}"
    just = abs(lost[0]) > lost[1]
    yield when(just, f"lose {plain(lost)} points against Hamilton's, an interval that just excludes zero")
    far = difference(LENET, SHUFFLED, "quaternion", LEVELS[5])
    yield f"at 0.78 % {plain(far)}"
    near = [difference(LENET, SHUFFLED, "quaternion", level) for level in LEVELS[:4]]
    furthest = max(abs(m) for m, _ in near)
    yield f"Down to 3.1 % of the weights shuffled and real signs differ by at most {furthest:.1f} points"
    yield when(all(abs(m) < half for m, half in near), "and no interval excludes zero")


@claims(PAGE, "On conv-2, reduced")
def conv() -> Iterator[str]:
    yield f"**{seeds(len(variants(CONV)['real']))}**: {images(CONV)}, {settings(CONV)['epochs']} epochs, {amount(CONV)}"
    yield from accuracies(CONV)
    pairs_of = [
        ("quaternion", "real"),
        ("quaternion, matched initialisation", "real, matched initialisation"),
        (SHUFFLED, "real"),
    ]
    at = [crossing(CONV, *pair) for pair in pairs_of]
    yield f"overtakes at {at[0]:.1f} % of the weights, at {at[1]:.1f} % with matched initialisation"
    (real,) = variants(CONV)["real"].values()
    last = float(real.weights_left[-1])
    ahead = [difference(CONV, *pair, last)[0] for pair in pairs_of[:2]]
    yield f"at {last:.2f} % it is ahead by {ahead[0]:.1f} and {ahead[1]:.1f} points"
    changes = [difference(CONV, SHUFFLED, "quaternion", level)[0] for level in LEVELS]
    yield f"Shuffled signs change {min(changes):+.1f} to {max(changes):+.1f} points"
    yield f"the real one, at {at[2]:.1f} %"
