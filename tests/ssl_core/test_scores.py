import numpy as np
import pytest

from ssl_core.evaluate.retrieval import nearest, retrieve
from ssl_core.evaluate.scores import scores, student, wilson


class TestScores:
    def test_count_each_class_alike(self):
        truth = np.array([0] * 8 + [1] * 2)
        told = scores(truth, np.array([0] * 8 + [0, 1]), 2)
        assert told["accuracy"] == pytest.approx(0.9)
        assert told["balanced_accuracy"] == pytest.approx((1 + 0.5) / 2)
        assert told["macro_f1"] == pytest.approx((16 / 17 + 2 / 3) / 2)
        assert told["confusion"] == [[8, 0], [1, 1]]

    def test_classes_without_test_images_do_not_count(self):
        assert scores(np.array([0, 1]), np.array([0, 1]), 3)["balanced_accuracy"] == 1

    def test_wilson_covers(self):
        generator = np.random.default_rng(0)
        for share in (0.02, 0.5, 0.93):
            found = [wilson(int(right), 60) for right in generator.binomial(60, share, 2000)]
            assert 0.92 <= np.mean([one.low <= share <= one.high for one in found]) <= 0.99
        assert (wilson(0, 10).low, wilson(10, 10).high) == (0, 1)

    def test_student_covers(self):
        generator = np.random.default_rng(0)
        found = [student(row.tolist()) for row in generator.normal(0.5, 0.1, (2000, 3))]
        assert 0.93 <= np.mean([one.low <= 0.5 <= one.high for one in found]) <= 0.97
        alone = student([0.5])
        assert alone.low == alone.mean == alone.high


class TestRetrieve:
    def test_is_what_the_definition_says(self):
        generator = np.random.default_rng(0)
        references, queries = (generator.standard_normal((count, 6)).astype(np.float32) for count in (40, 300))
        labels, asked = np.arange(40) % 4, generator.integers(0, 4, 300)
        found = retrieve(references, labels, queries, asked)
        every = []
        for query, label in zip(queries, asked, strict=True):
            cosine = references @ query / np.linalg.norm(references, axis=1)
            right = labels[np.argsort(-cosine)] == label
            every.append(np.mean([right[: place + 1].mean() for place in np.flatnonzero(right)]))
        assert found.mean_average_precision == pytest.approx(np.mean(every), rel=1e-5)
        assert found.chance == pytest.approx(0.25)

    def test_perfect_features_are_perfect(self):
        features = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
        found = retrieve(features, np.arange(30) % 3, features[:6], np.arange(6) % 3)
        assert (found.mean_average_precision, found.precision) == (1, {1: 1, 5: 1, 10: 1})

    def test_nearest_come_first(self):
        references = np.array([[1, 0], [0, 1], [1, 0.2]], np.float32)
        assert nearest(references, np.array([[2, 0]], np.float32), 2).tolist() == [[0, 2]]
