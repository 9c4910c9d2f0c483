"""The figures of an evaluation beside those of scikit-learn, of the same features."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from ssl_core.evaluate.knn import knn_predict
from ssl_core.evaluate.linear import _Problem, linear_probe
from ssl_core.evaluate.retrieval import retrieve
from ssl_core.evaluate.scores import scores

COUNT, TESTED, WIDTH, CLASSES = 800, 400, 48, 7


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features as they come out of a network: positive, of unequal scales, of classes that overlap and are not alike in number."""
    generator = np.random.default_rng(0)
    labels = generator.choice(CLASSES, COUNT + TESTED, p=[0.3, 0.2, 0.15, 0.15, 0.1, 0.06, 0.04])
    centres = 0.5 * generator.normal(size=(CLASSES, WIDTH))
    features = np.maximum(centres[labels] + generator.normal(size=(COUNT + TESTED, WIDTH)) + 0.5, 0)
    features = (features * generator.uniform(0.2, 3, WIDTH)).astype(np.float32)
    return features[:COUNT], labels[:COUNT], features[COUNT:], labels[COUNT:]


class TestKnn:
    @pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (200, 1.0)])
    def test_names_the_same_classes(self, data, k: int, temperature: float):
        train, labels, test, _ = data
        theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / temperature))
        theirs.fit(train, labels)
        ours = knn_predict(train, labels, test, k=k, temperature=temperature)
        sure = np.sort(theirs.predict_proba(test))
        apart = sure[:, -1] - sure[:, -2] > 1e-5  # between classes with as many votes either may be named
        assert apart.mean() > 0.99
        assert (ours == theirs.predict(test))[apart].all()


class TestLinear:
    @pytest.mark.parametrize(("strength", "apart"), [(1e0, 5e-4), (1e-1, 5e-3), (1e-2, 1e-2)])
    def test_is_the_same_classifier(self, data, strength: float, apart: float):
        """Their C weighs the sum of the losses beside half the squared weights; our strength weighs the latter beside the mean."""
        train, labels, test, truth = data
        scaler = StandardScaler().fit(train.astype(float))
        theirs = LogisticRegression(C=1 / (strength * COUNT), tol=1e-8, max_iter=5000)
        theirs.fit(scaler.transform(train), labels)
        problem = _Problem(torch.from_numpy(train), torch.from_numpy(labels), CLASSES)
        ((_, weights),) = problem.solutions([strength])
        standard = torch.from_numpy(scaler.transform(test)).float()
        ours = torch.softmax(standard @ weights[:-1] + weights[-1], 1).numpy()
        assert np.abs(ours - theirs.predict_proba(scaler.transform(test))).max() < apart
        assert np.abs(weights[:-1].numpy().T - theirs.coef_).max() < apart
        assert abs(metrics.accuracy_score(truth, ours.argmax(1)) - theirs.score(scaler.transform(test), truth)) <= 1 / TESTED

    @pytest.mark.parametrize("strength", [1e-3, 1e-4])
    def test_weak_strengths_come_as_near_to_the_optimum_as_matters(self, data, strength: float):
        """Where hardly anything holds the weights down they still grow when the loss hardly falls, and ours stop before theirs."""
        train, labels, test, truth = data
        scaler = StandardScaler().fit(train.astype(float))
        theirs = LogisticRegression(C=1 / (strength * COUNT), tol=1e-8, max_iter=5000)
        theirs.fit(scaler.transform(train), labels)
        problem = _Problem(torch.from_numpy(train), torch.from_numpy(labels), CLASSES)
        *_, (_, weights) = problem.solutions([1e0, 1e-1, 1e-2, 1e-3, 1e-4][: 4 if strength == 1e-3 else 5])

        def loss(held: np.ndarray, biases: np.ndarray) -> float:
            told = metrics.log_loss(labels, softmax(scaler.transform(train) @ held + biases, axis=1))
            return float(told + strength / 2 * (held**2).sum())

        ours = weights.double().numpy()
        assert loss(ours[:-1], ours[-1]) < 1.01 * loss(theirs.coef_.T, theirs.intercept_)
        named = (scaler.transform(test) @ ours[:-1] + ours[-1]).argmax(1)
        assert abs(metrics.accuracy_score(truth, named) - theirs.score(scaler.transform(test), truth)) <= 3 / TESTED

    def test_the_probe_is_as_accurate_as_theirs_with_the_strength_that_it_chose(self, data):
        train, labels, test, truth = data
        probe = linear_probe(train, labels, test, truth)
        scaler = StandardScaler().fit(train)
        theirs = LogisticRegression(C=1 / (probe.strength * COUNT), max_iter=5000).fit(scaler.transform(train), labels)
        assert (probe.predicted == theirs.predict(scaler.transform(test))).mean() > 0.99
        assert abs(probe.accuracy - theirs.score(scaler.transform(test), truth)) <= 2 / TESTED


class TestScores:
    def test_are_theirs(self, data):
        train, labels, test, truth = data
        predicted = knn_predict(train, labels, test, k=5)
        told = scores(truth, predicted, CLASSES)
        assert told["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
        assert told["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, predicted))
        assert told["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
        assert told["confusion"] == metrics.confusion_matrix(truth, predicted, labels=range(CLASSES)).tolist()


class TestRetrieval:
    def test_average_precision_is_theirs(self, data):
        train, labels, test, truth = data
        found = retrieve(train, labels, test[:100], truth[:100])
        similar = metrics.pairwise.cosine_similarity(test[:100].astype(float), train.astype(float))
        every = [metrics.average_precision_score(labels == label, row) for label, row in zip(truth[:100], similar, strict=True)]
        assert found.mean_average_precision == pytest.approx(np.mean(every), rel=1e-4)
