"""Image GAN: is it real?

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", ICLR
2016; loss and penalties of Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", NeurIPS 2024; changes of what
both sides show of Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020.
B: batch, S: image side, Z: length of a latent. Images have levels of -1 to 1 here, about so where they are made.
"""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from ssl_core.augment import shift_and_flip
from ssl_core.encoders import Encoder
from ssl_core.optim import build_optimizer
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext.adversarial import Average, gradient_penalty, relativistic_losses
from ssl_core.pretext.base import PretextTask, Question, as_picture
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.tasks import Gan

_LEVELS = 127.5
_SMALLEST_SIDE = 7
_MOST_TIMES = 8
_HEAD = 128
_SLOPE = 0.2
_SHIFT, _CUT = 1 / 8, 1 / 2
_BRIGHTNESS, _CONTRAST, _SATURATION = 0.5, 0.5, 1.0
_ROWS = 3
_COMPARED = 64


class GanTask(PretextTask[Gan]):
    """The encoder tells real images from made ones; a generator makes them, and learns to be believed."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        assert self.settings.width != "auto"
        assert self.settings.gamma != "auto"
        self.gamma = self.settings.gamma
        _replace_hard_sigmoids(encoder)
        channels, _ = encoder.map_shape(self.size)
        self.head = Head(channels)
        self.generator = Generator(self.settings.latent, self.settings.width, self.size)
        self.average = Average(copy.deepcopy(self.generator), self.settings.ema_images)

    def optimizers(self) -> list[Optimizer]:
        """That of the discriminator, and that of the generator."""
        discriminator = nn.ModuleList([self.encoder, self.head])
        return [build_optimizer(module, self.spec.optimizer) for module in (discriminator, self.generator)]

    def ask(self, images: Tensor) -> Question:
        """Real images and what others are to be made of.

        `real`: (B, 3, S, S), shown as they will be seen; `latents`: (B, Z); `rows`, `columns`: (B, S, S), `colors`: (B, 3, 3),
        `light`: (B, 3, 1), `shown`: (B, 1, S, S), by which those that are made will be changed.
        """
        mirrored = shift_and_flip(images, 0, flip=self.settings.flip)
        # A made image has any level, so a real one must not be known by having whole ones.
        levels = (mirrored + torch.rand(mirrored.shape, device=images.device) - 0.5) / _LEVELS - 1
        draws = [draw_changes(len(images), self.size, self.settings.augment, images.device) for _ in range(2)]
        latents = torch.randn(len(images), self.settings.latent, device=images.device)
        return {"real": changed(levels, draws[0]), "latents": latents, **draws[1]}

    def answer(self, question: Question) -> dict[str, Tensor]:
        """Tell real from made.

        `loss`: the discriminator's, without its penalties, ln 2 where nothing can be told; `generator_loss`: its mirror; `margin`:
        how much higher real images are scored; `accuracy`: share of pairs in which the real image is scored higher, one half by
        guessing.
        """
        made = changed(self.generator(question["latents"]).float(), question)
        return self._figures(*self.scores(question["real"], made))

    def _figures(self, real: Tensor, made: Tensor) -> dict[str, Tensor]:
        loss, generator_loss = relativistic_losses(real, made)
        with torch.no_grad():
            told = {"margin": (real - made).mean(), "accuracy": (real > made).float().mean()}
        return {"loss": loss, "generator_loss": generator_loss, **told}

    def scores(self, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """How real the images of two batches look, (B,) each. They go through the network as one: batch norm sees both alike."""
        images = self.as_input((torch.cat([real, made]) + 1) * _LEVELS)
        with sdpa_kernel(SDPBackend.MATH):  # the only attention whose gradient has a gradient
            scored: Tensor = self.head(self.encoder.feature_map(images)).float()
        of_real, of_made = torch.split(scored, len(real))
        return of_real, of_made

    def training_step(self, question: Question, optimizers: list[Optimizer]) -> dict[str, Tensor]:
        """Train the discriminator, then the generator by what it says now. `penalty`: sum of R1 and R2, times half of gamma."""
        discriminator, generator = optimizers
        with self.autocast():
            levels = self.generator(question["latents"])
        made = changed(levels.float(), question)
        metrics = self._train_discriminator(question["real"], made.detach(), discriminator)

        self.encoder.requires_grad_(False)
        self.head.requires_grad_(False)
        with self.autocast():
            _, loss = relativistic_losses(*self.scores(question["real"], made))
        generator.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        generator.step()
        self.encoder.requires_grad_(True)
        self.head.requires_grad_(True)
        self.average.update(self.generator.parameters(), len(levels))
        return metrics | {"generator_loss": loss.detach()}

    def _train_discriminator(self, real: Tensor, made: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """In fp32 whatever was asked for: the penalties are gradients of it."""
        real, made = real.detach().requires_grad_(), made.requires_grad_()
        of_real, of_made = self.scores(real, made)
        metrics = self._figures(of_real, of_made)
        metrics["penalty"] = self.gamma / 2 * gradient_penalty(torch.cat([of_real, of_made]), (real, made))
        optimizer.zero_grad(set_to_none=True)
        (metrics["loss"] + metrics["penalty"]).backward()  # type: ignore[no-untyped-call]  # torch's stubs lack it
        optimizer.step()
        return {name: value.detach() for name, value in metrics.items()}

    def picture(self, images: Tensor) -> Picture:
        count = len(images)
        latents = torch.randn(max(_COMPARED, _ROWS * count), self.settings.latent, device=images.device)
        samples = self.average.module(latents).float().clamp(-1, 1)
        panels = [
            Panel("made" if row == 0 else "", as_picture(_LEVELS * (samples[row * count : (row + 1) * count] + 1)))
            for row in range(_ROWS)
        ]
        ratio = _variety(samples) / max(1e-6, _variety(images.float() / _LEVELS - 1))
        caption = (
            f"Made of the same latents each time, by the averaged generator. They vary {ratio:.2f} times as much as real images."
        )
        return Picture((*panels, Panel("real", as_picture(images))), caption)


def _replace_hard_sigmoids(network: nn.Module) -> None:
    """Put the same function in their place, of parts whose gradients have gradients."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Hardsigmoid):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, HardSigmoid())


