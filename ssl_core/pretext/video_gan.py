"""Video GAN: is the clip real?

Vondrick, Pirsiavash and Torralba, "Generating Videos with Scene Dynamics", NeurIPS 2016; a critic of frames of Tulyakov et al.,
"MoCoGAN: Decomposing Motion and Content for Video Generation", CVPR 2018; loss, penalties and changes as of the image GAN.
B: batch, T: frames, S: side, Z: length of a latent, M: frames of a clip that the critic of frames looks at. Clips have levels of -1
to 1 here, about so where they are made.
"""

import copy
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import shift_and_flip
from ssl_core.encoders import Encoder, VideoEncoder
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.adversarial import LEVELS, AdversarialTask, Average, Head, Scores, as_real_levels, variety
from ssl_core.pretext.base import SEEN, Question
from ssl_core.pretext.changes import changed, draw_changes
from ssl_core.pretext.clips import as_film, moments
from ssl_core.pretext.generators import ClipGenerator, Made
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import VideoGan

_MOMENTS = 2
_CRITIC = 32
_SMALLEST_MAP = 7
_SLOPE = 0.2
_COMPARED = 16
_SHOWN, _SKETCHED = 3, 32
"""Frames of a clip in a preview, and the side of those that a generator makes for one."""


class VideoGanTask(AdversarialTask[VideoGan]):
    """The encoder tells real clips from made ones; a generator makes them, and learns to be believed.

    The generator paints a still background and, where its mask says so, a foreground that moves. Each frame being sharp is what a
    second critic sees to, of single frames, so that the encoder is left with what only a clip shows.
    """

    encoder: VideoEncoder
    generator: ClipGenerator

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        assert spec.clip_frames is not None
        assert self.settings.width != "auto"
        assert self.settings.gamma != "auto"
        self.gamma, self.frames = self.settings.gamma, spec.clip_frames
        channels, *_ = self.encoder.clip_map_shape(self.size, self.frames)
        self.head = Head(channels, 3)
        self.critic = FrameCritic(self.size) if self.settings.frame_critic else None
        self.generator = ClipGenerator(self.settings.latent, self.settings.width, self.frames, self.size)
        self.average = Average(copy.deepcopy(self.generator), self.settings.ema_images)

    def discriminators(self) -> list[nn.Module]:
        return [self.encoder, self.head, *([] if self.critic is None else [self.critic])]

    def ask(self, images: Tensor) -> Question:
        """Real clips and what others are to be made of.

        `real`: (B, 3, T, S, S), shown as they will be seen; `latents`: (B, Z); `order`: int64 (B, T), in which the frames of real
        clips are shuffled; `moments`: int64 (B, M), the frames that the critic of frames looks at; `rows`, `columns`: (B, S, S),
        `colors`: (B, 3, 3), `light`: (B, 3, 1), `shown`: (B, 1, S, S), by which those that are made will be changed.
        """
        batch, device = len(images), images.device
        mirrored = shift_and_flip(images.flatten(1, 2), 0, flip=self.settings.flip).reshape(images.shape)
        draws = [draw_changes(batch, self.size, self.settings.augment, device) for _ in range(2)]
        latents = torch.randn(batch, self.settings.latent, device=device)
        order = torch.rand(batch, self.frames, device=device).argsort(1)
        drawn = {"latents": latents, "order": order, "moments": order[:, :_MOMENTS]}
        return {"real": changed(as_real_levels(mirrored), draws[0]), **drawn, **draws[1]}

    def make(self, question: Question) -> tuple[Tensor, dict[str, Tensor]]:
        """`sparsity`: the mean of the masks, times its weight."""
        made: Made = self.generator(question["latents"])
        return changed(made.clips.float(), question), {"sparsity": self.settings.sparsity * made.masks.float().mean()}

    def scores(self, real: Tensor, made: Tensor, question: Question) -> dict[str, Scores]:
        return {"": Scores(*self.told(self.head, real, made)), **self._of_frames(real, made, question)}

    def judge(self, real: Tensor, made: Tensor, question: Question) -> tuple[dict[str, Scores], dict[str, Scores]]:
        """`order_`: real clips beside the same with their frames shuffled, if that was asked for."""
        if not self.settings.shuffled:
            return super().judge(real, made, question)
        batch, order = len(real), question["order"]
        mixed = _at(real.detach(), order).view(batch, self.frames, *real.shape[1:2], *real.shape[3:]).transpose(1, 2)
        of_real, of_made, of_mixed = self.told(self.head, real, made, mixed)
        return {"": Scores(of_real, of_made), **self._of_frames(real, made, question)}, {"order_": Scores(of_real, of_mixed)}

    def _of_frames(self, real: Tensor, made: Tensor, question: Question) -> dict[str, Scores]:
        if self.critic is None:
            return {}
        moments = question["moments"]
        return {"frame_": self._told_of_frames(self.critic, _at(real, moments), _at(made, moments))}

    def _told_of_frames(self, critic: nn.Module, real: Tensor, made: Tensor) -> Scores:
        scored: Tensor = critic(self.as_input((torch.cat([real, made]) + 1) * LEVELS)).float()
        return Scores(*torch.split(scored, len(real)))

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        assert self.settings.width != "auto"
        question = self.ask(images[:2])
        real, order = question["real"], question["order"]
        rows = torch.arange(len(real)).unsqueeze(1)
        mixed = real.transpose(1, 2)[rows, order].transpose(1, 2)
        generator = ClipGenerator(self.settings.latent, self.settings.width, _SHOWN, min(self.size, _SKETCHED))
        panels = [Panel(f"{SEEN}: real", _film(moments(real, _SHOWN)))]
        if self.settings.shuffled:
            panels.append(Panel("Real, with the frames shuffled", _film(moments(mixed, _SHOWN))))
        panels.append(Panel("And made, before the generator has learnt anything", _film(generator(question["latents"]).clips)))
        return tuple(panels)

    def picture(self, images: Tensor) -> Picture:
        count = len(images)
        latents = torch.randn(max(_COMPARED, 2 * count), self.settings.latent, device=images.device)
        made: Made = self.average.module(latents)
        clips = made.clips.float()
        panels = (
            Panel("made", _film(clips[:count])),
            Panel("its mask", _film(2 * made.masks[:count].float().expand(-1, 3, -1, -1, -1) - 1)),
            Panel("its background", _film(made.backgrounds[:count].float())),
            Panel("made", _film(clips[count : 2 * count])),
            Panel("real", as_film(images)),
        )
        real = images.float() / LEVELS - 1
        vary, move = (measure(clips) / max(1e-6, measure(real)) for measure in (variety, motion))
        caption = (
            "Made of the same latents each time, by the averaged generator. "
            f"They vary {vary:.2f} times as much as real clips, and move {move:.2f} times as much."
        )
        return Picture(panels, caption)


