"""The pictures of how accuracy holds out against attacks and corruptions."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ssl_core.data import derived_seed
from ssl_core.evaluate.classifier import as_pixels, exact_arithmetic, logits_of
from ssl_core.evaluate.corruptions import CORRUPTIONS, corrupted
from ssl_core.evaluate.one_pixel import with_pixel
from ssl_core.evaluate.plots import COLORS, empty, tile
from ssl_core.evaluate.robustness import COMPARED, Robust
from ssl_core.evaluate.robustness_words import called
from ssl_core.evaluate.subject import Subject

Found = dict[str, Any]
Pixels = npt.NDArray[np.uint8]

_ATTACKS = {"noise": (":", "random noise"), "fgsm": ("--", "FGSM"), "pgd": ("-", "PGD")}
_RIGHT, _WRONG = "#009e73", "#d55e00"
_MOST_SHOWN = 5
_SEVERITIES_SHOWN = (1, 3, 5)


def figures(told: Found, robust: Robust, subject: Subject) -> dict[str, Figure]:
    """All of them, by the names of their files."""
    first = next(iter(told["heads"]))
    found = {"robustness": _curves(told)}
    if told["heads"][first]["pretrained"]["corruptions"]:
        found["corruptions"] = _bars(told["heads"][first])
    with exact_arithmetic():
        drawn = _Examples(told, robust, subject, first)
        examples = {"attacked": drawn.attacked(), "one_pixel": drawn.one_pixel()}
        if "corruptions" in found:
            examples["corrupted"] = drawn.corrupted()
    return {**found, **{name: figure for name, figure in examples.items() if figure is not None}}


def _curves(told: Found) -> Figure:
    """Accuracy by epsilon."""
    heads: Found = told["heads"]
    figure = Figure(figsize=(6.2 * len(heads), 4.4), layout="constrained")
    for axes, (head, networks) in zip(figure.subplots(1, len(heads), squeeze=False)[0], heads.items(), strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        ticks = [one["epsilon"] for one in next(iter(networks.values()))["attacks"]]
        places = range(len(ticks))
        for who, found in networks.items():
            for attack, (style, name) in _ATTACKS.items():
                shares = [100 * one[attack] for one in found["attacks"]]
                axes.plot(places, shares, style, marker="o", markersize=3, color=COLORS[who], label=f"{name}, {who}")
            at = ticks.index(told["control_epsilon"])
            axes.plot([at], [100 * found["control"]["accuracy"]], "*", color=COLORS[who], markersize=9, label=f"search, {who}")
        axes.set_xticks(places, ["clean", *(called(tick) for tick in ticks[1:])], fontsize=8)
        axes.set_ylim(0, min(100, 140 * max(found["accuracy"] for found in networks.values())))  # room for the legend
        axes.set_xlabel("largest change of a value (epsilon)")
        axes.set_ylabel("test accuracy, %")
        axes.set_title(f"Accuracy under attack, {'linear head' if head == 'linear' else 'fine-tuned'}", fontsize=9)
        axes.legend(fontsize=7, frameon=False, ncols=2, handlelength=3, loc="upper right")
    return figure


def _bars(networks: Found) -> Figure:
    """Accuracy by kind of corruption, the mean over the severities, with the mildest and the strongest as ends of a line."""
    figure, axes = empty(6.6, 4.8)
    for number, (who, found) in enumerate(networks.items()):
        places = np.arange(len(CORRUPTIONS)) + 0.38 * (number - 0.5)
        of_kind = [found["corruptions"][kind] for kind in CORRUPTIONS]
        means = [100 * one["accuracy"] for one in of_kind]
        label = f"{who}: {100 * found['corrupted_accuracy']:.1f}% in the mean, {100 * found['accuracy']:.1f}% clean"
        axes.barh(places, means, 0.36, color=COLORS[who], label=label)
        low, high = ([100 * pick(one["by_severity"]) for one in of_kind] for pick in (min, max))
        axes.hlines(places, low, high, color="black", linewidth=1)
        axes.axvline(100 * found["accuracy"], color=COLORS[who], linewidth=1, linestyle=":")
    axes.set_yticks(range(len(CORRUPTIONS)), [kind.replace("_", " ") for kind in CORRUPTIONS], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy, %")
    axes.set_title("Accuracy under corruptions, mean of five severities; lines: from worst to best, dotted: clean", fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, -0.24), ncols=2)
    return figure


class _Examples:
    """Pictures of single images, as the pretrained encoder's head takes them."""

    def __init__(self, told: Found, robust: Robust, subject: Subject, head: str) -> None:
        self._told, self._robust, self._subject = told, robust, subject
        self._who = COMPARED[head][0]
        self._found = told["heads"][head][self._who]
        self._network = robust.network(head, self._who)
        right = self._predicted(robust.images) == robust.labels
        self._shown = np.flatnonzero(right)[:_MOST_SHOWN]

    def _predicted(self, images: Pixels) -> npt.NDArray[np.int64]:
        return self._classes(as_pixels(images, self._subject.device))

    def _classes(self, pixels: torch.Tensor) -> npt.NDArray[np.int64]:
        found: npt.NDArray[np.int64] = logits_of(self._network, pixels, self._subject.stop).argmax(1).cpu().numpy()
        return found

    def attacked(self) -> Figure | None:
        """Images as they are, what descent adds to them, and what the network then says."""
        if not len(self._shown):
            return None
        epsilon, names = self._told["control_epsilon"], self._subject.parts.names
        labels = self._robust.labels[self._shown]
        pixels = as_pixels(self._robust.images[self._shown], self._subject.device)
        generator = torch.Generator().manual_seed(derived_seed(self._subject.seed, "attack shown", 0))
        truth = torch.from_numpy(labels).to(self._subject.device)
        made = self._robust.descent(self._network, pixels, truth, epsilon, generator).images
        magnified = 0.5 + (made - pixels) / (2 * epsilon)
        said = self._classes(made)
        figure = Figure(figsize=(4.6, 1.45 * len(labels)), layout="constrained")
        grid = figure.subplots(len(labels), 3, squeeze=False)
        for row, label in enumerate(labels):
            tile(grid[row][0], _picture(pixels[row]), names[label], "0.2")
            tile(grid[row][1], _picture(magnified[row]), f"x {1 / (2 * epsilon):.0f}", "0.6")
            tile(grid[row][2], _picture(made[row]), names[said[row]], _RIGHT if said[row] == label else _WRONG)
        figure.suptitle(f"Clean, what PGD adds at {called(epsilon)}, attacked: what the network says", fontsize=8)
        return figure

    def one_pixel(self) -> Figure | None:
        """Images with the one pixel that fools the network; none if there are none."""
        found = (self._found["one_pixel"] or {}).get("found", [])[: 2 * _MOST_SHOWN]
        if not found:
            return None
        names = self._subject.parts.names
        columns = min(_MOST_SHOWN, len(found))
        figure = Figure(figsize=(1.5 * columns + 0.4, 1.75 * -(-len(found) // columns)), layout="constrained")
        grid = figure.subplots(-(-len(found) // columns), columns, squeeze=False).ravel()
        for axes in grid[len(found) :]:
            axes.set_axis_off()
        for axes, one in zip(grid, found, strict=False):
            place = one["image"]
            member = torch.tensor([[one["row"], one["column"], *one["color"]]], dtype=torch.float32)
            changed = with_pixel(as_pixels(self._robust.images[[place]], torch.device("cpu")), member)
            tile(axes, _picture(changed[0]), "", _WRONG)
            axes.set_title(f"{names[self._robust.labels[place]][:12]}\nas {names[one['predicted']][:12]}", fontsize=6, color=_WRONG)
            _ring(axes, one["column"], one["row"], changed.shape[-1])
        return figure

    def corrupted(self) -> Figure | None:
        """One image in each kind of corruption, and what the network says of it."""
        if not len(self._shown):
            return None
        place, names = int(self._shown[0]), self._subject.parts.names
        label = self._robust.labels[place]
        figure = Figure(figsize=(1.12 * len(CORRUPTIONS), 1.35 * len(_SEVERITIES_SHOWN)), layout="constrained")
        grid = figure.subplots(len(_SEVERITIES_SHOWN), len(CORRUPTIONS), squeeze=False)
        for row, severity in enumerate(_SEVERITIES_SHOWN):
            for column, kind in enumerate(CORRUPTIONS):
                image = corrupted(self._robust.images[[place]], kind, severity, seed=self._subject.seed)
                said = int(self._predicted(image)[0])
                tile(grid[row][column], _middle(image[0]), names[said], _RIGHT if said == label else _WRONG)
                if column == 0:
                    grid[row][0].set_ylabel(f"severity {severity}", fontsize=7)
                if row == len(_SEVERITIES_SHOWN) - 1:
                    grid[row][column].set_xlabel(kind.replace("_", " "), fontsize=7)
        return figure


def _ring(axes: Axes, column: int, row: int, side: int) -> None:
    ring = Line2D([column], [row], marker="o", markersize=12, markerfacecolor="none", markeredgecolor="white", linewidth=0)
    outer = Line2D([column], [row], marker="o", markersize=14, markerfacecolor="none", markeredgecolor="black", linewidth=0)
    for each in (outer, ring):
        axes.add_line(each)
    axes.set_xlim(-0.5, side - 0.5)
    axes.set_ylim(side - 0.5, -0.5)


def _picture(pixels: torch.Tensor) -> Pixels:
    """uint8 (S, S, 3) of pixels (3, S, S), or of the middle frame of a clip."""
    levels: Pixels = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).cpu().numpy()
    return _middle(levels)


def _middle(image: Pixels) -> Pixels:
    return image if image.ndim == 3 else image[len(image) // 2]
