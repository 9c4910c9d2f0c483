"""Videos of the seeded generator, as MP4 files and back, decoded by the code that decodes for a training."""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from benchmarks.cifar10 import Images
from launcher.motions import generate, mp4
from ssl_core.videos import Grid, decode_segments, inspect_video

FRAMES, PERIOD = 64, 64
_PART = 100
_TEST_SEED = 1_000_000


def load(train: int, test: int, size: int) -> tuple[Images, Images]:
    """Videos to train on and others to test on, 64 frames each, of `size` pixels a side. The same arguments give the same ones."""
    return _videos(train, 0, size), _videos(test, _TEST_SEED, size)


def _videos(count: int, seed: int, size: int) -> Images:
    parts = [(seed + number, min(_PART, count - start)) for number, start in enumerate(range(0, count, _PART))]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        made = list(pool.map(partial(_part, size=size), parts))
    return Images(np.concatenate([frames for frames, _ in made]), np.concatenate([labels for _, labels in made]))


def _part(part: tuple[int, int], size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    seed, count = part
    frames = np.empty((count, FRAMES, size, size, 3), np.uint8)
    labels = np.empty(count, np.int64)
    for number, clip in enumerate(generate(count, seed, size=size, frames=FRAMES, period=PERIOD)):
        video = mp4(clip.frames)
        facts, _ = inspect_video(video)
        decode_segments(video, Grid(FRAMES, facts.rate, facts.variable), [(0, FRAMES)], size, frames[number])
        labels[number] = clip.label
    return frames, labels
