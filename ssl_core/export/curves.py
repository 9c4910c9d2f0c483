"""The curves of a training as a picture."""

from pathlib import Path
from typing import Any

from ssl_core.card.files import CURVES

_MOST_PANELS = 6
_COLUMNS = 3
_DPI = 110
_COLOR = "#0072b2"
_CALLED = {"loss": "loss", "accuracy": "accuracy in the pretext task"}


def save_curves(config: dict[str, Any], folder: Path) -> None:
    """Draw the figures that a configuration has of the training, each in a panel by step; the same bytes for the same figures.

    Nothing is drawn of an encoder whose training is not known, or that has one step.
    """
    history = config.get("training", {}).get("history", {})
    steps = history.get("step", [])
    names = [name for name in history if name != "step"][:_MOST_PANELS]
    if len(steps) < 2 or not names:
        return
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.3 * columns + 0.3, 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for name, axes in zip(names, grid, strict=False):
        values = [float("nan") if value is None else value for value in history[name]]
        axes.plot(steps, values, color=_COLOR, linewidth=1.2)
        axes.set_title(_CALLED.get(name, name.replace("_", " ")), fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    figure.savefig(folder / CURVES, dpi=_DPI, metadata={"Software": None})
