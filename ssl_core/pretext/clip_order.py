"""Clip order: in which order were the pieces?

Misra, Zitnick and Hebert, "Shuffle and Learn: Unsupervised Learning using Temporal Order Verification", ECCV 2016; Lee, Huang,
Singh and Yang, "Unsupervised Representation Learning by Sorting Sequences", ICCV 2017; Xu, Xiao, Zhao, Shao, Xie and Zhuang,
"Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019.
B: batch, F: frames that are given of a video, T: frames of a piece, K: pieces of a video, R: side of the frames as they come, S:
side of what the network sees, D: features.
"""

from itertools import combinations, permutations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, Question
from ssl_core.pretext.clips import ClippedTask, as_film, moments
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import ClipOrder

_HIDDEN = 512
_DROPOUT = 0.5


class ClipOrderTask(ClippedTask[ClipOrder]):
    """Cuts pieces out of a video, shuffles them and asks for their order.

    All frames of a video are cropped and mirrored alike; brightness and contrast are changed piece by piece, so that neither fading
    nor a lamp that warms up gives the order away. Where the first piece begins is drawn too, so that it is no matter how far a
    frame is from a key frame of the compression.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        assert spec.clip_frames is not None
        assert self.settings.gap != "auto"
        self.frames, self.gap, self.pieces = self.settings.piece_frames(spec.clip_frames), self.settings.gap, self.settings.pieces
        self.register_buffer("orders", torch.tensor(list(permutations(range(self.pieces)))), persistent=False)
        self.orders: Tensor
        outputs = 2 if self.settings.question == "verification" else len(self.orders)
        joined = self.settings.shown == "joined"
        self.head = nn.Linear(encoder.features, outputs) if joined else PairHead(encoder.features, self.pieces, outputs)

    def ask(self, images: Tensor) -> Question:
        """Shuffle the pieces of each video.

        `clips`: (B, 3, K * T, S, S) joined, or (B * K, 3, T, S, S) apart, those of a video behind each other; `orders`: int64 (B,),
        which of all; `answers`: int64 (B,), what is right.
        """
        levels, orders = self._shuffled(images)
        return {"clips": self._as_shown(levels), "orders": orders, "answers": self._answers_of(orders)}

    def _as_shown(self, levels: Tensor) -> Tensor:
        """What the encoder sees of levels (B, K, 3, T, S, S)."""
        apart = self.settings.shown == "apart"
        return self.as_input(levels.flatten(0, 1) if apart else levels.transpose(1, 2).flatten(2, 3))

    def _answers_of(self, orders: Tensor) -> Tensor:
        return (orders == 0).long() if self.settings.question == "verification" else orders

    def _levels(self, images: Tensor) -> Tensor:
        """Levels (B, K, 3, T, S, S) of pieces in their order."""
        pieces = self._cut(self.cropped(images)).float()
        strength = self.settings.brightness
        contrast, brightness = 1 + strength * (2 * torch.rand(2, len(images), self.pieces, 1, 1, 1, 1, device=images.device) - 1)
        mean = pieces.mean((2, 3, 4, 5), keepdim=True)
        levels: Tensor = ((pieces - mean) * contrast + mean * brightness).clamp_(0, 255)
        return levels

    def _shuffled(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Levels (B, K, 3, T, S, S) of pieces in some order, and its number (B,)."""
        batch, device = len(images), images.device
        levels = self._levels(images)
        orders = torch.randint(len(self.orders), (batch,), device=device)
        if self.settings.question == "verification":
            others = torch.randint(1, len(self.orders), (batch,), device=device)
            orders = torch.where(torch.rand(batch, device=device) < 0.5, 0, others)
        rows = torch.arange(batch, device=device).unsqueeze(1)
        return levels[rows, self.orders[orders]], orders

    def _cut(self, images: Tensor) -> Tensor:
        """Pieces (B, K, 3, T, S, S) in their order, with gaps between them, out of (B, 3, F, S, S)."""
        batch, device = len(images), images.device
        gaps = torch.randint(self.gap + 1, (batch, self.pieces - 1), device=device)
        slack = images.shape[2] - self.pieces * self.frames - gaps.sum(1, keepdim=True)
        first = (torch.rand(batch, 1, device=device) * (slack + 1)).long().clamp(max=slack)
        steps = torch.cat([first, gaps + self.frames], 1)
        index = steps.cumsum(1).unsqueeze(2) + torch.arange(self.frames, device=device)  # (B, K, T)
        rows = torch.arange(batch, device=device).view(-1, 1, 1)
        return images.transpose(1, 2)[rows, index].transpose(2, 3)

    def answer(self, question: Question) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 1 / K!, or 1 / 2 where the order is verified."""
        answers: Tensor = self.head(self.encoder(question["clips"])).float()
        right = question["answers"]
        return {"loss": functional.cross_entropy(answers, right), "accuracy": (answers.argmax(1) == right).float().mean()}

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        (pieces,) = self._levels(images[:1])
        (order,) = self.orders[torch.randint(1, len(self.orders), (1,))]
        notes = tuple(f"piece {piece + 1}" for piece in order.tolist())
        return (
            Panel(f"{SEEN}: pieces, shuffled", as_film(moments(pieces[order], 2)), notes),
            Panel("The right order", as_film(moments(pieces, 2)), tuple(f"piece {number + 1}" for number in range(self.pieces))),
        )

    def picture(self, images: Tensor) -> Picture:
        levels, orders = self._shuffled(images)
        answers = self.head(self.encoder(self._as_shown(levels))).argmax(1)
        right = (answers == self._answers_of(orders)).tolist()
        films = [as_film(levels[:, place]) for place in range(self.pieces)]
        if self.settings.question == "verification":
            panels = [Panel(f"shown {place + 1}", film) for place, film in enumerate(films)]
            notes = tuple("says in order" if answer else "says shuffled" for answer in answers.tolist())
            panels[-1] = Panel(panels[-1].title, films[-1], notes, tuple(right))
            caption = f"Of {len(right)} rows of pieces, the network tells of {sum(right)} whether they are in order."
            return Picture(tuple(panels), caption)
        pairs = list(zip(self.orders[orders].tolist(), self.orders[answers].tolist(), strict=True))
        shown = (
            Panel(
                f"shown {place + 1}",
                film,
                tuple(f"was {was[place] + 1}, says {said[place] + 1}" for was, said in pairs),
                tuple(was[place] == said[place] for was, said in pairs),
            )
            for place, film in enumerate(films)
        )
        return Picture(tuple(shown), f"Of {len(right)} shuffled rows of pieces, the network tells the order of {sum(right)}.")


class PairHead(nn.Module):
    """Compares the features of clips pair by pair, and answers by all pairs together (Xu 2019).

    Args:
        features: D.
        clips: K.
        outputs: number of answers.
    """

    def __init__(self, features: int, clips: int, outputs: int) -> None:
        super().__init__()
        self.clips = clips
        self.pairs = list(combinations(range(clips), 2))
        self.pair = nn.Sequential(nn.Linear(2 * features, _HIDDEN), nn.ReLU(inplace=True))
        self.last = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(len(self.pairs) * _HIDDEN, outputs))

    def forward(self, features: Tensor) -> Tensor:
        """(B, outputs) of (B * K, D)."""
        rows = features.view(-1, self.clips, features.shape[1])
        answers: Tensor = self.last(torch.cat([self.pair(rows[:, pair].flatten(1)) for pair in self.pairs], 1))
        return answers
