"""The pictures of a report, each as PNG and as SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Pixels = npt.NDArray[np.uint8]

COLORS = {"pretrained": "#0072b2", "probed": "#009e73", "scratch": "#d55e00", "untrained": "#d55e00"}
"""Told apart by the colour-blind too (Okabe and Ito, 2008)."""
_OF_REFERENCES = ("#cc79a7", "#e69f00", "#56b4e9")
_MOST_NAMED = 25
_MOST_WRITTEN = 12
_LONGEST_NAME = 28
_DPI = 130


def save(figure: Figure, folder: Path, name: str) -> list[str]:
    """Write a figure as PNG and SVG, the same bytes each time. Gives the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(folder / f"{name}.png", dpi=_DPI, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    return [f"{name}.png", f"{name}.svg"]


def label_efficiency(points: Sequence[dict[str, Any]], chance: float, references: dict[str, str] | None = None) -> Figure:
    """Accuracy by labels per class, with 95% intervals. `references`: what others are called, by how `points` call them."""
    figure, axes = empty(6.4, 4.2)
    lines = [
        ("pretrained_fine_tune", "pretrained, fine-tuned", COLORS["pretrained"], "o-"),
        ("pretrained_linear", "pretrained, linear probe", COLORS["probed"], "o-"),
        ("scratch", "from scratch", COLORS["scratch"], "o-"),
    ]
    for color, (id_, called) in zip(_OF_REFERENCES, (references or {}).items(), strict=False):
        lines += [
            (f"{id_}_fine_tune", f"{_short(called)}, fine-tuned", color, "s-"),
            (f"{id_}_linear", f"{_short(called)}, linear probe", color, "^--"),
        ]
    for name, called, color, style in lines:
        shown = [(point["labels_per_class"], point[name]) for point in points if point.get(name)]
        if shown:
            places = [place for place, _ in shown]
            low, high = ([100 * min(1, max(0, one[end])) for _, one in shown] for end in ("low", "high"))
            axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
            axes.plot(places, [100 * one["mean"] for _, one in shown], style, color=color, label=called, markersize=4)
    axes.axhline(100 * chance, color="0.6", linewidth=1, linestyle=":", label="guessing")
    axes.set_xscale("log")
    ticks = [point["labels_per_class"] for point in points]
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("labels per class")
    axes.set_ylabel("test accuracy, %")
    axes.set_title("Accuracy by labels, with 95% intervals over draws of labels and weights", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return figure


def stages(measures: dict[str, dict[str, dict[str, float]]]) -> Figure:
    """Accuracy after each stage, of the pretrained and of the untrained encoder. By measure, encoder and stage."""
    figure, axes = empty(6.4, 3.6)
    first = next(iter(measures.values()))
    names = list(next(iter(first.values())))
    others = [encoder for encoder in first if encoder not in COLORS]
    colors = {**COLORS, **dict(zip(others, _OF_REFERENCES, strict=False))}
    for measure, encoders in measures.items():
        for encoder, of_stage in encoders.items():
            axes.plot(
                # A reference may have more stages, or fewer: they lie evenly along its depth.
                np.linspace(0, len(names) - 1, len(of_stage)),
                [100 * accuracy for accuracy in of_stage.values()],
                "o-" if measure == "linear" else "s--",
                color=colors[encoder],
                label=f"{measure}, {_short(encoder)}",
                markersize=4,
            )
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("test accuracy, %")
    axes.set_title("What the features after each stage know of the classes", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return figure


def confusion(matrix: Sequence[Sequence[int]], names: Sequence[str], measure: str) -> Figure:
    """Which classes are taken for which, in percent of each class."""
    counts = np.asarray(matrix, float)
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(9.0, 3.2 + 0.35 * len(names))
    figure, axes = empty(side, side * 0.9)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, shrink=0.8, label="% of the class")
    if len(names) <= _MOST_NAMED:
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    if len(names) <= _MOST_WRITTEN:
        for row in range(len(names)):
            for column in range(len(names)):
                color = "white" if shares[row, column] > 50 else "black"
                axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", fontsize=7, color=color)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"Confusion by {measure}", fontsize=9)
    return figure


def neighbours(
    queries: Pixels, found: Sequence[Pixels], query_names: Sequence[str], found_names: Sequence[Sequence[str]]
) -> Figure:
    """Test images, each in a row with the training images most similar to it. Frames tell whether the class is the same."""
    columns = len(found[0]) + 1
    figure = Figure(figsize=(1.05 * columns, 1.2 * len(queries)), layout="constrained")
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for row, (query, images) in enumerate(zip(queries, found, strict=True)):
        tile(grid[row][0], query, query_names[row], "0.2")
        for column, image in enumerate(images):
            name = found_names[row][column]
            tile(grid[row][column + 1], image, name, "#009e73" if name == query_names[row] else "#d55e00")
    return figure


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def tile(axes: Axes, image: Pixels, name: str, color: str) -> None:
    """An image in a frame, with its name above."""
    axes.imshow(image, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=color, linewidth=2)
    axes.set_title(name[:14], fontsize=6, color=color)


def empty(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure to plot into, sides in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
