"""Inpainting: what is in the hidden region?

Pathak et al., "Context Encoders: Feature Learning by Inpainting", CVPR 2016; the critic is made steady by spectral normalisation
as in Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.
B: batch, S: image side, C: channels of the feature map, h: its side.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Optimizer

from ssl_core.encoders import Encoder
from ssl_core.optim import build_optimizer
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.base import SEEN, CroppedTask, Question, as_picture
from ssl_core.pretext.regions import draw_regions, shrunk, smoothly_filled
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Inpainting

_WIDTH = 128
_LEAST_WIDTH = 32
_CRITIC_WIDTH = 32
_CRITIC_SIDE = 8
_CRITIC_MOMENTUM = 0.5
_SLOPE = 0.2
_LEVELS = 127.5
"""Half of the range of levels: images have -1 to 1 where they are answered."""


class InpaintingTask(CroppedTask[Inpainting]):
    """Hides regions and asks for what was there, by a decoder on the feature map; a critic tells filled images from real ones."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        assert self.settings.overlap != "auto"
        self.overlap = self.settings.overlap
        channels, side = encoder.map_shape(self.size)
        self.decoder = Decoder(channels, side, self.size)
        self.critic = Critic(self.size) if self.settings.adversarial else None

    def optimizers(self) -> list[Optimizer]:
        """That of encoder and decoder, and that of the critic if there is one."""
        found = [build_optimizer(nn.ModuleList([self.encoder, self.decoder]), self.spec.optimizer)]
        if self.critic is not None:
            slower = {"learning_rate": self.spec.optimizer.learning_rate * self.settings.critic_rate, "momentum": _CRITIC_MOMENTUM}
            found.append(build_optimizer(self.critic, self.spec.optimizer.model_copy(update=slower)))
        return found

    def ask(self, images: Tensor) -> Question:
        """What is shown and what is wanted.

        `images`: (B, 3, S, S); `region`: (B, 1, S, S), 1 where it has to be answered; `hidden`: the part of it that is not shown;
        `levels`: (B, 3, S, S) of -1 to 1.
        """
        cropped = self.cropped(images)
        region = draw_regions(self.settings.region, len(cropped), self.size, self.settings.hidden, cropped.device)
        hidden = shrunk(region, self.overlap)
        seen = self.as_input(cropped) * (1 - hidden)  # what is hidden does not get any further
        levels = cropped.float() / _LEVELS - 1
        return {"images": seen.contiguous(memory_format=torch.channels_last), "region": region, "hidden": hidden, "levels": levels}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Fill in the regions.

        `loss`: mean square error over the regions, in levels of -1 to 1, the rim that is shown weighted; `psnr`: in dB, over what
        is hidden. The critic's part is that of `training_step`.
        """
        return self._figures(self.filled(question), question)

    def _figures(self, filled: Tensor, question: Question) -> dict[str, Tensor]:
        region, hidden = question["region"], question["hidden"]
        error = (filled - question["levels"]).square().mean(1, keepdim=True)
        weight = hidden + self.settings.overlap_weight * (region - hidden)
        loss = (error * weight).sum() / weight.sum().clamp(min=1)
        with torch.no_grad():
            mean = (error * hidden).sum() / hidden.sum().clamp(min=1)
        return {"loss": loss, "psnr": _psnr(mean)}

    def filled(self, question: Question) -> Tensor:
        """The decoder's images, (B, 3, S, S) of about -1 to 1, in fp32; what they show outside of the regions means nothing."""
        answers: Tensor = self.decoder(self.encoder.feature_map(question["images"]))
        return answers.float()

    def training_step(self, question: Question, optimizers: list[Optimizer]) -> dict[str, Tensor]:
        """Answer, and learn from the error and from the critic, which learns as well.

        With a critic there is `critic_accuracy` too: the share of places, real and filled, that it tells right. Half of them would
        be right by guessing.
        """
        if self.critic is None:
            return super().training_step(question, optimizers)
        painter, critics = optimizers
        region, levels, share = question["region"], question["levels"], self.settings.adversarial
        with self.autocast():
            filled = self.filled(question)
            metrics = self._figures(filled, question)
            composed = levels * (1 - region) + filled * region
            places = self.critic.places(region)
        told = self._train_critic(composed.detach(), levels, places, critics)
        self.critic.requires_grad_(False)
        with self.autocast():
            seeming = _mean(functional.softplus(-self.critic(composed)), places)
        loss = (1 - share) * metrics["loss"] + share * seeming
        painter.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        painter.step()
        self.critic.requires_grad_(True)
        return {name: value.detach() for name, value in metrics.items()} | {"critic_accuracy": told}

    def _train_critic(self, composed: Tensor, real: Tensor, places: Tensor, optimizer: Optimizer) -> Tensor:
        assert self.critic is not None
        with self.autocast():
            scores = self.critic(torch.cat([real, composed]))
            of_real, of_composed = scores.split(len(real))
            loss = _mean(functional.softplus(-of_real) + functional.softplus(of_composed), places)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        optimizer.step()
        with torch.no_grad():
            return _mean(((of_real > 0).float() + (of_composed < 0).float()) / 2, places)

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        question = self.ask(images)
        hidden, levels = question["hidden"], question["levels"]
        shown = as_picture(_LEVELS * (1 + levels * (1 - hidden)))
        return (Panel(SEEN, shown), Panel("What it has to fill in", as_picture(_LEVELS * (1 + levels))))

    def picture(self, images: Tensor) -> Picture:
        question = self.ask(images)
        region, hidden, levels = question["region"], question["hidden"], question["levels"]
        composed = levels * (1 - region) + self.filled(question).clamp(-1, 1) * region
        ratios, smooth = (
            [
                float(_psnr(error))
                for error in ((guess - levels).square() * hidden).sum((1, 2, 3)) / (3 * hidden.sum((1, 2, 3))).clamp(min=1)
            ]
            for guess in (composed, smoothly_filled(levels, hidden))
        )
        panels = (
            Panel("shown", as_picture(_LEVELS * (1 + levels * (1 - hidden)))),
            Panel("filled in", as_picture(_LEVELS * (1 + composed)), tuple(f"{ratio:.1f} dB" for ratio in ratios)),
            Panel("right", as_picture(_LEVELS * (1 + levels))),
        )
        mean, plain = sum(ratios) / len(ratios), sum(smooth) / len(smooth)
        caption = f"Filled in with a PSNR of {mean:.1f} dB; blurring the surroundings into the hidden regions has {plain:.1f} dB."
        return Picture(panels, caption)


