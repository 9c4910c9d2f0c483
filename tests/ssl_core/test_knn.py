import numpy as np
import pytest

from ssl_core.evaluate.knn import knn_accuracy, knn_predict


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, 60)


class TestPredict:
    @pytest.mark.parametrize("leave_one_out", [False, True])
    def test_is_what_one_gets_by_hand(self, features: np.ndarray, labels: np.ndarray, leave_one_out: bool):
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        wanted = []
        for query in range(60):
            similar = unit @ unit[query]
            order = [other for other in np.argsort(-similar) if not (leave_one_out and other == query)][:5]
            votes = np.zeros(4)
            for other in order:
                votes[labels[other]] += np.exp(similar[other] / 0.1)
            wanted.append(votes.argmax())
        found = knn_predict(features, labels, features, k=5, temperature=0.1, leave_one_out=leave_one_out)
        assert found.tolist() == wanted

    def test_more_neighbours_than_there_are_is_all_of_them(self, features: np.ndarray, labels: np.ndarray):
        assert len(knn_predict(features[:3], labels[:3], features, k=20)) == 60


class TestAccuracy:
    def test_of_clear_clusters_is_one_and_of_noise_is_chance(self, features: np.ndarray, labels: np.ndarray):
        centres = np.eye(8, dtype=np.float32)[labels] * 50
        assert knn_accuracy(features + centres, labels, k=3) == 1.0
        assert knn_accuracy(features, labels, k=5) < 0.5
