"""Relative position: where does this patch lie, seen from the middle?

Doersch, Gupta and Efros, "Unsupervised Visual Representation Learning by Context Prediction", ICCV 2015.
B: batch, S: image side, T: a patch's side, K: patches of each image that are looked at, 9 or 2, Q: questions, 8 * B or B.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import shift_and_flip
from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, PretextTask, Question, as_picture
from ssl_core.pretext.tiles import cut, standardized, to_levels
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import RelativePosition

_PLACES = ("top left", "top", "top right", "left", "right", "bottom left", "bottom", "bottom right")
_CELLS = (0, 1, 2, 3, 5, 6, 7, 8)
"""Of the 3 x 3 cells, those around the middle, as the answers count them."""
_MIDDLE = 4
_HIDDEN = 512
_DIMMED = 0.4
"""What is left, in a preview, of the contrast of an image beside its patches."""
_NOISE = 0.01
"""Standard deviation of what takes the place of dropped channels, relative to that of the one that is kept."""


class RelativePositionTask(PretextTask[RelativePosition]):
    """Cuts patches with gaps between them and asks for the place of each beside the middle one.

    A lens's colour fringes would tell where a patch was, and so would edges that go on from one to the next, and tones that
    change over the image: hence the gaps, the jitter, the loss of colour, and the normalisation of each patch by itself.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.patch = self.settings.patch(self.size)
        self.jitter = max(1, round(self.settings.jitter * self.patch)) if self.settings.jitter else 0
        self.head = nn.Sequential(
            nn.Linear(2 * encoder.features, _HIDDEN, bias=False),
            nn.BatchNorm1d(_HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(_HIDDEN, len(_PLACES)),
        )

    def ask(self, images: Tensor) -> Question:
        """`patches`: (B * K, 3, T, T), those of an image after each other, the middle one first; `places`: int64 (B, K - 1)."""
        images = shift_and_flip(images, 0, flip=self.settings.flip)
        batch, device = len(images), images.device
        if self.settings.pairs == "all":
            return self._asked(images, torch.arange(len(_PLACES), device=device).expand(batch, -1))
        return self._asked(images, torch.randint(len(_PLACES), (batch, 1), device=device))

    def _asked(self, images: Tensor, places: Tensor) -> Question:
        """The question about patches at places, int64 (B, K - 1)."""
        top, left = self._corners(places)
        patches = self._normalized(cut(images, top, left, self.patch).float()).flatten(0, 1)
        return {"patches": patches.contiguous(memory_format=torch.channels_last), "places": places}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 0.125."""
        answers, places = self._answers(question), question["places"].flatten()
        return {"loss": functional.cross_entropy(answers, places), "accuracy": (answers.argmax(1) == places).float().mean()}

    def _answers(self, question: Question) -> Tensor:
        features = self.encoder(question["patches"]).view(len(question["places"]), -1, self.encoder.features)  # (B, K, D)
        middle, others = features[:, :1], features[:, 1:]
        pairs = torch.cat([middle.expand_as(others), others], 2)  # (B, K - 1, 2D)
        answers: Tensor = self.head(pairs.flatten(0, 1)).float()
        return answers

    def _corners(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """First rows and columns (B, K) of the middle patch and of those at places (B, K - 1)."""
        middle = torch.full((len(places), 1), _MIDDLE, device=places.device)
        cells = torch.cat([middle, places + (places >= _MIDDLE)], 1)  # (B, K): the middle one is no place to ask about
        return self._corner(cells // 3), self._corner(cells % 3)

    def _corner(self, cells: Tensor) -> Tensor:
        """Where patches begin, in pixels, of the number of their cell in a row or column, jittered and within the image."""
        last = self.size - self.patch
        jitter = torch.randint(-self.jitter, self.jitter + 1, cells.shape, device=cells.device)
        return (cells * last // 2 + jitter).clamp_(0, last)

    def _normalized(self, patches: Tensor) -> Tensor:
        """Patches (B, K, 3, T, T), each by itself, without what a lens's colour fringes would tell."""
        if self.settings.color == "project":
            red, green, blue = patches.unbind(2)
            fringes = (2 * green - red - blue).unsqueeze(2) / 6  # along the axis from magenta (-1, 2, -1) to green
            patches = torch.cat([patches[:, :, :1] + fringes, patches[:, :, 1:2] - 2 * fringes, patches[:, :, 2:] + fringes], 2)
        patches = standardized(patches)
        if self.settings.color != "drop":
            return patches
        # The same channel of all patches of an image is kept, else the choice itself would say something.
        kept = torch.randint(3, (len(patches), 1, 1, 1, 1), device=patches.device)
        dropped = torch.arange(3, device=patches.device).view(1, 1, 3, 1, 1) != kept
        return torch.where(dropped, torch.randn_like(patches) * _NOISE, patches)

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        flipped = shift_and_flip(images, 0, flip=self.settings.flip)
        places = torch.randperm(len(_PLACES))[: len(images)]
        top, left = self._corners(places.unsqueeze(1))
        patches = to_levels(self._normalized(cut(flipped, top, left, self.patch).float()))  # (B, 2, 3, T, T)
        side = torch.arange(self.size)
        rows, columns = ((side >= start.unsqueeze(2)) & (side < start.unsqueeze(2) + self.patch) for start in (top, left))
        inside = (rows.unsqueeze(3) & columns.unsqueeze(2)).any(1, keepdim=True)  # (B, 1, S, S)
        dimmed = torch.where(inside, flipped.float(), flipped * _DIMMED + 255 * (1 - _DIMMED))
        gap = patches.new_full((len(images), 3, self.patch, max(1, self.patch // 8)), 255)
        return (
            Panel("Images, and two patches of each", as_picture(dimmed)),
            Panel(
                f"{SEEN}, and where the second lies",
                as_picture(torch.cat([patches[:, 0], gap, patches[:, 1]], 3)),
                tuple(_PLACES[place] for place in places),
            ),
        )

    def picture(self, images: Tensor) -> Picture:
        flipped = shift_and_flip(images, 0, flip=self.settings.flip)
        question = self._asked(flipped, torch.randint(len(_PLACES), (len(images), 1), device=images.device))
        answers, places = self._answers(question).argmax(1), question["places"].flatten()
        patches = to_levels(question["patches"]).view(len(images), 2, 3, self.patch, self.patch)
        right = (answers == places).tolist()
        panels = (
            Panel("image", as_picture(flipped)),
            Panel("right", as_picture(self._laid_out(patches, places)), tuple(_PLACES[place] for place in places)),
            Panel("answer", as_picture(self._laid_out(patches, answers)), tuple(_PLACES[place] for place in answers), tuple(right)),
        )
        return Picture(panels, f"Of {len(right)} patches, the network tells the place of {sum(right)}.")

    def _laid_out(self, patches: Tensor, places: Tensor) -> Tensor:
        """The middle patch and the other one (B, 2, 3, T, T), at its place (B,), on white: (B, 3, side, side)."""
        step = round(self.patch * (1 + self.settings.gap))
        sheet = patches.new_full((len(patches), 3, 2 * step + self.patch, 2 * step + self.patch), 255)
        sheet[:, :, step : step + self.patch, step : step + self.patch] = patches[:, 0]
        for one, patch, place in zip(sheet, patches[:, 1], places.tolist(), strict=True):
            top, left = _CELLS[place] // 3 * step, _CELLS[place] % 3 * step
            one[:, top : top + self.patch, left : left + self.patch] = patch
        return sheet
