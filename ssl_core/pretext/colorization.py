"""Colorization: which colours has an image of which only the lightness is seen?

Zhang, Isola and Efros, "Colorful Image Colorization", ECCV 2016.
B: batch, S: image side, h: side of the answer, Q: bins of colour, N: neighbours that a colour is spread over, C: channels.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.color import lab, lightness, srgb
from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, CroppedTask, Question, as_picture
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Colorization

_LOOKED_AT = 2000
_WIDTH = 128
_SHRINK = 4
"""The answer has a fourth of the image's side: colours are smooth."""
_REACH = 128
"""Largest |a| or |b|, in units of CIE Lab."""


class ColorizationTask(CroppedTask[Colorization]):
    """Shows the lightness and asks for a distribution over colours, quantised, at each place.

    The bins and how often each occurs are those of the dataset. Rare colours count for more, or else all answers would be grey.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.side = max(2, self.size // _SHRINK)
        channels, _ = encoder.map_shape(self.size)
        self.reduce = nn.Sequential(nn.Conv2d(channels, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU(inplace=True))
        self.refine = nn.Sequential(nn.Conv2d(_WIDTH, _WIDTH, 3, 1, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU(inplace=True))
        self.head = nn.Conv2d(_WIDTH, 1, 1)
        self.register_buffer("bins", torch.zeros(1, 2))
        self.register_buffer("prior", torch.ones(1))
        self.register_buffer("nearest", torch.zeros(1, 1, dtype=torch.int64), persistent=False)
        self.bins: Tensor
        self.prior: Tensor
        self.nearest: Tensor

    def prepare(self, images: npt.NDArray[np.uint8]) -> None:
        """Find the bins that occur, and how often, in up to 2,000 images spread over the dataset."""
        chosen = np.linspace(0, len(images) - 1, min(_LOOKED_AT, len(images))).astype(np.int64)
        parts = [
            self._colors(torch.from_numpy(images[part]).permute(0, 3, 1, 2)) for part in np.array_split(chosen, 20) if len(part)
        ]
        found = torch.cat([part.permute(0, 2, 3, 1).reshape(-1, 2) for part in parts])  # (pixels, 2)
        self.bins = torch.unique((found / self.settings.bin_size).round(), dim=0) * self.settings.bin_size  # (Q, 2)
        self.nearest = self._nearest_bins()
        count = torch.zeros(len(self.bins))
        for part in parts:
            neighbours, shares = self._spread(part)
            count.scatter_add_(0, neighbours.flatten(), shares.flatten())
        self.prior = count / count.sum()
        self.head = nn.Conv2d(_WIDTH, len(self.bins), 1)

    def _nearest_bins(self) -> Tensor:
        """For every whole-numbered a and b, the bins nearest to it: int64 ((2 * 128 + 1)^2, N)."""
        place = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
        every = torch.cartesian_prod(place, place)
        count = min(self.settings.neighbours, len(self.bins))
        parts = [torch.cdist(part, self.bins).topk(count, largest=False).indices for part in torch.split(every, 8192)]
        return torch.cat(parts)

    def _colors(self, images: Tensor) -> Tensor:
        """A and b of images (B, 3, S, S), averaged over what the answer's places cover: (B, 2, h, h)."""
        small = functional.adaptive_avg_pool2d(images.float(), self.side)
        return lab(small)[:, 1:]

    def _spread(self, colors: Tensor) -> tuple[Tensor, Tensor]:
        """Soft encoding of a and b (B, 2, h, h): the nearest bins, int64 (B, N, h, h), and each one's share, which sum to 1."""
        index = colors.round().clamp(-_REACH, _REACH).long() + _REACH
        neighbours = self.nearest[index[:, 0] * (2 * _REACH + 1) + index[:, 1]]  # (B, h, h, N)
        squares = (self.bins[neighbours] - colors.permute(0, 2, 3, 1).unsqueeze(3)).square().sum(4)
        shares = torch.softmax(-squares / (2 * self.settings.sigma**2), 3)
        return neighbours.permute(0, 3, 1, 2), shares.permute(0, 3, 1, 2)

    def ask(self, images: Tensor) -> Question:
        """Take the colours away.

        `images`: (B, 3, S, S), the lightness alone; `neighbours`, `shares`: (B, N, h, h), the colours' soft encoding;
        `weights`: (B, h, h), what each place counts.
        """
        cropped = self.cropped(images)
        colors = self._colors(cropped)
        neighbours, shares = self._spread(colors)
        truth = neighbours.gather(1, shares.argmax(1, keepdim=True)).squeeze(1)
        colorful = (colors.abs().amax((1, 2, 3)) > self.settings.gray_below).view(-1, 1, 1)
        weights = self._importance()[truth] * colorful
        return {"images": self.as_input(lightness(cropped)), "neighbours": neighbours, "shares": shares, "weights": weights}

    def _importance(self) -> Tensor:
        """What each bin counts, (Q,): 1 on average over the dataset."""
        smoothing = self.settings.prior_smoothing
        inverse = 1 / ((1 - smoothing) * self.prior + smoothing / len(self.prior))
        return inverse / (inverse * self.prior).sum()

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Paint.

        `loss`: cross-entropy in nats a place, each place by its weight; `information`: by how much it is below that of the best
        answer that looks at no image, the dataset's own distribution; `accuracy`: of the likeliest bin, 0 to 1.
        """
        logits = self._logits(question["images"])
        neighbours, shares, weights = question["neighbours"], question["shares"], question["weights"]
        counted = (weights > 0).float()
        places = counted.sum().clamp(min=1)
        each = -(functional.log_softmax(logits, 1).gather(1, neighbours) * shares).sum(1)  # (B, h, h)
        with torch.no_grad():
            blind = (self.prior * self._importance()).clamp(min=1e-9).log()
            by_prior = -(blind[neighbours] * shares).sum(1)
            truth = neighbours.gather(1, shares.argmax(1, keepdim=True)).squeeze(1)
            information = ((by_prior - each) * weights).sum() / places
            accuracy = ((logits.argmax(1) == truth) * counted).sum() / places
        return {"loss": (each * weights).sum() / places, "information": information, "accuracy": accuracy}

    def _logits(self, images: Tensor) -> Tensor:
        """(B, Q, h, h), in fp32."""
        reduced = self.reduce(self.encoder.feature_map(images))
        enlarged = functional.interpolate(reduced, (self.side, self.side), mode="bilinear")
        logits: Tensor = self.head(self.refine(enlarged)).float()
        return logits

    def decoded(self, logits: Tensor) -> Tensor:
        """Colours by the annealed mean of an answer: a and b (B, 2, h, h) of logits (B, Q, h, h)."""
        return torch.einsum("bqhw,qc->bchw", torch.softmax(logits / self.settings.temperature, 1), self.bins)

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        cropped = self.cropped(images)
        return (Panel(SEEN, as_picture(lightness(cropped))), Panel("What it has to paint", as_picture(cropped)))

    def picture(self, images: Tensor) -> Picture:
        cropped = self.cropped(images)
        light = lightness(cropped)
        answered = self.decoded(self._logits(self.as_input(light)))
        truth = self._colors(cropped)
        full = functional.interpolate(answered, (self.size, self.size), mode="bilinear")
        painted = srgb(torch.cat([light[:, :1] / 2.55, full], 1))
        chroma, wanted = (colors.norm(dim=1).mean((1, 2)).tolist() for colors in (answered, truth))
        panels = (
            Panel("shown", as_picture(light)),
            Panel("answer", as_picture(painted), tuple(f"chroma {value:.0f}" for value in chroma)),
            Panel("right", as_picture(cropped), tuple(f"chroma {value:.0f}" for value in wanted)),
        )
        mean, right = sum(chroma) / len(chroma), sum(wanted) / len(wanted)
        return Picture(panels, f"The network paints with a mean chroma of {mean:.0f}; that of the images is {right:.0f}.")
