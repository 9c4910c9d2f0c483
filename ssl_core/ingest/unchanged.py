"""An upload that leaves out what an earlier dataset has: put together again before anything is checked.

Its first member is a list, a line of JSON for each file that was left out: `{"path": "cat/1.jpg", "sample": 7, "before": 2}`. The
file's bytes are those of that sample of the earlier dataset, and it stands behind so many of the other members. So what comes out
is the same as of the whole upload, to the byte, whatever was left out.
"""

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ssl_core.errors import InterruptedRun, UserError
from ssl_core.ingest.archives import Source
from ssl_core.ingest.entries import DamagedError, Entry
from ssl_core.ingest.limits import Limits
from ssl_core.ingest.names import decoded
from ssl_core.ingest.shards import groups
from ssl_core.process import StopRequest

LIST = ".pretext-unchanged"
"""Name of the member."""
_ADVICE = "upload everything, without `base_dataset_id`"


class _Line(NamedTuple):
    path: str
    sample: int
    before: int


def completed(source: Source, base: Path, out: Path, limits: Limits, stop: StopRequest) -> Source:
    """A source with the files that it has left out.

    Args:
        source: what was uploaded.
        base: folder with the shards of the earlier dataset.
        out: where there is room for a copy of those files; it is gone with this process.
        limits: what the source may hold.
        stop: looked at while files are copied.

    Raises:
        UserError: it has no such list, or the list is wrong.
        InterruptedRun: it was asked to stop.
    """
    content = _list_of(source, limits)
    wanted = np.fromiter((line.sample for line in _lines(content)), np.int64)
    if len(wanted) > limits.max_members:
        raise UserError("archive_too_large", f"the upload leaves out more than {limits.max_members:,} files; split it")
    copies = _Copies(sorted(base.glob("*.parquet")), wanted, out, stop)
    whole = Source(source.path, source.kind, partial(_merged, source, content, copies))
    whole.size = None if source.size is None else source.size + copies.bytes
    return whole


def _list_of(source: Source, limits: Limits) -> bytes:
    try:
        members = source.entries()  # kept, for the first one is read from it
        first = next(members, None)
        if first is None or first.name != LIST or first.refusal is not None:
            raise UserError(
                "no_list_of_unchanged",
                f"the upload names a dataset that has files of it, and does not begin with {LIST}; {_ADVICE}",
            )
        if first.size > limits.max_list_bytes:
            raise _wrong(f"has {first.size:,} bytes, and at most {limits.max_list_bytes:,} are taken")
        return first.read()
    except DamagedError as error:
        raise UserError("not_an_archive", f"nothing of the upload can be read: {error}. Upload it again.") from error


def _wrong(what: str) -> UserError:
    return UserError("wrong_list_of_unchanged", f"the upload's list of unchanged files {what}; {_ADVICE}")


def _lines(content: bytes) -> Iterator[_Line]:
    start, before, number = 0, 0, 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        number += 1
        line = _parsed(content[start:end], number)
        if line.before < before:
            raise _wrong(f"is out of order at line {number:,}")
        before, start = line.before, end + 1
        yield line


def _parsed(text: bytes, number: int) -> _Line:
    try:
        read: Any = json.loads(text)
        line = _Line(decoded(read["path"]), read["sample"], read["before"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _wrong(f"is no JSON of the right kind at line {number:,}") from error
    whole = all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 for value in line[1:])
    if not whole:
        raise _wrong(f"is no JSON of the right kind at line {number:,}")
    return line


def _merged(source: Source, content: bytes, copies: "_Copies") -> Iterator[Entry]:
    """Everything in the order of the whole upload."""
    members = source.entries()
    next(members)
    left_out = enumerate(_lines(content))
    waiting = next(left_out, None)
    behind = 0
    for member in members:
        while waiting is not None and waiting[1].before <= behind:
            yield copies.entry(*waiting)
            waiting = next(left_out, None)
        yield member
        behind += 1
    while waiting is not None:
        if waiting[1].before > behind:
            raise _wrong(f"puts a file behind {waiting[1].before:,} others, and the upload has {behind:,}")
        yield copies.entry(*waiting)
        waiting = next(left_out, None)


class _Copies:
    """The samples in a file without a name, since a list may name them in any order and shards are read from front to back.

    It takes no more of the disk than the whole upload would have.

    Args:
        shards: of the earlier dataset, in order.
        samples: (N,) of the lines.
        out: folder of the file.
        stop: looked at between row groups.
    """

    def __init__(self, shards: list[Path], samples: npt.NDArray[np.int64], out: Path, stop: StopRequest) -> None:
        self.bytes = 0
        """Of all copies."""
        self._starts = np.zeros(len(samples), np.int64)
        self._sizes = np.zeros(len(samples), np.int64)
        order = np.argsort(samples, kind="stable")
        ordered = samples[order]
        if len(ordered) and (ordered[1:] == ordered[:-1]).any():
            raise _wrong("names a sample twice")
        out.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=out)  # noqa: SIM115  it lives as long as its entries
        weakref.finalize(self, self._file.close)
        at = behind = 0
        for file, group, first, rows in groups(shards):
            if stop:
                raise InterruptedRun
            behind = first + rows
            end = int(np.searchsorted(ordered, behind))
            if end > at:
                self._check_room(file.metadata.row_group(group).total_byte_size)
                column = "image" if "image" in file.schema_arrow.names else "video"
                contents = file.read_row_group(group, columns=[f"{column}.bytes"])[column]
                for line in order[at:end]:
                    self._add(int(line), contents[int(samples[line]) - first]["bytes"].as_buffer())
            at = end
        if at < len(ordered):
            raise _wrong(f"names sample {int(ordered[-1]):,}, and the dataset has {behind:,}")
        self._file.flush()

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self._file.fileno()).free
        if size > free:
            raise UserError("disk_full", f"the worker's disk has {free:,} bytes free, too few for the unchanged files; free some")

    def _add(self, line: int, content: Any) -> None:
        self._starts[line], self._sizes[line] = self.bytes, content.size
        self._file.write(content)
        self.bytes += content.size

    def entry(self, line: int, told: _Line) -> Entry:
        """The file of a line, as if it were in the archive."""
        size = int(self._sizes[line])
        return Entry(told.path, size, size, None, partial(self._read, int(self._starts[line]), size))

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)
