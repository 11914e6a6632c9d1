"""docs/performance.md and its picture, from benchmarks/results/cpu.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "results" / "performance.png"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NAMES = ("lenet-300-100", "conv-2", "conv-4", "conv-6")


def write(results: dict[str, Any]) -> None:
    """Replace the measured part of the page, and draw the picture."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{measured(results)}\n{END}{after}")
    draw(results)


def measured(results: dict[str, Any]) -> str:
    """Return the tables in Markdown."""
    machine = results["machine"]
    blas = machine["blas"][0]
    names = [name for name in NAMES if name in results]
    lines = [
        f"Measured on {machine['processor']} with {machine['cores']} cores: NumPy {machine['packages']['numpy']} with"
        f" {blas['internal_api']} {blas['version']} ({blas['architecture']}), PyTorch {machine['torch']},"
        f" {machine['threads']} threads each; peak of a float32 matrix product {machine['gemm_gflops']:.0f} GFLOP/s.",
        "",
        "### Training step, batch 60",
        "",
        "Median milliseconds, and the median ratio with its quartiles. The last column is the fraction of the peak",
        "that the products of the real network's step are, as direct convolutions (Winograd's need fewer operations).",
        "",
        *table(
            [
                *("network", "real", "torch real", "ratio", "torch tuned", "ratio"),
                *("quaternion", "torch expanded", "ratio", "of the peak"),
            ],
            [
                training_row(name, results[name]["training"], machine["gemm_gflops"])
                for name in NAMES
                if name in results
            ],
        ),
        "",
        "### Inference",
        "",
        "Median milliseconds per batch, and the median ratio.",
        "",
        *table(
            ["network", "batch", "real", "torch real", "ratio", "quaternion", "torch expanded", "ratio"],
            [
                inference_row(name, batch, values)
                for name in names
                for batch, values in results[name]["inference"].items()
            ],
        ),
        "",
        "### Memory of training, batch 60",
        "",
        "Megabytes at the peak of three steps, above the process after its imports.",
        "",
        *table(
            ["network", "real", "torch real", "ratio", "quaternion", "torch expanded", "ratio"],
            [memory_row(name, results[name]["memory_mb"]) for name in names],
        ),
        "",
        "### Training step by round of pruning",
        "",
        "Median milliseconds of a step, by the weights left in percent of the network's own (20 % less a round), and",
        "of the same step when nothing is made of the masks. A lenet has one thread here, its default. An epoch of the",
        "paper has 1000 steps of a lenet (MNIST) or 834 of a conv net (CIFAR-10).",
        "",
        *table(
            ["weights left", *(f"{n}, {a}{d}" for n, a in pruned(results) for d in ("", " (dense)"))],
            round_rows([results[n]["rounds"][a] for n, a in pruned(results)]),
        ),
        "",
    ]
    return "\n".join(lines)


def pruned(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the networks and algebras whose steps were timed round by round."""
    return [(name, a) for name in NAMES if "rounds" in results.get(name, {}) for a in ("real", "quaternion")]


def round_rows(columns: list[list[dict[str, float]]]) -> list[list[str]]:
    """Return the rows of the last table: every second round."""
    return [
        [f"{row[0]['weights_left']:.3g} %", *(f"{c[k]:.3g}" for c in row for k in ("csr", "dense"))]
        for row in list(zip(*columns, strict=True))[::2]
    ]


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows]]


def training_row(name: str, values: dict[str, Any], peak: float) -> list[str]:
    """Return a row of the first table."""
    ms, ratios = values["median_ms"], values["ratio_quartiles"]

    def ratio(ours: str, theirs: str) -> str:
        low, median, high = ratios[f"{ours} / {theirs}"]
        return f"**{median:.2f}** ({low:.2f} to {high:.2f})"

    tuned, expanded = "torch real, channels_last, fused Adam", "torch quaternion, expanded"
    return [
        name,
        f"{ms['real']:.3g}",
        f"{ms['torch real']:.3g}",
        ratio("real", "torch real"),
        f"{ms[tuned]:.3g}",
        ratio("real", tuned),
        f"{ms['quaternion']:.3g}",
        f"{ms[expanded]:.3g}",
        ratio("quaternion", expanded),
        f"{100 * values['gflop'] / ms['real'] * 1000 / peak:.0f} %",
    ]


def inference_row(name: str, batch: str, values: dict[str, Any]) -> list[str]:
    """Return a row of the second table."""
    ms, ratios = values["median_ms"], values["ratio_quartiles"]
    expanded = "torch quaternion, expanded"
    return [
        name,
        batch,
        f"{ms['real']:.3g}",
        f"{ms['torch real']:.3g}",
        f"{ratios['real / torch real'][1]:.2f}",
        f"{ms['quaternion']:.3g}",
        f"{ms[expanded]:.3g}",
        f"{ratios[f'quaternion / {expanded}'][1]:.2f}",
    ]


def memory_row(name: str, mb: dict[str, float]) -> list[str]:
    """Return a row of the third table."""
    expanded = "torch quaternion, expanded"
    return [
        name,
        f"{mb['real']:.0f}",
        f"{mb['torch real']:.0f}",
        f"{mb['real'] / mb['torch real']:.2f}",
        f"{mb['quaternion']:.0f}",
        f"{mb[expanded]:.0f}",
        f"{mb['quaternion'] / mb[expanded]:.2f}",
    ]


def draw(results: dict[str, Any]) -> None:
    """Draw the ratios of the training steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in NAMES if name in results]
    pairs = {"real / torch real": "#b5482a", "quaternion / torch quaternion, expanded": "#2a5fb5"}
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for k, (pair, colour) in enumerate(pairs.items()):
        quartiles = [results[name]["training"]["ratio_quartiles"][pair] for name in names]
        middle = [q[1] for q in quartiles]
        spread = [[q[1] - q[0] for q in quartiles], [q[2] - q[1] for q in quartiles]]
        places = [n + 0.4 * k - 0.2 for n in range(len(names))]
        axes.bar(places, middle, 0.38, yerr=spread, color=colour, label=pair, capsize=3)
    axes.axhline(1, color="gray", linewidth=1)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("time of a training step, ratio")
    axes.legend(loc="upper left")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    write(json.loads((ROOT / "benchmarks" / "results" / "cpu.json").read_text()))
