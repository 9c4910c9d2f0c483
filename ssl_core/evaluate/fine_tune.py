"""Training a whole network on labels, from pretrained or from random weights. B: batch, S: side, T: frames, C: classes."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_core.augment import Normalize, shift_and_flip
from ssl_core.color import lightness
from ssl_core.data import derived_seed
from ssl_core.embed import ShownAs
from ssl_core.encoders import Encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluate.samples import Samples
from ssl_core.process import StopRequest

Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

_SHIFT = 1 / 8
_WARMUP = 0.1
_WEIGHT_DECAY = 0.05
_TEST_BATCH = 256
_FEWEST, _MOST, _PASSES = 100, 1000, 60


@dataclass(frozen=True)
class Effort:
    """How a network is trained on labels. The same for all that are compared."""

    steps: int
    batch_size: int
    learning_rate: float
    """Peak, of AdamW."""
    flip: bool


def automatic_steps(labelled: int, batch_size: int) -> int:
    """60 passes over the labelled images, within 100 to 1,000 steps."""
    return min(_MOST, max(_FEWEST, math.ceil(_PASSES * labelled / min(batch_size, labelled))))


def trained_network(
    encoder: Encoder,
    samples: Samples,
    train: Rows,
    labels: Labels,
    classes: int,
    effort: Effort,
    *,
    shown_as: ShownAs,
    seed: int,
    stop: StopRequest,
) -> nn.Sequential:
    """Train an encoder with a linear classifier behind it.

    The seed decides the classifier's weights, the order and the augmentation. AdamW, a linear warm-up over a tenth of the steps,
    then a cosine; each image shifted by up to an eighth of its side and, if asked, mirrored.

    Raises:
        UserError: the loss was no finite number.
        InterruptedRun: it was asked to stop.
    """
    device = next(encoder.parameters()).device
    torch.manual_seed(derived_seed(seed, "fine-tuning", 0))
    network = nn.Sequential(encoder, nn.Linear(encoder.features, classes)).to(device).train()
    normalize = Normalize().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), effort.learning_rate, weight_decay=_WEIGHT_DECAY)
    generator = np.random.default_rng(derived_seed(seed, "order", 0))
    order: Rows = np.empty(0, np.int64)
    batch = min(effort.batch_size, len(train))
    worst = torch.zeros((), device=device)
    for step in range(effort.steps):
        if stop:
            raise InterruptedRun
        if len(order) < batch:
            order = np.concatenate([order, generator.permutation(train)])
        rows, order = order[:batch], order[batch:]
        images = _moved(_as_tensor(samples.shown(rows, int(generator.integers(samples.views))), device), flip=effort.flip)
        for group in optimizer.param_groups:
            group["lr"] = effort.learning_rate * _rate(step, effort.steps)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits: Tensor = network(normalize(lightness(images) if shown_as == "lightness" else images))
        loss = functional.cross_entropy(logits.float(), torch.from_numpy(labels[rows]).to(device))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        worst = worst + (~loss.detach().isfinite())
    if bool(worst):
        raise UserError(
            "diverged", f"fine-tuning with a learning rate of {effort.learning_rate:g} diverged; choose smaller `learning_rates`"
        )
    return network


def fine_tuned(
    encoder: Encoder,
    samples: Samples,
    train: Rows,
    test: Rows,
    labels: Labels,
    classes: int,
    effort: Effort,
    *,
    shown_as: ShownAs,
    seed: int,
    stop: StopRequest,
) -> Labels:
    """Train a network as `trained_network` does, and classify the test images: int64, one for each of `test`."""
    network = trained_network(encoder, samples, train, labels, classes, effort, shown_as=shown_as, seed=seed, stop=stop)
    return predict(network, samples, test, shown_as, stop)


def predict(network: nn.Module, samples: Samples, rows: Rows, shown_as: ShownAs, stop: StopRequest) -> Labels:
    """Classes by a network of logits, int64, one for each of `rows`; of videos by the mean over their clips."""
    device = next(network.parameters()).device
    normalize = Normalize().to(device)
    network.eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(rows), _TEST_BATCH):
            if stop:
                raise InterruptedRun
            logits = torch.zeros((), device=device)
            for view in range(samples.views):
                images = _as_tensor(samples.shown(rows[start : start + _TEST_BATCH], view), device)
                said: Tensor = network(normalize(lightness(images) if shown_as == "lightness" else images))
                logits = logits + said.float().softmax(1)
            found.append(logits.argmax(1).cpu().numpy())
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _as_tensor(images: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 (B, 3, S, S) or (B, 3, T, S, S)."""
    return torch.from_numpy(images).to(device).movedim(-1, 1)


def _moved(images: Tensor, *, flip: bool) -> Tensor:
    """Shifted and mirrored, all frames of a clip alike."""
    padding = round(images.shape[-1] * _SHIFT)
    if images.ndim == 4:
        return shift_and_flip(images, padding, flip=flip)
    planes = images.flatten(1, 2)  # frames as channels, so that they share a draw
    return shift_and_flip(planes, padding, flip=flip).reshape(images.shape)


def _rate(step: int, steps: int) -> float:
    """Share of the peak learning rate at a step, from 0."""
    warmup = max(1, round(_WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
