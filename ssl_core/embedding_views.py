"""What can be seen in embeddings: which samples are alike, and a map of them all. Torch-free.

Both read the Parquet files a row group at a time, so that a million embeddings take no more memory than a few thousand.

N: rows, D: features, K: rows that are drawn.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

MOST_READ = 256 << 20
"""Bytes of embeddings that a map reads, about: more would take longer than somebody waits, and change little in it."""
_ROUNDS = 30
_SPARE = 8
"""Directions beyond the two that are wanted, so that few rounds find these exactly."""


@dataclass(frozen=True)
class Row:
    """A sample without its embedding."""

    id: int
    """Its place in the dataset, from 0."""
    path: str
    label: str | None


@dataclass(frozen=True)
class Neighbor(Row):
    """A sample that is like another one."""

    similarity: float
    """Cosine of the angle between the two embeddings, -1 to 1."""


@dataclass(frozen=True)
class Map:
    """Samples as points of a plane, in which their embeddings are spread the widest."""

    rows: tuple[Row, ...]
    """K of them."""
    places: npt.NDArray[np.float64]
    """(K, 2): the first two principal components of the embeddings, each scaled to length 1."""
    explained: tuple[float, float]
    """Shares of the variance that lie along each, 0 to 1."""


class Views:
    """The files of one dataset's embeddings, opened. Use it in a `with` block.

    Args:
        paths: the Parquet files, in order; their rows are in order of `id`.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._files = [opened.enter_context(pq.ParquetFile(path)) for path in self._paths]
            self._open = opened.pop_all()
        self._names = _label_names(self._files[0].schema_arrow)
        self._groups = [(file, number) for file in self._files for number in range(file.num_row_groups)]
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def neighbors(self, id_: int, most: int) -> tuple[Row, list[Neighbor]] | None:
        """A sample, and those whose embeddings point the most into its direction, the nearest first; None if it is not there.

        Args:
            id_: the sample's place in the dataset.
            most: how many.
        """
        found = self._find(id_)
        if found is None:
            return None
        row, direction = found
        best: list[tuple[float, int]] = []
        for ids, units in self._read():
            cosines = units @ direction
            nearest = np.argsort(-cosines, kind="stable")[: most + 1]
            here = [(float(cosines[place]), int(ids[place])) for place in nearest if ids[place] != id_]
            best = sorted(best + here, key=lambda one: (-one[0], one[1]))[:most]
        told = self._rows([id_ for _, id_ in best])
        return row, [Neighbor(**vars(told[id_]), similarity=min(1.0, cosine)) for cosine, id_ in best]

    def map(self, points: int) -> Map:
        """Rows that are spread evenly over the dataset, as points of a plane.

        Args:
            points: most of them.
        """
        ids, units = self._sample(points)
        centred = units - units.mean(0)
        axes = _widest(centred)
        total = float(np.square(centred).sum())
        places = np.asarray(centred @ axes, np.float64)
        shares = np.square(places).sum(0) / total if total > 0 else np.zeros(2)
        told = self._rows(ids.tolist())
        return Map(tuple(told[id_] for id_ in ids.tolist()), places, (float(shares[0]), float(shares[1])))

    def _sample(self, points: int) -> tuple[Ids, Floats]:
        """Evenly spaced rows of evenly spaced row groups, as many as may be read."""
        bytes_ = sum(file.metadata.row_group(number).total_byte_size for file, number in self._groups)
        share = min(1.0, MOST_READ / max(1, bytes_))
        groups = [self._groups[place] for place in _spread(len(self._groups), max(1, int(share * len(self._groups))))]
        counts = [file.metadata.row_group(number).num_rows for file, number in groups]
        wanted = np.array(_spread(sum(counts), points))
        ids, units, first = [], [], 0
        for (ids_here, units_here), count in zip(self._read(groups), counts, strict=True):
            mine = wanted[(wanted >= first) & (wanted < first + count)] - first
            ids.append(ids_here[mine])
            units.append(units_here[mine])
            first += count
        return np.concatenate(ids), np.concatenate(units)

    def _read(self, groups: Sequence[tuple[pq.ParquetFile, int]] | None = None) -> Iterator[tuple[Ids, Floats]]:
        """Ids (n,) and embeddings (n, D) of length 1, of one row group after the other."""
        for file, number in self._groups if groups is None else groups:
            table = file.read_row_group(number, columns=["id", "embedding"], use_threads=False)
            column = table["embedding"].combine_chunks()
            values = column.values.to_numpy(zero_copy_only=False).reshape(len(column), -1)
            lengths = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float32).tiny)
            yield table["id"].to_numpy(), np.asarray(values / lengths, np.float32)

    def _find(self, id_: int) -> tuple[Row, Floats] | None:
        for file, number in self._groups:
            if _may_hold(file, number, id_):
                ((ids, units),) = self._read([(file, number)])
                place = int(np.searchsorted(ids, id_))
                if place < len(ids) and ids[place] == id_:
                    return self._rows([id_])[id_], units[place]
        return None

    def _rows(self, ids: Sequence[int]) -> dict[int, Row]:
        """Paths and labels, by id."""
        found: dict[int, Row] = {}
        wanted = np.array(sorted(ids), np.int64)
        for file, number in self._groups:
            low, high = _range(file, number)
            if not np.any((wanted >= low) & (wanted <= high)):
                continue
            columns = [name for name in ("id", "path", "label") if name in file.schema_arrow.names]
            table = file.read_row_group(number, columns=columns, use_threads=False)
            places = np.flatnonzero(np.isin(table["id"].to_numpy(), wanted))
            found |= {row["id"]: Row(row["id"], row["path"], self._label(row)) for row in table.take(places).to_pylist()}
        return found

    def _label(self, row: dict[str, Any]) -> str | None:
        label = row.get("label")
        return None if label is None else self._names[label]


def _label_names(schema: pa.Schema) -> list[str]:
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    label = described.get("info", {}).get("features", {}).get("label", {})
    return [str(name) for name in label.get("names", [])]


def _range(file: pq.ParquetFile, number: int) -> tuple[int, int]:
    """The lowest and the highest id of a row group."""
    statistics = file.metadata.row_group(number).column(file.schema_arrow.names.index("id")).statistics
    return int(statistics.min), int(statistics.max)


def _may_hold(file: pq.ParquetFile, number: int, id_: int) -> bool:
    low, high = _range(file, number)
    return low <= id_ <= high


def _spread(length: int, most: int) -> list[int]:
    """At most so many places of `range(length)`, evenly spaced: the middles of stretches of the same length."""
    count = min(length, most)
    return [(2 * place + 1) * length // (2 * count) for place in range(count)]


def _widest(centred: Floats) -> Floats:
    """The two directions (D, 2) of the most variance of centred rows (K, D), by subspace iteration from a fixed beginning."""
    features = centred.shape[1]
    axes = np.random.default_rng(0).standard_normal((features, min(features, 2 + _SPARE))).astype(np.float32)
    for _ in range(_ROUNDS):
        axes, _ = np.linalg.qr(centred.T @ (centred @ axes))
    _, _, turned = np.linalg.svd(centred @ axes, full_matrices=False)
    best = np.zeros((features, 2), np.float32)
    found = axes @ turned[:2].T
    best[:, : found.shape[1]] = found
    # A direction may as well point the other way: the same map each time is one whose longest coordinate is positive.
    signs = np.sign(best[np.abs(best).argmax(0), [0, 1]])
    return np.asarray(best * np.where(signs == 0, 1, signs), np.float32)
