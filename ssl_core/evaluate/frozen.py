"""What the frozen features of an encoder know of the classes, beside those of the untrained one, and of references."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from ssl_core.data import derived_seed
from ssl_core.evaluate.knn import knn_predict
from ssl_core.evaluate.ledger import Ledger
from ssl_core.evaluate.linear import linear_probe, split
from ssl_core.evaluate.retrieval import retrieve
from ssl_core.evaluate.samples import Labels
from ssl_core.evaluate.scores import scores
from ssl_core.evaluate.subject import WHO, Floats, Found, Subject
from ssl_core.spec.evaluate import Knn, Retrieval

_Predict = Callable[[Floats], tuple[float, Labels]]
"""Gives validation accuracy, and the classes of the test images, by features of the training and the test images."""


class Frozen:
    """The protocols that train no network.

    Args:
        subject: what is evaluated.
        ledger: what was found before.
    """

    def __init__(self, subject: Subject, ledger: Ledger) -> None:
        self._subject, self._ledger = subject, ledger

    def knn(self, asked: Knn) -> Found:
        """Nearest neighbours, after each stage."""
        return {"k": self._k(asked), "temperature": asked.temperature, **self._by_stage("knn", self._neighbours(asked))}

    def knn_of(self, asked: Knn, who: str) -> Found:
        """The same of one encoder alone."""
        return self._of_stages("knn", self._neighbours(asked), who)

    def _k(self, asked: Knn) -> int:
        labels, _ = self._subject.truth
        return min(asked.k, len(split(len(labels))[0]))

    def _neighbours(self, asked: Knn) -> _Predict:
        labels, _ = self._subject.truth
        fit, held_out = split(len(labels), seed=self._subject.seed)
        k = self._k(asked)

        def predicted(features: Floats) -> tuple[float, Labels]:
            train, test = self._subject.divided(features)
            how: dict[str, Any] = {"k": k, "temperature": asked.temperature, "device": self._subject.device}
            guess = knn_predict(train[fit], labels[fit], train[held_out], **how)
            answer = knn_predict(train, labels, test, **how)
            return float((guess == labels[held_out]).mean()), answer

        return predicted

    def linear(self) -> Found:
        """A linear probe, after each stage."""
        return self._by_stage("linear", self._probed)

    def linear_of(self, who: str) -> Found:
        """The same of one encoder alone."""
        return self._of_stages("linear", self._probed, who)

    def _probed(self, features: Floats) -> tuple[float, Labels]:
        labels, truth = self._subject.truth
        train, test = self._subject.divided(features)
        probe = linear_probe(train, labels, test, truth, seed=self._subject.seed, device=self._subject.device)
        return probe.validation_accuracy, probe.predicted

    def _by_stage(self, name: str, predicted: _Predict) -> Found:
        told: Found = {}
        for who in self._subject.who:
            into = told if who in WHO else told.setdefault("references", {})
            into[who] = self._of_stages(name, predicted, who)
        return told

    def _of_stages(self, name: str, predicted: _Predict, who: str) -> Found:
        """After each stage; the best one is chosen by validation accuracy, and all figures are of it."""
        _, truth = self._subject.truth

        def of(stage: str) -> Found:
            validation, answer = predicted(self._subject.features(who)[stage])
            return {"validation_accuracy": validation, **scores(truth, answer, len(self._subject.parts.names))}

        found = {stage: self._ledger.find(f"{name}/{who}/{stage}", of, stage) for stage in self._subject.stages(who)}
        best = max(found, key=lambda stage: float(found[stage]["validation_accuracy"]))
        accuracies = {stage: {key: one[key] for key in ("accuracy", "validation_accuracy")} for stage, one in found.items()}
        return {"best_stage": best, "stages": accuracies, **found[best]}

    def retrieval(self, asked: Retrieval, stage: str) -> Found:
        """What is found first, by the features of a stage."""
        labels, truth = self._subject.truth
        generator = np.random.default_rng(derived_seed(self._subject.seed, "queries", 0))
        rows = np.sort(generator.permutation(len(truth))[: asked.queries])

        def of(who: str) -> Found:
            train, test = self._subject.divided(self._subject.features(who)[stage])
            return asdict(retrieve(train, labels, test[rows], truth[rows]))

        return {
            "stage": stage,
            "queries": len(rows),
            **{who: self._ledger.find(f"retrieval/{who}", of, who) for who in WHO},
        }
