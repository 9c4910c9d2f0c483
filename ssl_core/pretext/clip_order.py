"""Clip order: in which order were the clips?

Xu, Xiao, Zhao, Shao, Xie and Zhuang, "Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR 2019; Misra,
Zitnick and Hebert, "Shuffle and Learn: Unsupervised Learning using Temporal Order Verification", ECCV 2016.
B: batch, F: frames that are given of a video, T: frames of a clip, K: clips of a video, R: side of the frames as they come, S: side
of what the network sees, D: features, P: orders, K!.
"""

from itertools import combinations, permutations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.encoders import Encoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import Question
from ssl_core.pretext.clips import ClippedTask, as_film
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import ClipOrder

_HIDDEN = 512
_DROPOUT = 0.5


class ClipOrderTask(ClippedTask[ClipOrder]):
    """Cuts clips out of a video, shuffles them and asks for their order.

    Gaps of varying length keep one clip from going on where another ends. All frames of a video are cropped and mirrored alike;
    brightness and contrast are changed clip by clip, so that neither fading nor a lamp that warms up gives the order away. Where
    the first clip begins is drawn too, so that it is no matter how far a frame is from a key frame of the compression.
    """

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        assert spec.clip_frames is not None
        assert self.settings.gap != "auto"
        self.frames, self.gap, self.clips = spec.clip_frames, self.settings.gap, self.settings.clips
        self.register_buffer("orders", torch.tensor(list(permutations(range(self.clips)))), persistent=False)
        self.orders: Tensor
        self.pairs = list(combinations(range(self.clips), 2))
        outputs = 2 if self.settings.question == "verification" else len(self.orders)
        self.pair = nn.Sequential(nn.Linear(2 * encoder.features, _HIDDEN), nn.ReLU(inplace=True))
        self.head = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(len(self.pairs) * _HIDDEN, outputs))

    def ask(self, images: Tensor) -> Question:
        """`clips`: (B, K, 3, T, S, S), shuffled; `orders`: int64 (B,), which of all; `answers`: int64 (B,), what is right."""
        levels, orders = self._shuffled(images)
        shape = levels.shape
        clips = self.as_input(levels.flatten(0, 1)).view(shape)
        return {"clips": clips, "orders": orders, "answers": self._answers_of(orders)}

    def _answers_of(self, orders: Tensor) -> Tensor:
        return (orders == 0).long() if self.settings.question == "verification" else orders

    def _shuffled(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Levels (B, K, 3, T, S, S) of clips in some order, and its number (B,)."""
        batch, device = len(images), images.device
        clips = self._cut(self.cropped(images)).float()
        strength = self.settings.brightness
        contrast, brightness = 1 + strength * (2 * torch.rand(2, batch, self.clips, 1, 1, 1, 1, device=device) - 1)
        mean = clips.mean((2, 3, 4, 5), keepdim=True)
        levels = ((clips - mean) * contrast + mean * brightness).clamp_(0, 255)
        orders = torch.randint(len(self.orders), (batch,), device=device)
        if self.settings.question == "verification":
            others = torch.randint(1, len(self.orders), (batch,), device=device)
            orders = torch.where(torch.rand(batch, device=device) < 0.5, 0, others)
        rows = torch.arange(batch, device=device).unsqueeze(1)
        return levels[rows, self.orders[orders]], orders

    def _cut(self, images: Tensor) -> Tensor:
        """Clips (B, K, 3, T, S, S) in their order, with gaps between them, out of (B, 3, F, S, S)."""
        batch, device = len(images), images.device
        gaps = torch.randint(self.gap + 1, (batch, self.clips - 1), device=device)
        slack = images.shape[2] - self.clips * self.frames - gaps.sum(1, keepdim=True)
        first = (torch.rand(batch, 1, device=device) * (slack + 1)).long().clamp(max=slack)
        steps = torch.cat([first, gaps + self.frames], 1)
        index = steps.cumsum(1).unsqueeze(2) + torch.arange(self.frames, device=device)  # (B, K, T)
        rows = torch.arange(batch, device=device).view(-1, 1, 1)
        return images.transpose(1, 2)[rows, index].transpose(2, 3)

    def answer(self, question: Question) -> dict[str, Tensor]:
        """`loss`: cross-entropy in nats; `accuracy`: 0 to 1, chance is 1 / P, or 1 / 2 where the order is verified."""
        answers, right = self._answers(question["clips"]), question["answers"]
        return {"loss": functional.cross_entropy(answers, right), "accuracy": (answers.argmax(1) == right).float().mean()}

    def _answers(self, clips: Tensor) -> Tensor:
        features = self.encoder(clips.flatten(0, 1)).view(len(clips), self.clips, -1)
        pairs = [self.pair(torch.cat([features[:, one], features[:, other]], 1)) for one, other in self.pairs]
        answers: Tensor = self.head(torch.cat(pairs, 1)).float()
        return answers

    def picture(self, images: Tensor) -> Picture:
        levels, orders = self._shuffled(images)
        right_answers = self._answers_of(orders)
        answers = self._answers(self.as_input(levels.flatten(0, 1)).view(levels.shape)).argmax(1)
        right = (answers == right_answers).tolist()
        shuffled, says = self.orders[orders].tolist(), self.orders[answers].tolist()
        if self.settings.question == "verification":
            panels = [Panel(f"shown {place + 1}", as_film(levels[:, place])) for place in range(self.clips)]
            notes = tuple("says in order" if answer else "says shuffled" for answer in answers.tolist())
            panels[-1] = Panel(panels[-1].title, panels[-1].images, notes, tuple(right))
            return Picture(
                tuple(panels), f"Of {len(right)} rows of clips, the network tells of {sum(right)} whether they are in order."
            )
        shown = (
            Panel(
                f"shown {place + 1}",
                as_film(levels[:, place]),
                tuple(f"was {was[place] + 1}, says {said[place] + 1}" for was, said in zip(shuffled, says, strict=True)),
                tuple(was[place] == said[place] for was, said in zip(shuffled, says, strict=True)),
            )
            for place in range(self.clips)
        )
        return Picture(tuple(shown), f"Of {len(right)} shuffled rows of clips, the network tells the order of {sum(right)}.")
