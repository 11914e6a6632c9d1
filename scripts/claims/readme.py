"""README.md."""

from __future__ import annotations

from collections.abc import Iterator

from claims import claims, when
from claims.ablations import LENET, SHUFFLED
from claims.data import compare, crossing, level, paper_crossing, results, seeds, seeds_of
from claims.figures import paper_accuracies, reduction
from claims.trials import LEVELS, TICKS, difference, pairs, plain
from quatnet.nn.architectures import architecture

PAGE = "README.md"


@claims(PAGE, "quatnet")
def head() -> Iterator[str]:
    yield when(min(results("figure-5b-paper").curves["quaternion"].weights_left) < 1, "down to 1 % and below")
    (hidden,) = architecture("lenet-12").hidden
    yield f"lenet-12 ({hidden} hidden neurons) on the real MNIST, {seeds_of('figure-5b-imp')} with 95 % bands"


@claims(PAGE, "What the paper found")
def the_paper() -> Iterator[str]:
    real, quaternion = paper_accuracies("4c", LEVELS[3])
    yield f"at {TICKS[3]} of the real network's weights the quaternion Conv-4 has {quaternion:.1f} % accuracy"
    yield f"the real one {real:.1f} % (Figure 4c)"


@claims(PAGE, "What quatnet found so far")
def found() -> Iterator[str]:
    late = level("figure-5b-imp", 1.7)
    yield f"(above), {seeds_of('figure-5b-paper')}"
    yield f"the quaternion network overtakes at {crossing('figure-5b-paper'):.1f} % of the weights"
    yield f"the curves cross at {crossing('figure-5b-imp'):.2f} %"
    yield f"{late.difference:.1f} points ahead at {late.weights_left:.1f} %"
    ahead = [("quaternion", "real"), ("quaternion, He initialisation", "real, He initialisation"), (SHUFFLED, "real")]
    yield f"of {seeds(pairs(LENET, SHUFFLED, 'real'))}, under `imp`, do not say"
    points = [plain(difference(LENET, *pair, LEVELS[4])) for pair in ahead]
    yield f"at {TICKS[4]} of the weights the quaternion network is ahead by {points[0]} points (95 % interval)"
    yield f"with He's initialisation by {points[1]}"
    yield f"which is no algebra any more, by {points[2]}"
    yield f"CIFAR-10**, {seeds_of('figure-4c-imp')}, {reduction('figure-4c-imp')}, under `imp`"
    conv_2, at = compare("figure-4b-imp"), level("figure-4c-imp", 2.7)
    yield f"the curves of Conv-4 cross at {crossing('figure-4c-imp'):.1f} % of the weights"
    yield f"(the paper: {paper_crossing('4c'):.1f} %), and the quaternion network"
    yield f"the quaternion network is {at.difference:.1f} points ahead at {at.weights_left:.1f} %"
    behind = all(one.difference < 0 for one in conv_2.levels)
    last = f"{conv_2.levels[-1].weights_left:.1f} %"
    yield when(behind, f"behind down to {last} (the paper: ahead below {paper_crossing('4b'):.1f} %)")
    early = crossing("figure-6-lenet-12")
    yield f"{seeds_of('figure-6-lenet-12')}: the curves still cross, at {early:.1f} % of the weights"