def _at(clips: Tensor, moments: Tensor) -> Tensor:
    """Frames (B * M, 3, S, S) of clips (B, 3, T, S, S), at moments (B, M)."""
    rows = torch.arange(len(clips), device=clips.device).unsqueeze(1)
    return clips.transpose(1, 2)[rows, moments].flatten(0, 1)


def _film(clips: Tensor) -> npt.NDArray[np.uint8]:
    return as_film(LEVELS * (clips + 1))


def motion(clips: Tensor) -> float:
    """Root mean square difference between each frame and the next, of clips (B, 3, T, S, S)."""
    return float((clips[:, :, 1:] - clips[:, :, :-1]).square().mean().sqrt())


class FrameCritic(nn.Module):
    """Scores single frames, by convolutions without normalisation, halving the side from one to the next.

    Args:
        side: S.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        widths = [3, _CRITIC]
        while side > 2 * _SMALLEST_MAP:
            side = -(-side // 2)
            widths.append(min(2 * widths[-1], 8 * _CRITIC))
        self.layers = nn.ModuleList([nn.Conv2d(inputs, outputs, 4, 2, 1) for inputs, outputs in pairwise(widths)])
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, _SLOPE, nonlinearity="leaky_relu")
        self.head = Head(widths[-1])

    def forward(self, frames: Tensor) -> Tensor:
        """(B,) of normalised frames (B, 3, S, S)."""
        maps = frames
        for layer in self.layers:
            maps = functional.leaky_relu(layer(maps), _SLOPE)
        scores: Tensor = self.head(maps)
        return scores
