"""Sets of permutations that are as different from each other as can be. Torch-free.

P: permutations in a set, K: things that are permuted.
"""

from functools import cache

import numpy as np
import numpy.typing as npt


@cache
def permutation_set(things: int, count: int) -> npt.NDArray[np.uint8]:
    """Choose permutations greedily: each next one has the largest Hamming distance from the nearest of those before.

    Noroozi and Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016, algorithm 1. Of
    several that are equally far, the one with the largest sum of distances is taken, of these the first in lexicographic order: the
    set is the same everywhere and always. Of nine things, 9 permutations differ in all places, 72 in 7, 100 in 6, 1,000 in 5.

    Args:
        things: K, up to 9.
        count: P, up to K!.

    Returns:
        uint8 (P, K), the first row is in order. Not to be written to.
    """
    every = _permutations(things)  # (K, K!)
    nearest = np.full(every.shape[1], things + 1, np.int64)
    total = np.zeros(every.shape[1], np.int64)
    chosen = np.empty((count, things), np.uint8)
    place = 0
    for number in range(count):
        chosen[number] = every[:, place]
        distance = np.zeros(every.shape[1], np.uint8)
        for row, thing in zip(every, chosen[number], strict=True):
            distance += row != thing
        np.minimum(nearest, distance, out=nearest)
        total += distance
        place = int((nearest * (count * things + 1) + total).argmax())
    chosen.flags.writeable = False
    return chosen


def _permutations(things: int) -> npt.NDArray[np.uint8]:
    """All of them in lexicographic order, uint8 (K, K!)."""
    every: npt.NDArray[np.uint8] = np.zeros((1, 1), np.uint8)
    for length in range(2, things + 1):
        count = every.shape[1]
        longer: npt.NDArray[np.uint8] = np.empty((length, length * count), np.uint8)
        for first in range(length):
            part = slice(first * count, (first + 1) * count)
            longer[0, part] = first
            longer[1:, part] = every + (every >= first)
        every = longer
    return every


def smallest_distance(permutations: npt.NDArray[np.uint8]) -> int:
    """Hamming distance of the two most alike of a set, uint8 (P, K)."""
    smallest: int = permutations.shape[1]
    for number, one in enumerate(permutations[:-1]):
        smallest = min(smallest, int((permutations[number + 1 :] != one).sum(1).min()))
    return smallest
