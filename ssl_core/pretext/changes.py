"""Changes of what a discriminator is shown, of real and made samples alike, so that it cannot learn the real ones by heart.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020.
B: batch, T: frames of a clip, S: side.
"""

import torch
from torch import Tensor

_SHIFT, _CUT = 1 / 8, 1 / 2
_BRIGHTNESS, _CONTRAST, _SATURATION = 0.5, 0.5, 1.0


def draw_changes(batch: int, side: int, probability: float, device: torch.device) -> dict[str, Tensor]:
    """Draw a shift, a change of colours and a cut-out for each image or clip, each with a probability.

    Returns:
        `rows`, `columns`: (B, S, S), which shift; `colors`: (B, 3, 3) and `light`: (B, 3, 1), which recolour; `shown`:
        (B, 1, S, S), 0 where something is cut out.
    """

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
    """Images (B, 3, S, S) or clips (B, 3, T, S, S), changed as was drawn, all frames of a clip alike.

    Linear, so that gradients pass, and products alone, so that theirs pass too.
    """
    planes = levels.contiguous().flatten(1, -3)
    shifted = (draws["rows"].unsqueeze(1) @ planes @ draws["columns"].transpose(1, 2).unsqueeze(1)).view(levels.shape)
    colored = torch.baddbmm(draws["light"], draws["colors"], shifted.flatten(2)).view_as(shifted)
    return colored * (draws["shown"] if levels.ndim == 4 else draws["shown"].unsqueeze(2))
