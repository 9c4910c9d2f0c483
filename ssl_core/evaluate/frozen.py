"""What the frozen features of an encoder know of the classes, beside those of the untrained one."""

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
        labels, truth = self._subject.truth
        fit, held_out = split(len(labels), seed=self._subject.seed)
        k = min(asked.k, len(fit))

        def predicted(features: Floats) -> tuple[float, Labels]:
            train, test = self._subject.divided(features)
            how: dict[str, Any] = {"k": k, "temperature": asked.temperature, "device": self._subject.device}
            guess = knn_predict(train[fit], labels[fit], train[held_out], **how)
            answer = knn_predict(train, labels, test, **how)
            return float((guess == labels[held_out]).mean()), answer

        return {"k": k, "temperature": asked.temperature, **self._by_stage("knn", predicted, truth)}

    def linear(self) -> Found:
        """A linear probe, after each stage."""
        labels, truth = self._subject.truth

        def predicted(features: Floats) -> tuple[float, Labels]:
            train, test = self._subject.divided(features)
            probe = linear_probe(train, labels, test, truth, seed=self._subject.seed, device=self._subject.device)
            return probe.validation_accuracy, probe.predicted

        return self._by_stage("linear", predicted, truth)

    def _by_stage(self, name: str, predicted: Callable[[Floats], tuple[float, Labels]], truth: Labels) -> Found:
        """After each stage; the best one is chosen by validation accuracy, and all figures are of it."""

        def of(who: str, stage: str) -> Found:
            validation, answer = predicted(self._subject.features(who)[stage])
            return {"validation_accuracy": validation, **scores(truth, answer, len(self._subject.parts.names))}

        told: Found = {}
        for who in WHO:
            found = {stage: self._ledger.find(f"{name}/{who}/{stage}", of, who, stage) for stage in self._subject.stages}
            best = max(found, key=lambda stage: float(found[stage]["validation_accuracy"]))
            accuracies = {stage: {key: one[key] for key in ("accuracy", "validation_accuracy")} for stage, one in found.items()}
            told[who] = {"best_stage": best, "stages": accuracies, **found[best]}
        return told

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
