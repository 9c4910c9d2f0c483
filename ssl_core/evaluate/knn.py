"""Weighted nearest-neighbour classification, the field's cheapest look at features.

Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018; settings of Caron et al.,
"Emerging Properties in Self-Supervised Vision Transformers" (DINO), ICCV 2021. N: references, M: queries, D: features, B: queries
at a time, C: candidates.

Where a CPU multiplies bf16 in hardware, similarities are looked through in bf16, which takes a quarter of the time, and those that
can be among the first are computed anew in fp32. How far bf16 can be off is known, so the neighbours are the same.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_SIMILARITIES = 1 << 25
"""Of so many at a time there is room in any memory, and few enough stay near the processor."""
_CANDIDATES = 27
"""So many more than voters are computed anew."""
_WORTH_IT = 1 << 32
"""Multiplications from which on looking through them in bf16 pays."""
_BF16 = 2.0**-8
"""Distance between 1 and the next bf16 number, twice the most by which rounding is off."""
_FP32_DOTS = 4e-6
"""More than sums of products in fp32 are off, as a share of the vectors' lengths."""
_HOPELESS = 0.3
"""Share of queries whose candidates do not suffice, above which the rest is done in fp32 alone."""

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def knn_predict(
    references: Floats,
    labels: Labels,
    queries: Floats,
    *,
    k: int = 20,
    temperature: float = 0.07,
    leave_one_out: bool = False,
    device: torch.device | None = None,
) -> Labels:
    """Classes of the queries, int64 (M,): the k most similar references vote with weight exp(cosine / temperature).

    Args:
        references: float32 (N, D).
        labels: int64 (N,), from 0.
        queries: float32 (M, D).
        k: voters.
        temperature: how much more the nearer ones count.
        leave_one_out: the queries are the references themselves, and none votes for itself.
        device: where to compute; by default the CPU.
    """
    device = device or torch.device("cpu")
    known, asked, truth = _unit(references, device), _unit(queries, device), torch.from_numpy(labels).to(device)
    k = min(k, len(known) - leave_one_out)
    chunk = max(1, min(256, _SIMILARITIES // len(known)))
    search = _Search(known, k, bf16=device.type == "cpu" and known.numel() * len(asked) >= _WORTH_IT and _has_bf16())
    predicted = np.empty(len(asked), np.int64)
    for start in range(0, len(asked), chunk):
        similar, nearest = search.nearest(asked[start : start + chunk], start if leave_one_out else None)
        weights = torch.exp((similar - 1) / temperature).double()
        votes = torch.zeros(len(similar), int(labels.max()) + 1, dtype=torch.float64, device=device)
        votes.scatter_add_(1, truth[nearest], weights)
        predicted[start : start + chunk] = votes.cpu().numpy().argmax(1)
    return predicted


def knn_accuracy(features: Floats, labels: Labels, *, k: int = 20, temperature: float = 0.07) -> float:
    """Share of images, 0 to 1, whose class the k nearest of the others name rightly. `features` (N, D), `labels` (N,), from 0."""
    predicted = knn_predict(features, labels, features, k=k, temperature=temperature, leave_one_out=True)
    return float((predicted == labels).mean())


class _Search:
    """Finds the most similar references.

    Args:
        known: float32 (N, D), of length 1.
        k: how many.
        bf16: whether to look through them in bf16 first.
    """

    def __init__(self, known: Tensor, k: int, *, bf16: bool) -> None:
        self._known, self._k = known, k
        self._candidates = min(len(known), k + 1 + _CANDIDATES)
        self._in_bf16 = bf16 and self._candidates < len(known)
        self._looked_up, self._in_vain = 0, 0
        self._room: tuple[Tensor, Tensor, Tensor] | None = None
        if self._in_bf16:
            # Around their mean, vectors are shorter and so is what rounding takes away: features of a network often point one way.
            self._mean = known.mean(0)
            centred = known - self._mean
            self._coarse = centred.bfloat16()
            self._shares = known @ self._mean  # (N,): a reference's similarity to the mean, which centring takes out
            self._longest = float(centred.norm(dim=1).max())
            self._lost = float((centred - self._coarse.float()).norm(dim=1).max())

    def nearest(self, asked: Tensor, own: int | None) -> tuple[Tensor, Tensor]:
        """Similarities (B, k) and numbers (B, k) of the nearest references, in no order. `own` is what the first must not find."""
        if not self._in_bf16:
            return self._exactly(asked, own)
        similar, nearest, sure = self._by_candidates(asked, own)
        unsure = torch.nonzero(~sure).flatten()
        if len(unsure):
            rows = None if own is None else unsure + own
            similar[unsure], nearest[unsure] = self._exactly(asked[unsure], rows)
        self._looked_up += len(asked)
        self._in_vain += len(unsure)
        self._in_bf16 = self._in_vain <= _HOPELESS * self._looked_up
        return similar, nearest

    def _exactly(self, asked: Tensor, own: "int | Tensor | None") -> tuple[Tensor, Tensor]:
        similar = asked @ self._known.T
        if own is not None:
            rows = torch.arange(len(asked), device=asked.device)
            similar[rows, rows + own if isinstance(own, int) else own] = -torch.inf
        found = similar.topk(self._k, sorted=False)
        return found.values, found.indices

    def _by_candidates(self, asked: Tensor, own: int | None) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest of the candidates, and for which queries (B,) no other reference can be nearer."""
        centred = asked - self._mean
        coarse = centred.bfloat16()
        rough, summed, looked_at = self._room_for(len(asked))
        torch.mm(coarse, self._coarse.T, out=rough)  # (B, N)
        summed.copy_(rough).add_(self._shares)  # the query's own share is the same for all
        top = summed.topk(self._candidates, sorted=False)
        torch.index_select(self._known, 0, top.indices.flatten(), out=looked_at)
        exact = torch.bmm(looked_at.view(*top.indices.shape, -1), asked.unsqueeze(2)).squeeze(2)  # (B, C)
        if own is not None:
            exact[top.indices == torch.arange(own, own + len(asked)).unsqueeze(1)] = -torch.inf
        found = exact.topk(self._k, sorted=False)
        similar, nearest = found.values, top.indices.gather(1, found.indices)
        # What bf16 took from both vectors, by Cauchy and Schwarz, and from their product, which of a reference that is no candidate
        # lies below the last candidate's.
        last = top.values.amin(1)
        kept = coarse.float()
        lost = (centred - kept).norm(dim=1) * self._longest + kept.norm(dim=1) * self._lost
        rounded = _BF16 * torch.maximum((last - self._shares.min()).abs(), (last - self._shares.max()).abs())
        bound = last + (asked - self._mean) @ self._mean + lost + rounded + _FP32_DOTS
        return similar, nearest, similar.amin(1) > bound

    def _room_for(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Memory for B queries, used again and again: to get as much anew each time would take as long as to fill it."""
        if self._room is None:
            known = self._known
            self._room = (
                torch.empty(count, len(known), dtype=torch.bfloat16),
                torch.empty(count, len(known)),
                torch.empty(count * self._candidates, known.shape[1]),
            )
        rough, summed, looked_at = self._room
        return rough[:count], summed[:count], looked_at[: count * self._candidates]


@cache
def _has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware; elsewhere it takes longer than fp32."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001  torch has no other name for it


def _unit(vectors: Floats, device: torch.device) -> Tensor:
    moved = torch.from_numpy(np.ascontiguousarray(vectors, np.float32)).to(device)
    unit: Tensor = moved / moved.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return unit
