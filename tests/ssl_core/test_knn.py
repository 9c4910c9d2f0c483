import numpy as np
import pytest
import torch

from ssl_core.evaluate import knn
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


class TestLookingThroughInBf16:
    """The neighbours are those that fp32 finds, whatever the features are like."""

    @pytest.fixture(autouse=True)
    def _always(self, monkeypatch):
        monkeypatch.setattr(knn, "_WORTH_IT", 0)
        monkeypatch.setattr(knn, "_has_bf16", lambda: True)

    @pytest.mark.parametrize("shape", ["noise", "one way", "close together", "copies", "zeros"])
    @pytest.mark.parametrize("leave_one_out", [False, True])
    def test_finds_the_same(self, monkeypatch, shape: str, leave_one_out: bool):
        generator = np.random.default_rng(0)
        vectors = generator.normal(size=(900, 32)).astype(np.float32)
        vectors = {
            "noise": vectors,
            "one way": np.maximum(vectors + 3, 0),
            "close together": vectors * np.float32(1e-4) + generator.normal(size=32).astype(np.float32),
            "copies": np.repeat(vectors[:30], 30, 0),
            "zeros": np.where(np.arange(900)[:, None] % 5, vectors, 0),
        }[shape]
        known = vectors if leave_one_out else vectors[:800]
        asked = vectors if leave_one_out else vectors[800:]
        unit = torch.nn.functional.normalize(torch.from_numpy(known))
        turned = torch.nn.functional.normalize(torch.from_numpy(asked))
        own = 0 if leave_one_out else None
        similar, nearest = knn._Search(unit, 7, bf16=True).nearest(turned, own)
        wanted, _ = knn._Search(unit, 7, bf16=False).nearest(turned, own)
        assert np.allclose(np.sort(similar), np.sort(wanted), atol=2e-6)
        assert np.allclose((turned[:, None] * unit[nearest]).sum(2), similar, atol=2e-6)
        assert not leave_one_out or not (nearest == torch.arange(len(turned))[:, None]).any()

    def test_where_the_candidates_do_not_suffice_all_are_looked_at(self):
        """A thousand references that bf16 cannot tell apart: the nearest are found all the same, and bf16 is given up."""
        generator = torch.Generator().manual_seed(0)
        middle = torch.nn.functional.normalize(torch.randn(1, 64, generator=generator))
        crowd = middle + 1e-4 * torch.randn(1000, 64, generator=generator)
        known = torch.nn.functional.normalize(torch.cat([crowd, torch.randn(1000, 64, generator=generator)]))
        search = knn._Search(known, 5, bf16=True)
        asked = known[:50]
        assert torch.equal(search.nearest(asked, None)[0].sort().values, (asked @ known.T).topk(5).values.sort().values)
        assert search._in_vain > 25
        assert not search._in_bf16


class TestAccuracy:
    def test_of_clear_clusters_is_one_and_of_noise_is_chance(self, features: np.ndarray, labels: np.ndarray):
        centres = np.eye(8, dtype=np.float32)[labels] * 50
        assert knn_accuracy(features + centres, labels, k=3) == 1.0
        assert knn_accuracy(features, labels, k=5) < 0.5
