"""Images that are there twice, exactly or nearly: one among the training images makes a test image no test.

A perceptual hash of 64 bits finds candidates: the signs of the lowest frequencies of a cosine transform of the grey image, beside
their median (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). Candidates are then compared as
small grey images. N, M: images, S: side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]

_SIDE = 32
_FREQUENCIES = 8
_BITS = 5
"""Most bits by which the hashes of near duplicates differ."""
_BANDS = _BITS + 1
"""Two hashes that differ in so many bits agree in one band at least."""
_ALIKE = 0.97
_SAME_CONTRAST = 0.7
_CHUNK = 4096
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Twin:
    """A test image that is among the training images too."""

    test: int
    """Its number among the test images."""
    train: int
    """Number of the training image."""
    exact: bool
    """Whether every pixel is the same."""


def find_twins(train: Pixels, test: Pixels) -> list[Twin]:
    """Every pair of a training image (N, S, S, 3) and a test image (M, S, S, 3) that show the same, or its mirror image."""
    small_train, small_test = _small(train), _small(test)
    known = _hashes(small_train)
    found: dict[tuple[int, int], bool] = {}
    for mirrored in (False, True):
        asked = small_test[:, :, ::-1] if mirrored else small_test
        for tests, trains in _candidates(_hashes(asked), known):
            alike = _alike(asked[tests], small_train[trains])
            for one, other in zip(tests[alike].tolist(), trains[alike].tolist(), strict=True):
                exact = not mirrored and bool(np.array_equal(test[one], train[other]))
                found[one, other] = found.get((one, other), False) or exact
    return [Twin(one, other, exact) for (one, other), exact in sorted(found.items())]


def _small(images: Pixels) -> Floats:
    """Grey images (N, 32, 32), each pixel the mean of what it covers."""
    parts = []
    for start in range(0, len(images), _CHUNK):
        grey = images[start : start + _CHUNK].astype(np.float32) @ _GREY
        weights = _averaging(grey.shape[1])
        parts.append(weights @ grey @ weights.T)
    return np.concatenate(parts) if parts else np.empty((0, _SIDE, _SIDE), np.float32)


def _averaging(side: int) -> Floats:
    """(32, S): how much of each pixel goes to each of 32."""
    edges = np.linspace(0, side, _SIDE + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(side)
    shared = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    weights: Floats = (shared / shared.sum(1, keepdims=True)).astype(np.float32)
    return weights


def _hashes(small: Floats) -> Hashes:
    place = np.arange(_SIDE) + 0.5
    # Each image's mean is left out: brightness says nothing.
    waves = np.cos(np.pi / _SIDE * np.arange(_FREQUENCIES + 1)[:, None] * place).astype(np.float32)
    spectrum = (waves @ small @ waves.T)[:, 1:, 1:].reshape(len(small), _FREQUENCIES**2)
    above = spectrum > np.median(spectrum, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64).reshape(-1)


def _candidates(asked: Hashes, known: Hashes) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of numbers whose hashes differ in few bits, in parts. A pair may come more than once."""
    width = 64 // _BANDS
    for band in range(_BANDS):
        key = ((known >> np.uint64(band * width)) & np.uint64(2**width - 1)).astype(np.int64)
        order = np.argsort(key, kind="stable")
        wanted = ((asked >> np.uint64(band * width)) & np.uint64(2**width - 1)).astype(np.int64)
        begins, ends = np.searchsorted(key[order], wanted, "left"), np.searchsorted(key[order], wanted, "right")
        for start in range(0, len(asked), _CHUNK):
            counts = (ends - begins)[start : start + _CHUNK]
            for part in _bounded(counts):
                rows = np.repeat(np.arange(start, start + _CHUNK)[part], counts[part])
                offset = np.arange(len(rows)) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
                others = order[begins[rows] + offset]
                near = np.bitwise_count(asked[rows] ^ known[others]) <= _BITS
                yield rows[near], others[near]


def _bounded(counts: Rows, most: int = 4_000_000) -> Iterator[slice]:
    """Slices of `counts` whose sums are bounded, or that have one entry."""
    total = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = total[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(total, before + most, "right")))
        yield slice(start, end)
        start = end


def _alike(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    """Whether small grey images correlate, and have about the same contrast. Two of no contrast are alike if they are as bright."""
    parts = [
        _alike_part(one[start : start + _CHUNK], other[start : start + _CHUNK]) for start in range(0, max(1, len(one)), _CHUNK)
    ]
    return np.concatenate(parts)


def _alike_part(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    flat_one, flat_other = (small.reshape(len(small), _SIDE**2) for small in (one, other))
    centred_one, centred_other = (flat - flat.mean(1, keepdims=True) for flat in (flat_one, flat_other))
    spread_one, spread_other = (np.sqrt((centred**2).mean(1)) for centred in (centred_one, centred_other))
    low, high = np.minimum(spread_one, spread_other), np.maximum(spread_one, spread_other)
    correlation = (centred_one * centred_other).mean(1) / np.maximum(spread_one * spread_other, 1e-6)
    plain = (high < 1) & (np.abs(flat_one.mean(1) - flat_other.mean(1)) < 1)
    same: npt.NDArray[np.bool_] = plain | ((correlation > _ALIKE) & (low > _SAME_CONTRAST * high))
    return same
