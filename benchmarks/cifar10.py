"""CIFAR-10 from an archive of `train/<class>/*` and `test/<class>/*`, decoded once and kept in the temporary folder."""

import io
import os
import tarfile
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Images:
    """Images with labels. N: images, S: side, F: frames."""

    images: npt.NDArray[np.uint8]
    """uint8 (N, S, S, 3), or videos (N, F, S, S, 3)."""
    labels: npt.NDArray[np.int64]
    """int64 (N,), from 0."""

    def __getitem__(self, index: npt.NDArray[np.int64]) -> "Images":
        return Images(self.images[index], self.labels[index])


def load(archive: Path) -> tuple[Images, Images]:
    """The training and the test images of a tar."""
    facts = archive.stat()
    key = sha256(f"{archive.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"pretext-benchmarks-{os.getuid()}" / f"{key}.npz"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True, mode=0o700)
        parts = _decoded(archive)
        new = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez(new, **{f"{split}_{what}": getattr(part, what) for split, part in parts.items() for what in ("images", "labels")})
        new.replace(kept)
    with np.load(kept) as arrays:
        train, test = (Images(arrays[f"{split}_images"], arrays[f"{split}_labels"]) for split in ("train", "test"))
    return train, test


def _decoded(archive: Path) -> dict[str, Images]:
    found: dict[str, list[tuple[str, str, npt.NDArray[np.uint8]]]] = {"train": [], "test": []}
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = Path(member.name).parts
            content = tar.extractfile(member) if member.isfile() and len(parts) > 2 and parts[-3] in found else None
            if content is not None:
                with Image.open(io.BytesIO(content.read())) as image:
                    found[parts[-3]].append((parts[-2], parts[-1], np.asarray(image.convert("RGB"))))
    classes = {name: number for number, name in enumerate(sorted({name for name, _, _ in found["train"]}))}
    decoded = {}
    for split, entries in found.items():
        entries.sort(key=lambda entry: entry[:2])
        labels = np.array([classes[name] for name, _, _ in entries], np.int64)
        decoded[split] = Images(np.stack([pixels for _, _, pixels in entries]), labels)
    return decoded