class HardSigmoid(nn.Module):
    """`torch.nn.Hardsigmoid`, differentiable twice."""

    def forward(self, values: Tensor) -> Tensor:
        """min(max(x + 3, 0), 6) / 6."""
        return functional.relu6(values + 3) / 6


class Head(nn.Module):
    """Scores feature maps: two layers at each place, and their mean.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.places = nn.Conv2d(channels, _HEAD, 1)
        self.score = nn.Linear(_HEAD, 1)

    def forward(self, feature_map: Tensor) -> Tensor:
        """(B,) of (B, C, h, h)."""
        places = functional.leaky_relu(self.places(feature_map), _SLOPE)
        scores: Tensor = self.score(places.mean((2, 3)))
        return scores.squeeze(1)


class Generator(nn.Module):
    """Makes images of latents by residual blocks without normalisation, doubling the side between them.

    Args:
        latent: Z.
        width: channels at the full side; each side before has twice as many, up to 8 times.
        size: S.
    """

    def __init__(self, latent: int, width: int, size: int) -> None:
        super().__init__()
        sides = [size]
        while sides[0] > _SMALLEST_SIDE:
            sides.insert(0, -(-sides[0] // 2))
        widths = [width * min(_MOST_TIMES, 2**number) for number in reversed(range(len(sides)))]
        self.sides = sides
        self.start = nn.Linear(latent, widths[0] * sides[0] ** 2)
        self.blocks = nn.ModuleList([Block(channels, len(sides)) for channels in widths])
        self.narrow = nn.ModuleList([_narrow(inputs, outputs) for inputs, outputs in pairwise(widths)])
        self.image = nn.Conv2d(width, 3, 1)
        nn.init.normal_(self.start.weight)
        nn.init.zeros_(self.start.bias)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, 3, S, S) of -1 to 1, of (B, Z)."""
        scaled = latents * latents.square().mean(1, keepdim=True).add(1e-8).rsqrt() / latents.shape[1] ** 0.5
        maps = self.start(scaled).view(len(latents), -1, self.sides[0], self.sides[0])
        maps = self.blocks[0](maps.contiguous(memory_format=torch.channels_last))
        for side, narrow, block in zip(self.sides[1:], self.narrow, self.blocks[1:], strict=True):
            # Narrowing commutes with interpolation, and is cheaper before.
            maps = block(functional.interpolate(narrow(maps), (side, side), mode="bilinear"))
        images: Tensor = self.image(maps).tanh()  # bounded: behind batch norm a discriminator cannot call them back
        return images


