"""Labelled images or videos, and which of them train and which test.

N: images or videos, S: side, T: frames of a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_core.cache import DecodedImages
from ssl_core.clips import ClipTable
from ssl_core.data import derived_seed
from ssl_core.errors import UserError

Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]

_MOST_VIEWS = 4


class Samples:
    """Images, or videos seen as clips.

    Args:
        images: uint8 (N, S, S, 3), or the frames of the videos.
        clips: where the clips lie among the frames, if they are videos.
    """

    def __init__(self, images: Pixels, clips: ClipTable | None = None) -> None:
        self._images = images
        self._clips = clips
        if clips is not None:
            self._videos, self._first, self._count = np.unique(clips.videos, return_index=True, return_counts=True)

    @property
    def views(self) -> int:
        """Clips over which a video's features are averaged; 1 of images."""
        return 1 if self._clips is None else int(min(_MOST_VIEWS, self._count.max()))

    @property
    def kind(self) -> str:
        """`image` or `video`."""
        return "image" if self._clips is None else "video"

    def usable(self, count: int) -> Rows:
        """Which of `count` images or videos can be shown: of videos, those that are long enough for a clip."""
        return np.arange(count) if self._clips is None else self._videos

    def shown(self, rows: Rows, view: int = 0) -> Pixels:
        """uint8 (n, S, S, 3), or clips (n, T, S, S, 3): each video's clip that a `view` from 0 on falls on."""
        if self._clips is None:
            return self._images[rows]
        place = np.searchsorted(self._videos, rows)
        clip = self._first[place] + (2 * view + 1) * self._count[place] // (2 * self.views)
        begins = self._clips.lowest[clip] + self._clips.choices[clip] // 2
        clips: Pixels = self._images[begins[:, None] + self._clips.strides[clip][:, None] * np.arange(self._clips.frames)]
        return clips

    def pictures(self, rows: Rows) -> Pixels:
        """uint8 (n, S, S, 3): the images, or the middle frame of a clip of each video."""
        shown = self.shown(rows)
        return shown if shown.ndim == 4 else shown[:, shown.shape[1] // 2]


@dataclass(frozen=True)
class Parts:
    """Who trains and who tests: numbers in the dataset, in order."""

    train: Rows
    test: Rows
    labels: Labels
    """int64 (N,): of all images of the dataset, by number among `names`; -1 of those that take no part."""
    names: tuple[str, ...]
    """The classes that take part."""
    told: str
    """Where the test images come from."""
    left_out: dict[str, int]
    """Images that take no part, by reason."""


def parts_of(images: DecodedImages, samples: Samples, *, test_share: float, seed: int) -> Parts:
    """Divide a labelled dataset: by its own test split, or by one that is held out of each class.

    Raises:
        UserError: there are no labels, or too few to train and test by.
    """
    labels = images.labels
    if labels is None or not (labels >= 0).any():
        raise UserError(
            "no_labels",
            "the dataset has no labels; an evaluation needs some: upload images in a folder for each class, train/cat/1.jpg or "
            "cat/1.jpg, or give the dataset labels by a table",
        )
    usable = np.zeros(len(labels), bool)
    usable[samples.usable(len(labels))] = True
    left_out = {"without a label": int((labels < 0).sum()), "too short for a clip": int((~usable & (labels >= 0)).sum())}
    labelled = np.flatnonzero(usable & (labels >= 0))
    split = images.splits
    names = sorted({name for number in labelled if split is not None and (name := split[number]) is not None})
    tested_by = next((name for name in ("test", "validation") if name in names and len(names) > 1), None)
    if split is not None and tested_by is not None:
        of = np.array([split[number] or "" for number in labelled])
        train, test = labelled[(of != tested_by) & (of != "")], labelled[of == tested_by]
        left_out["in no split"] = int((of == "").sum())
        told = f"the dataset's own {tested_by} split"
    else:
        train, test = _held_out(labelled, labels, test_share, seed)
        told = f"held out, {test_share:.0%} of each class"
    return _agreed(labels, train, test, images.label_names, told, left_out)


def _held_out(rows: Rows, labels: Labels, share: float, seed: int) -> tuple[Rows, Rows]:
    """A share of each class, one at least where there are two."""
    generator = np.random.default_rng(derived_seed(seed, "held out", 0))
    train, test = [], []
    for label in np.unique(labels[rows]):
        of_class = generator.permutation(rows[labels[rows] == label])
        count = min(max(1, round(len(of_class) * share)), len(of_class) - 1)
        test.append(of_class[:count])
        train.append(of_class[count:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))


def _agreed(labels: Labels, train: Rows, test: Rows, names: Sequence[str], told: str, left_out: dict[str, int]) -> Parts:
    """Only with the classes that both parts have, numbered anew."""
    both = np.intersect1d(labels[train], labels[test])
    if len(both) < 2:
        raise UserError(
            "too_few_labels",
            f"an evaluation needs at least two classes with labelled images to train and to test by, and there are {len(both)}",
        )
    numbers = np.full(int(labels.max()) + 1, -1, np.int64)
    numbers[both] = np.arange(len(both))
    renamed = np.where(labels >= 0, numbers[labels], -1)
    kept_train, kept_test = train[renamed[train] >= 0], test[renamed[test] >= 0]
    left_out = {**left_out, "of a class that has too few": len(train) + len(test) - len(kept_train) - len(kept_test)}
    called = tuple(names[number] if number < len(names) else str(number) for number in both)
    taking_part = np.full_like(labels, -1)
    for rows in (kept_train, kept_test):
        taking_part[rows] = renamed[rows]
    return Parts(kept_train, kept_test, taking_part, called, told, {reason: count for reason, count in left_out.items() if count})
