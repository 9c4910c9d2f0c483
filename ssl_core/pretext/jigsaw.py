"""Jigsaw: in which order were the tiles?

Noroozi and Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016.
B: batch, G: tiles in a row, K = G * G: tiles of an image, S: image side, T: a tile's side, D: features, P: permutations.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, CroppedTask, Question, as_picture
from ssl_core.pretext.permutations import permutation_set
from ssl_core.pretext.tiles import cut, standardized, to_levels
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Jigsaw

_WIDEST = 1000
_LUMA = (0.299, 0.587, 0.114)


class JigsawTask(CroppedTask[Jigsaw]):
    """Shuffles tiles and asks for the permutation. The encoder sees each tile alone; only the head sees them beside each other.

    What would tell without knowing what is shown is taken away: a tile lies in its cell at random, so that no edge goes on in the
    next; its channels are shifted against each other, and normalised by their own mean and deviation; most images are grey.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        grid, count = self.settings.grid, self.settings.permutations
        assert grid != "auto"
        assert count != "auto"
        assert self.settings.color_jitter != "auto"
        self.grid = grid
        self.jitter = self.settings.color_jitter
        self.tile = self.settings.tile_side(self.size)
        orders = torch.from_numpy(permutation_set(grid * grid, count).astype("int64"))
        self.register_buffer("orders", orders)
        self.orders: Tensor
        width = min(_WIDEST, 2 * encoder.features)
        self.each = nn.Sequential(nn.Linear(encoder.features, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True))
        self.head = nn.Linear(grid * grid * width, count)

    def ask(self, images: Tensor) -> Question:
        """`tiles`: (B * K, 3, T, T), those of an image after each other in shuffled order; `orders`: int64 (B,) of 0 to P - 1."""
        return self._shuffled(self.cropped(images))

    def _shuffled(self, images: Tensor) -> Question:
        batch, device = len(images), images.device
        wanted = torch.randint(len(self.orders), (batch,), device=device)
        cells = self.orders[wanted]  # (B, K): which cell's tile comes at each place
        cell = self.size // self.grid
        room = cell - self.tile
        kept = min(self.jitter, room // 2)  # no channel shows anything of the next cell
        margin = torch.randint(kept, room - kept + 1, (2, *cells.shape), device=device)
        top = cells // self.grid * cell + margin[0]
        left = cells % self.grid * cell + margin[1]
        if self.jitter:
            shifts = torch.randint(-self.jitter, self.jitter + 1, (2, *cells.shape, 3), device=device)
            top, left = top.unsqueeze(2) + shifts[0], left.unsqueeze(2) + shifts[1]
        tiles = standardized(self._gray_for_some(cut(images, top, left, self.tile).float()))  # (B, K, 3, T, T)
        return {"tiles": tiles.flatten(0, 1).contiguous(memory_format=torch.channels_last), "orders": wanted}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 1 / P."""
        answers, orders = self._answers(question), question["orders"]
        return {"loss": functional.cross_entropy(answers, orders), "accuracy": (answers.argmax(1) == orders).float().mean()}

    def _answers(self, question: Question) -> Tensor:
        each = self.each(self.encoder(question["tiles"]))
        answers: Tensor = self.head(each.view(len(question["orders"]), -1)).float()
        return answers

    def _gray_for_some(self, tiles: Tensor) -> Tensor:
        """All tiles of an image lose their colours, or none: (B, K, 3, T, T)."""
        red, green, blue = tiles.unbind(2)
        luma = (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue).unsqueeze(2)
        gray = torch.rand(len(tiles), 1, 1, 1, 1, device=tiles.device) < self.settings.grayscale
        return torch.where(gray, luma, tiles)

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        cropped = self.cropped(images)
        tiles = to_levels(self._shuffled(cropped)["tiles"]).view(len(images), -1, 3, self.tile, self.tile)
        return (Panel("Images", as_picture(cropped)), Panel(f"{SEEN}: its tiles, shuffled", as_picture(self._laid_out(tiles))))

    def picture(self, images: Tensor) -> Picture:
        cropped = self.cropped(images)
        question = self._shuffled(cropped)
        answers = self._answers(question).argmax(1)
        right = (answers == question["orders"]).tolist()
        tiles = to_levels(question["tiles"]).view(len(images), -1, 3, self.tile, self.tile)
        # By the answer, the tile at place k is of the cell orders[answer][k].
        places = self.orders[answers].argsort(1)
        put_back = tiles.gather(1, places.view(*places.shape, 1, 1, 1).expand_as(tiles))
        panels = (
            Panel("image", as_picture(cropped)),
            Panel("shown", as_picture(self._laid_out(tiles))),
            Panel(
                "put back", as_picture(self._laid_out(put_back)), tuple("right" if yes else "wrong" for yes in right), tuple(right)
            ),
        )
        return Picture(panels, f"Of {len(right)} shuffled images, the network puts {sum(right)} back in order.")

    def _laid_out(self, tiles: Tensor) -> Tensor:
        """Tiles (B, K, 3, T, T) beside each other with gaps: (B, 3, side, side)."""
        side = self.tile + 2
        framed = functional.pad(tiles, (1, 1, 1, 1), value=255).view(len(tiles), self.grid, self.grid, 3, side, side)
        return framed.permute(0, 3, 1, 4, 2, 5).reshape(len(tiles), 3, self.grid * side, self.grid * side)