class Decoder(nn.Module):
    """Turns feature maps (B, C, h, h) into images (B, 3, S, S), doubling the side in each stage.

    Args:
        channels: C.
        side: h.
        size: S.
    """

    def __init__(self, channels: int, side: int, size: int) -> None:
        super().__init__()
        self.size = size
        width = _WIDTH
        stages: list[nn.Module] = [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        while side * 2 < size:
            narrower = max(_LEAST_WIDTH, width // 2)
            stages += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, narrower, 3, 1, 1, bias=False),
                nn.BatchNorm2d(narrower),
                nn.ReLU(inplace=True),
            ]
            width, side = narrower, side * 2
        self.stages = nn.Sequential(*stages)
        self.head = nn.Conv2d(width, 12, 3, 1, 1)  # the last doubling is made by giving four pixels at each place

    def forward(self, feature_map: Tensor) -> Tensor:
        """(B, 3, S, S)."""
        images = functional.pixel_shuffle(self.head(self.stages(feature_map)), 2)
        return images if images.shape[2] == self.size else functional.interpolate(images, (self.size, self.size), mode="bilinear")


class Critic(nn.Module):
    """Says at each place of an image how real it looks, above 0 for real.

    Args:
        size: S.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        width, inputs, stages = _CRITIC_WIDTH, 3, []
        while size > _CRITIC_SIDE:
            stages += [spectral_norm(nn.Conv2d(inputs, width, 4, 2, 1)), nn.LeakyReLU(_SLOPE, inplace=True)]
            inputs, width, size = width, min(2 * width, 256), size // 2
        self.stages = nn.Sequential(*stages)
        self.head = spectral_norm(nn.Conv2d(inputs, 1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, 1, h, h), in fp32, of images (B, 3, S, S) of -1 to 1."""
        with parametrize.cached():
            with torch.autocast(images.device.type, enabled=False):  # the largest singular value is followed in fp32
                for module in self.modules():
                    if isinstance(module, nn.Conv2d):
                        module.weight  # noqa: B018  computes and keeps it
            scores: Tensor = self.head(self.stages(images)).float()
        return scores

    def places(self, region: Tensor) -> Tensor:
        """Where a critic can tell something of regions (B, 1, S, S): (B, 1, h, h), 1 or 0."""
        for stage in self.stages:
            if isinstance(stage, nn.Conv2d):
                region = functional.max_pool2d(region, 2)
        return region


def _mean(values: Tensor, places: Tensor) -> Tensor:
    return (values * places).sum() / places.sum().clamp(min=1)


def _psnr(error: Tensor) -> Tensor:
    """In dB, of a mean square error in levels of -1 to 1."""
    return -10 * (error / 4).clamp(min=1e-10).log10()
