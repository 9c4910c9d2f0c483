"""Jigsaw's settings."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto, SpecError
from ssl_core.spec.tasks.base import Circumstances, Concern, Cropped, refuse_small_tiles, smallest_tile
from ssl_core.statistics import Statistics

_LARGE_ENOUGH = 96
"""Image side in pixels from which nine tiles show something each."""


class Jigsaw(Cropped):
    """Tell in which order the shuffled tiles of an image were.

    To answer, an encoder has to know the parts of things and their places. Noroozi and Favaro, "Unsupervised Learning of Visual
    Representations by Solving Jigsaw Puzzles", ECCV 2016.
    """

    summary: ClassVar[str] = "Predict by which of a set of permutations the tiles of an image were shuffled."
    learns_from: ClassVar[str] = "the parts of things and their places; learns little from textures and from tiny images"
    preview: ClassVar[str] = "Images; below each, its tiles in the order in which the network sees them. It has to tell the order."
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.09246"

    name: Literal["jigsaw"] = "jigsaw"
    """The task's name."""
    grid: Auto | Literal[2, 3] = "auto"
    """Tiles in a row and in a column. `auto`: 2 below 96 px, 3 from there."""
    permutations: Auto | Annotated[int, Field(ge=2, le=10_000)] = "auto"
    """Number of permutations to choose from, as different from each other as can be; at most 24 with a grid of 2. `auto`: all 24
    with a grid of 2, 100 with one of 3 (more are harder, and not better)."""
    tile: float = Field(default=0.75, ge=0.5, le=0.9)
    """Side of a tile as a fraction of its cell's: it lies in it at random, so that no edge goes on in the next tile. 0.5 to 0.9."""
    grayscale: float = Field(default=0.66, ge=0, le=1)
    """Probability that an image loses its colours, by which neighbours could be told. 0 to 1."""
    color_jitter: Auto | Annotated[int, Field(ge=0, le=8)] = "auto"
    """Largest shift of each tile's channels against each other, in pixels: a lens's colour fringes tell where a tile was. 0 to 8.
    `auto`: a 32nd of a tile's side, so 2 for tiles of 64 px and 0 for those of small images."""

    def tile_side(self, image_size: int) -> int:
        """Side of a tile, in pixels. Asked once the grid is decided."""
        assert self.grid != "auto"
        return round(image_size // self.grid * self.tile)

    def resolved(self, about: Circumstances) -> Self:
        grid = self.grid if self.grid != "auto" else (2 if about.image_size < _LARGE_ENOUGH else 3)
        every = math.factorial(grid * grid)
        if self.permutations != "auto" and self.permutations > every:
            raise SpecError(
                "task.permutations", f"a grid of {grid} has {every} permutations; `permutations` is {self.permutations}"
            )
        task = super().resolved(about)
        count = min(100, every) if self.permutations == "auto" else self.permutations
        task = task.model_copy(update={"grid": grid, "permutations": count})
        if self.color_jitter == "auto":
            task = task.model_copy(update={"color_jitter": round(task.tile_side(about.image_size) / 32)})
        larger = task.model_copy(update={"grid": 2}).tile_side(about.image_size)
        fits = larger >= (smallest_tile(about.encoder) or 0) > task.tile_side(about.image_size)
        smaller = "choose a larger `image_size`" + (", or a `grid` of 2" if fits else "")
        refuse_small_tiles(task.tile_side(about.image_size), about.encoder, self.name, smaller)
        return task

    def chance(self) -> float | None:
        return None if self.permutations == "auto" else 1 / self.permutations

    def concerns(self, about: Statistics) -> list[Concern]:
        return [*about.borders("they tell the outer tiles' places"), *about.upscaled("its tiles hold next to nothing")]
