"""Retrieval: do the most similar images show the same class? N: images that are searched, M: queries, D: features."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_CHUNK = 256


@dataclass(frozen=True)
class Retrieved:
    """Figures of a retrieval, 0 to 1."""

    mean_average_precision: float
    precision: dict[int, float]
    """Share of the first 1, 5, 10 found that are of the query's class, by that number."""
    chance: float
    """The mean average precision of a random order, about: the share of the query's class."""


def retrieve(references: Floats, labels: Labels, queries: Floats, query_labels: Labels) -> Retrieved:
    """Order all references by cosine similarity to each query, and see where those of its class are.

    Average precision is the mean, over the references of the query's class, of the precision down to each of them.

    Args:
        references: float32 (N, D).
        labels: int64 (N,), from 0.
        queries: float32 (M, D), each of a class that the references have.
        query_labels: int64 (M,).
    """
    references, queries = _unit(references), _unit(queries)
    ranks = np.arange(1, len(references) + 1)
    average: list[float] = []
    first = {count: 0.0 for count in (1, 5, 10) if count <= len(references)}
    for start in range(0, len(queries), _CHUNK):
        order = np.argsort(-(queries[start : start + _CHUNK] @ references.T), axis=1, kind="stable")
        right = labels[order] == query_labels[start : start + _CHUNK, None]
        precision = np.cumsum(right, 1) / ranks
        average += ((precision * right).sum(1) / right.sum(1)).tolist()
        for count in first:
            first[count] += float(right[:, :count].mean(1).sum())
    share = np.bincount(labels, minlength=int(query_labels.max()) + 1)[query_labels] / len(labels)
    return Retrieved(float(np.mean(average)), {count: total / len(queries) for count, total in first.items()}, float(share.mean()))


def nearest(references: Floats, queries: Floats, count: int) -> Labels:
    """Numbers of the references most similar to each query, int64 (M, count), the most similar first."""
    similar = _unit(queries) @ _unit(references).T
    return np.argsort(-similar, axis=1, kind="stable")[:, :count]


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
