"""Labels and splits from the names of folders. Nobody has to have them; they are kept for evaluation."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ssl_core.ingest.names import parts_of, printable
from ssl_core.videos import SUFFIXES as VIDEO_SUFFIXES

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Labelling:
    """What the folders of a set mean."""

    names: tuple[str, ...] = ()
    """The classes, sorted; none if there are no class folders."""
    note: str = ""
    """Why there are no labels, or where they come from."""
    has_splits: bool = False
    _of_folder: Mapping[tuple[str, ...], tuple[int | None, str | None]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[int | None, str | None]:
        """Label and split of a member."""
        return self._of_folder.get(parts_of(name)[:-1], (None, None))


class Folders:
    """Counts the images, or the videos, of each folder, as far as names tell them from other files.

    Args:
        kind: which of them.
    """

    def __init__(self, kind: Literal["image", "video"] = "image") -> None:
        self._suffixes = IMAGE_SUFFIXES if kind == "image" else (*VIDEO_SUFFIXES, ".gif", ".webp")
        self._named: Counter[tuple[str, ...]] = Counter()
        self._bare: Counter[tuple[str, ...]] = Counter()

    def add(self, name: str) -> None:
        """Count a member in."""
        *folder, own = parts_of(name) or ("",)
        if own.lower().endswith(self._suffixes):
            self._named[tuple(folder)] += 1
        elif "." not in own:
            self._bare[tuple(folder)] += 1

    def counts(self) -> Counter[tuple[str, ...]]:
        """Number of images in each folder. Names without a suffix count only where no name has one of an image."""
        return self._named or self._bare


def find_labels(folders: Counter[tuple[str, ...]], *, of_folders: bool = False) -> Labelling:
    """Decide what folders mean.

    Args:
        folders: number of images in each folder.
        of_folders: each of these folders is a sample itself, a clip of frames, and lies in the folder of its class.
    """
    if of_folders:
        around = Counter[tuple[str, ...]]()
        for folder in folders:
            around[folder[:-1]] += 1
        return find_labels(around)
    splits, rest = _take_splits(folders)
    note = _why_no_classes(rest, folders)
    if note:
        names: tuple[str, ...] = ()
    else:
        names = tuple(sorted({printable(folder[-1]) for folder in rest.values()}))
        note = f"from {len(names)} class folders"
    index = {name: number for number, name in enumerate(names)}
    of_folder = {folder: (index[printable(rest[folder][-1])] if names else None, splits.get(folder)) for folder in folders}
    return Labelling(names, note, bool(splits), of_folder)


def _take_splits(
    folders: Counter[tuple[str, ...]],
) -> tuple[dict[tuple[str, ...], str], dict[tuple[str, ...], tuple[str, ...]]]:
    """Take away the folders at the top that all images share, and those that name a split. Gives the splits, and what is left."""
    rest = {folder: folder for folder in folders}
    while rest and all(rest.values()):
        tops = {folder[0] for folder in rest.values()}
        if all(top.lower() in SPLITS for top in tops):
            splits = {whole: SPLITS[folder[0].lower()] for whole, folder in rest.items()}
            return splits, {whole: folder[1:] for whole, folder in rest.items()}
        if len(tops) > 1:
            break
        rest = {whole: folder[1:] for whole, folder in rest.items()}
    return {}, rest


def _why_no_classes(rest: Mapping[tuple[str, ...], tuple[str, ...]], folders: Counter[tuple[str, ...]]) -> str:
    depths = {len(folder) for folder in rest.values()}
    if not rest or depths == {0}:
        return "no labels: the images are not in class folders"
    if 0 in depths:
        return "no labels: some images are in folders and some are not"
    if len(depths) > 1:
        return "no labels: the images are in folders of different depths"
    classes = {folder[-1] for folder in rest.values()}
    if len(classes) == 1:
        return "no labels: all images are in one folder"
    if len(classes) > sum(folders.values()) / 2:
        return "no labels: there are almost as many folders as images"
    return ""
