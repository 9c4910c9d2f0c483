"""Batches of decoded images or clips on the device, in an order that depends on the seed and the step alone.

N: images or frames, C: clips, B: batch, T: frames of a clip, S: side.
"""

import queue
import threading
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_core.clips import ClipTable

_SHARE_OF_FREE_MEMORY = 0.5
_AHEAD = 3


def derived_seed(seed: int, what: str, number: int) -> int:
    """A seed for one purpose at one point of a training: the same whenever that point is come to, unlike any other."""
    return int.from_bytes(sha256(f"{seed}/{what}/{number}".encode()).digest()[:8]) >> 1


def draw_for(seed: int, what: str) -> None:
    """Let everything random that follows depend on the seed and a purpose alone."""
    torch.manual_seed(derived_seed(seed, what, 0))


def draw_as_of(seed: int, step: int) -> None:
    """Let everything random in a step depend on the seed and the step alone. That is what makes resuming exact."""
    torch.manual_seed(derived_seed(seed, "step", step))


class Batches:
    """Shuffled batches; the last, incomplete one of each epoch is left out.

    A set that fits is moved to the device whole. A larger one is read from the memory map ahead of time, through pinned memory.

    Args:
        images: uint8 (N, S, S, 3).
        batch_size: B.
        seed: of the order.
        device: where the batches are wanted.
        resident: whether to move the set to the device whole; by default, if it takes less than half of the free memory there.
        clips: where the clips lie, if the images are frames of videos; then a batch has clips, and where in its window each of them
            begins is drawn anew in every step.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        resident: bool | None = None,
        clips: ClipTable | None = None,
    ) -> None:
        self._images = torch.from_numpy(images)
        self._clips = clips
        self._count = len(images) if clips is None else len(clips)
        self._batch = batch_size
        self._seed = seed
        self._device = device
        self.per_epoch = self._count // batch_size
        self.resident = self._fits(device) if resident is None else resident
        if self.resident:
            self._images = self._images.to(device)

    def _fits(self, device: torch.device) -> bool:
        if device.type == "cpu":
            return True  # a memory map takes what memory there is, and no more
        free, _ = torch.cuda.mem_get_info(device)
        return self._images.nbytes < _SHARE_OF_FREE_MEMORY * free

    def sample(self, count: int) -> Tensor:
        """The same few images or clips every time, as of `since`; min(count, N) or min(count, C) of them."""
        return self.rows(self.sampled(count))

    def sampled(self, count: int) -> Tensor:
        """Which images or clips `sample` shows: int64 (min(count, N),)."""
        generator = torch.Generator().manual_seed(derived_seed(self._seed, "sample", 0))
        return torch.randperm(self._count, generator=generator)[:count]

    def rows(self, index: Tensor) -> Tensor:
        """Images or clips by number, as of `since`. Clips begin in the middle of where they may."""
        if self._clips is not None:
            index = self._frames_of(index, torch.full((len(index),), 0.5))
        return self._shaped(self._images.index_select(0, index.flatten().to(self._images.device)).to(self._device))

    def since(self, step: int, steps: int) -> Iterator[Tensor]:
        """Batches of the steps `step` (from 0) to `steps`, on the device.

        Images are uint8 (B, 3, S, S), channels last. Clips are uint8 (B, 3, T, S, S) and lie in memory as (B, T, S, S, 3).
        """
        for batch in self._resident(step, steps) if self.resident else self._prefetched(step, steps):
            yield self._shaped(batch)

    def _shaped(self, rows: Tensor) -> Tensor:
        """(B, 3, S, S) or (B, 3, T, S, S) of (B, S, S, 3) or (B * T, S, S, 3)."""
        if self._clips is None:
            return rows.permute(0, 3, 1, 2)
        return rows.view(-1, self._clips.frames, *rows.shape[1:]).permute(0, 4, 1, 2, 3)

    def _frames_of(self, index: Tensor, place: Tensor) -> Tensor:
        """Frames (B, T) of clips (B,), which begin at a place (B,) of their windows, 0 to 1."""
        clips = self._clips
        assert clips is not None
        lowest, choices, strides = (torch.from_numpy(each)[index] for each in (clips.lowest, clips.choices, clips.strides))
        first = lowest + torch.minimum((place.double() * choices).long(), choices - 1)
        return first.unsqueeze(1) + strides.unsqueeze(1) * torch.arange(clips.frames)

    def _resident(self, step: int, steps: int) -> Iterator[Tensor]:
        for index in self._indices(step, steps, self._device):
            yield self._images.index_select(0, index)

    def _indices(self, step: int, steps: int, device: torch.device) -> Iterator[Tensor]:
        epoch, order = -1, torch.empty(0)
        for number in range(step, steps):
            if number // self.per_epoch != epoch:
                epoch = number // self.per_epoch
                generator = torch.Generator().manual_seed(derived_seed(self._seed, "order", epoch))
                order = torch.randperm(self._count, generator=generator)
                order = order if self._clips is not None else order.to(device)
            place = number % self.per_epoch * self._batch
            index = order[place : place + self._batch]
            if self._clips is not None:
                generator = torch.Generator().manual_seed(derived_seed(self._seed, "start", number))
                index = self._frames_of(index, torch.rand(len(index), generator=generator)).flatten().to(device, non_blocking=True)
            yield index

    def _prefetched(self, step: int, steps: int) -> Iterator[Tensor]:
        ready: queue.Queue[Any] = queue.Queue(_AHEAD)
        over = threading.Event()

        def offer(item: Any) -> bool:
            while not over.is_set():
                try:
                    ready.put(item, timeout=0.1)
                except queue.Full:
                    continue
                return True
            return False

        def read() -> None:
            try:
                for index in self._indices(step, steps, torch.device("cpu")):
                    batch = self._images.index_select(0, index)
                    if not offer(batch.pin_memory() if self._device.type == "cuda" else batch):
                        return
                offer(None)
            except BaseException as error:  # noqa: BLE001  it is raised where the batches are used
                offer(error)

        reader = threading.Thread(target=read, name="prefetch", daemon=True)
        reader.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item.to(self._device, non_blocking=True)
        finally:
            over.set()
            reader.join()
