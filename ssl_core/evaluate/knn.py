"""Weighted nearest-neighbour classification, the field's cheapest look at features.

Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018; settings of Caron et al.,
"Emerging Properties in Self-Supervised Vision Transformers" (DINO), ICCV 2021. N: references, M: queries, D: features.
"""

import numpy as np
import numpy.typing as npt

_CHUNK = 1024

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def knn_predict(
    references: Floats, labels: Labels, queries: Floats, *, k: int = 20, temperature: float = 0.07, leave_one_out: bool = False
) -> Labels:
    """Classes of the queries, int64 (M,): the k most similar references vote with weight exp(cosine / temperature).

    Args:
        references: float32 (N, D).
        labels: int64 (N,), from 0.
        queries: float32 (M, D).
        k: voters.
        temperature: how much more the nearer ones count.
        leave_one_out: the queries are the references themselves, and none votes for itself.
    """
    references, queries = _unit(references), _unit(queries)
    k = min(k, len(references) - leave_one_out)
    classes = int(labels.max()) + 1
    predicted = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _CHUNK):
        similar = queries[start : start + _CHUNK] @ references.T
        if leave_one_out:
            row = np.arange(len(similar))
            similar[row, start + row] = -np.inf
        nearest = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        weights = np.exp((np.take_along_axis(similar, nearest, 1) - 1) / temperature)
        votes = np.zeros((len(similar), classes))
        np.add.at(votes, (np.arange(len(similar))[:, None], labels[nearest]), weights)
        predicted[start : start + _CHUNK] = votes.argmax(1)
    return predicted


def knn_accuracy(features: Floats, labels: Labels, *, k: int = 20, temperature: float = 0.07) -> float:
    """Share of images, 0 to 1, whose class the k nearest of the others name rightly. `features` (N, D), `labels` (N,), from 0."""
    predicted = knn_predict(features, labels, features, k=k, temperature=temperature, leave_one_out=True)
    return float((predicted == labels).mean())


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