def _narrow(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    return layer


class Block(nn.Module):
    """Two convolutions beside a way around them.

    The second begins at zero, so that depth costs no stability (Zhang et al., "Fixup Initialization", ICLR 2019).

    Args:
        channels: C.
        depth: blocks in the network.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        nn.init.kaiming_normal_(self.first.weight, _SLOPE, nonlinearity="leaky_relu")
        with torch.no_grad():
            self.first.weight.mul_(depth**-0.5)
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, h) of the same."""
        inner = functional.leaky_relu(self.first(functional.leaky_relu(maps, _SLOPE)), _SLOPE)
        changed_maps: Tensor = maps + self.second(inner)
        return changed_maps


def draw_changes(batch: int, side: int, probability: float, device: torch.device) -> dict[str, Tensor]:
    """Draw a shift, a change of colours and a cut-out for each image, each with a probability. They are as `GanTask.ask` says."""

    def happens(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, device=device) < probability

    place = torch.arange(side, device=device)
    reach = round(side * _SHIFT)
    lines = []
    for _ in range(2):
        shift = torch.where(happens(1), torch.randint(-reach, reach + 1, (batch, 1), device=device), 0)
        source = (place + shift).abs()
        source = torch.where(source >= side, 2 * (side - 1) - source, source)
        lines.append((source.unsqueeze(2) == place).float())
    change = happens(1, 1).float()
    brightness, contrast, saturation = change * (2 * torch.rand(3, batch, 1, 1, device=device) - 1)
    gray = torch.full((3, 3), 1 / 3, device=device)
    saturated = (1 + _SATURATION * saturation) * torch.eye(3, device=device) - _SATURATION * saturation * gray
    length = round(side * _CUT)
    starts = torch.randint(-(length // 2), side - length // 2, (2, batch, 1), device=device)
    inside = ((place >= starts) & (place < starts + length)).float()
    cut = inside[0].unsqueeze(2) * inside[1].unsqueeze(1) * happens(1, 1)
    return {
        "rows": lines[0],
        "columns": lines[1],
        "colors": (1 + _CONTRAST * contrast) * saturated,
        "light": (_BRIGHTNESS * brightness).expand(-1, 3, 1),
        "shown": (1 - cut).unsqueeze(1),
    }


def changed(levels: Tensor, draws: dict[str, Tensor]) -> Tensor:
    """Images (B, 3, S, S), changed as was drawn. Linear, so that gradients pass, and products alone, so that theirs pass too."""
    shifted = draws["rows"].unsqueeze(1) @ levels.contiguous() @ draws["columns"].transpose(1, 2).unsqueeze(1)
    colored = torch.baddbmm(draws["light"], draws["colors"], shifted.flatten(2)).view_as(shifted)
    return colored * draws["shown"]


def _variety(images: Tensor) -> float:
    """Root mean square difference of images of a batch from their mean."""
    return float((images - images.mean(0)).square().mean().mul(len(images) / max(1, len(images) - 1)).sqrt())
