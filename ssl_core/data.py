"""Batches of decoded images on the device, in an order that depends on the seed and the step alone.

N: images, B: batch, S: side.
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
    """

    def __init__(
        self, images: npt.NDArray[np.uint8], batch_size: int, seed: int, device: torch.device, *, resident: bool | None = None
    ) -> None:
        self._images = torch.from_numpy(images)
        self._batch = batch_size
        self._seed = seed
        self._device = device
        self.per_epoch = len(images) // batch_size
        self.resident = self._fits(device) if resident is None else resident
        if self.resident:
            self._images = self._images.to(device)

    def _fits(self, device: torch.device) -> bool:
        if device.type == "cpu":
            return True  # a memory map takes what memory there is, and no more
        free, _ = torch.cuda.mem_get_info(device)
        return self._images.nbytes < _SHARE_OF_FREE_MEMORY * free

    def sample(self, count: int) -> Tensor:
        """The same few images every time, uint8 (min(count, N), 3, S, S) on the device, channels last."""
        generator = torch.Generator().manual_seed(derived_seed(self._seed, "sample", 0))
        index = torch.randperm(len(self._images), generator=generator)[:count].to(self._images.device)
        return self._images.index_select(0, index).to(self._device).permute(0, 3, 1, 2)

    def since(self, step: int, steps: int) -> Iterator[Tensor]:
        """Batches of the steps `step` (from 0) to `steps`, each uint8 (B, 3, S, S) on the device, channels last."""
        for batch in self._resident(step, steps) if self.resident else self._prefetched(step, steps):
            yield batch.permute(0, 3, 1, 2)

    def _resident(self, step: int, steps: int) -> Iterator[Tensor]:
        for index in self._indices(step, steps, self._device):
            yield self._images.index_select(0, index)

    def _indices(self, step: int, steps: int, device: torch.device) -> Iterator[Tensor]:
        epoch, order = -1, torch.empty(0)
        for number in range(step, steps):
            if number // self.per_epoch != epoch:
                epoch = number // self.per_epoch
                generator = torch.Generator().manual_seed(derived_seed(self._seed, "order", epoch))
                order = torch.randperm(len(self._images), generator=generator).to(device)
            place = number % self.per_epoch * self._batch
            yield order[place : place + self._batch]

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
