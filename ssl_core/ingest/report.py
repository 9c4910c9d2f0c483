"""What ingest found, for people and programs."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ssl_core.ingest.checks import Checked, CheckedVideo
from ssl_core.ingest.kinds import Kind
from ssl_core.ingest.labels import Labelling
from ssl_core.ingest.names import printable
from ssl_core.ingest.refusal import Refusal
from ssl_core.ingest.shards import Shard, paths_of
from ssl_core.spec.clips import rounded_length
from ssl_core.videos import VideoFacts

_EXAMPLES = 20
_SIZES_SHOWN = 10
_DIGEST_BYTES = 16
"""Of a SHA-256; enough that two different images never share one by chance."""


class Report:
    """Counts while the images go by. Refused members go to a file at once, so that a million of them need no memory.

    Args:
        folder: where `report.json` and `refused.jsonl` go.
        kind: what is taken.
    """

    def __init__(self, folder: Path, kind: Kind = "image") -> None:
        self.images = 0
        """Images, or videos, that were taken."""
        self.refused: Counter[str] = Counter()
        self.passed_over = 0
        self.damage: str | None = None
        """Why the archive could not be read to its end, if it could not."""
        self._folder = folder
        self._kind = kind
        self._videos = VideoCounts()
        self._started = time.monotonic()
        self._bytes = 0
        self._with_rest = 0
        self._rest = 0
        self._formats: Counter[str] = Counter()
        self._modes: Counter[str] = Counter()
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._labels: Counter[int] = Counter()
        self._splits: Counter[str] = Counter()
        self._digests = bytearray()
        self._file = (folder / "refused.jsonl").open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def refuse(self, name: str, refusal: Refusal) -> None:
        """Note a member that is not taken."""
        self.refused[refusal.code] += 1
        self._file.write(json.dumps({"name": printable(name), "code": refusal.code, "reason": refusal.reason}) + "\n")

    def take(self, checked: Checked, size: int, label: int | None, split: str | None) -> None:
        """Note an image that is taken."""
        self._formats[checked.format] += 1
        self._modes[checked.mode] += 1
        self._take((checked.width, checked.height), checked.digest, size, label, split)

    def left_out(self, size: int) -> None:
        """Note bytes behind the end of an image, which were not stored."""
        self._with_rest += size > 0
        self._rest += size

    def take_video(self, name: str, checked: CheckedVideo, size: int, label: int | None, split: str | None) -> None:
        """Note a video that is taken."""
        self._formats[checked.facts.container] += 1
        self._modes[checked.facts.codec] += 1
        self._videos.add(printable(name), checked.facts)
        self._take((checked.facts.width, checked.facts.height), checked.digest, size, label, split)

    def _take(self, shape: tuple[int, int], digest: bytes, size: int, label: int | None, split: str | None) -> None:
        self.images += 1
        self._bytes += size
        self._sizes[shape] += 1
        self._digests += digest[:_DIGEST_BYTES]
        if label is not None:
            self._labels[label] += 1
        if split is not None:
            self._splits[split] += 1

    def finish(self, labelling: Labelling, shards: list[Shard]) -> dict[str, Any]:
        """Write the report and give it. The shards lie in the same folder."""
        report: dict[str, Any] = {
            "kind": self._kind,
            f"{self._kind}s": self.images,
            "refused": sum(self.refused.values()),
            "refused_by_reason": dict(self.refused.most_common()),
            "passed_over": self.passed_over,
            "bytes": self._bytes,
            "formats": dict(self._formats.most_common()),
            "modes" if self._kind == "image" else "codecs": dict(self._modes.most_common()),
            **(self._videos.described() if self._kind == "video" else {}),
            "sizes": self._describe_sizes(),
            "labels": list(labelling.names),
            "label_counts": {name: self._labels[number] for number, name in enumerate(labelling.names)},
            "label_note": labelling.note,
            "labels_version": self._labels_version(shards),
            "splits": dict(self._splits.most_common()),
            "exact_duplicates": self._duplicates(shards),
            "warnings": self._warnings(),
            "seconds": round(time.monotonic() - self._started, 3),
            "shards": [{"name": shard.name, "rows": shard.rows, "bytes": shard.bytes, "sha256": shard.sha256} for shard in shards],
        }
        partial = self._folder / ".report.new"
        partial.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
        self._file.flush()
        os.fsync(self._file.fileno())
        partial.replace(self._folder / "report.json")
        return report

    def _labels_version(self, shards: list[Shard]) -> str | None:
        from ssl_core.labels.stored import of_folders  # it reads datasets, which ingest makes

        return of_folders([self._folder / shard.name for shard in shards]).version if self._labels or self._splits else None

    def _warnings(self) -> list[str]:
        told = [f"{self.damage}; what came before was taken"] if self.damage else []
        others = self.refused["not_a_video" if self._kind == "video" else "video"]
        if others:
            other = "image" if self._kind == "video" else "video"
            told.append(
                f"{others:,} files were refused because the set was taken for one of {self._kind}s; if it is not, upload it again "
                f"with `kind` {other}"
            )
        if self._rest:
            told.append(
                f"{self._with_rest:,} files have something behind the end of their image, {self._rest:,} bytes in all, such as a "
                "second picture or an archive; the image was taken, and the rest was not"
            )
        return told + self._videos.warnings()

    def _describe_sizes(self) -> dict[str, Any]:
        if not self._sizes:
            return {"median_side": 0, "distinct": 0, "most_common": []}
        described: dict[str, Any] = {"median_side": _median_of(self._counted(min))}
        for name, axis in (("width", 0), ("height", 1)):
            counts = self._counted(itemgetter(axis))
            described[name] = {"min": min(counts), "median": _median_of(counts), "max": max(counts)}
        described["distinct"] = len(self._sizes)
        common = self._sizes.most_common(_SIZES_SHOWN)
        described["most_common"] = [
            {"width": width, "height": height, f"{self._kind}s": count} for (width, height), count in common
        ]
        return described

    def _counted(self, what: Callable[[tuple[int, int]], int]) -> Counter[int]:
        counts = Counter[int]()
        for size, count in self._sizes.items():
            counts[what(size)] += count
        return counts

    def _duplicates(self, shards: list[Shard]) -> dict[str, Any]:
        """Images whose bytes are equal. They are kept; who trains can decide."""
        groups = _equal(np.frombuffer(bytes(self._digests), np.uint64).reshape(-1, _DIGEST_BYTES // 8))
        shown = [group[:2] for group in groups[:_EXAMPLES]]
        paths = paths_of(self._folder, shards, [row for pair in shown for row in pair])
        examples = [[paths[row] for row in pair] for pair in shown]
        return {"groups": len(groups), f"{self._kind}s": sum(map(len, groups)) - len(groups), "examples": examples}


class VideoCounts:
    """Lengths and rates of videos."""

    def __init__(self) -> None:
        self._frames = Counter[int]()
        self._rates = Counter[float]()
        self._seconds: list[float] = []
        self._variable = 0
        self._cut_off: list[str] = []

    def add(self, name: str, facts: VideoFacts) -> None:
        """Note a video."""
        self._frames[facts.frames] += 1
        self._rates[round(facts.rate, 2)] += 1
        self._seconds.append(facts.frames / facts.rate)
        self._variable += facts.variable
        if facts.cut_off:
            self._cut_off.append(name)

    def described(self) -> dict[str, Any]:
        """For the report. `lengths` are pairs of a number of frames, rounded down, and how many videos have it."""
        if not self._frames:
            return {"frames": {"total": 0}, "durations": {"total": 0}, "rates": [], "variable_rate": 0, "cut_off": 0, "lengths": []}
        lengths = Counter[int]()
        for frames, count in self._frames.items():
            lengths[rounded_length(frames)] += count
        seconds = self._seconds
        return {
            "frames": {
                "total": sum(frames * count for frames, count in self._frames.items()),
                "min": min(self._frames),
                "median": _median_of(self._frames),
                "max": max(self._frames),
            },
            "durations": {
                "total": round(sum(seconds), 3),
                "min": round(min(seconds), 3),
                "median": round(median(seconds), 3),
                "max": round(max(seconds), 3),
            },
            "rates": [{"rate": rate, "videos": count} for rate, count in self._rates.most_common(_SIZES_SHOWN)],
            "variable_rate": self._variable,
            "cut_off": len(self._cut_off),
            "lengths": sorted(lengths.items()),
        }

    def warnings(self) -> list[str]:
        """What people should know."""
        if not self._cut_off:
            return []
        names = ", ".join(self._cut_off[:3])
        return [f"{len(self._cut_off):,} videos are damaged or cut off ({names}); what came before the damage was taken"]


def _equal(digests: npt.NDArray[np.uint64]) -> list[list[int]]:
    """Groups of two or more equal rows, those that begin first come first.

    Args:
        digests: (N, words).
    """
    order = np.lexsort(digests.T)
    ordered = digests[order]
    follows = np.concatenate([[False], (ordered[1:] == ordered[:-1]).all(axis=1), [False]]) if len(digests) else np.zeros(1, bool)
    starts = np.flatnonzero(~follows[:-1] & follows[1:])
    ends = np.flatnonzero(follows[:-1] & ~follows[1:]) + 1
    return sorted(sorted(order[start:end].tolist()) for start, end in zip(starts, ends, strict=True))


def _median_of(counts: Counter[int]) -> float:
    total, seen = sum(counts.values()), 0
    values = sorted(counts)
    for value in values:
        seen += counts[value]
        if 2 * seen > total:
            return value
        if 2 * seen == total:
            return median([value, values[values.index(value) + 1]])
    return values[-1]
