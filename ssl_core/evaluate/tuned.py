"""What an encoder is worth as the beginning of a training on labels, beside random weights."""

from dataclasses import asdict

import numpy as np

from ssl_core.errors import UserError
from ssl_core.evaluate.fine_tune import Effort, automatic_steps
from ssl_core.evaluate.labels_saved import YOURS, labels_saved, sentence
from ssl_core.evaluate.ledger import Ledger
from ssl_core.evaluate.linear import linear_probe, split
from ssl_core.evaluate.samples import Labels, Rows
from ssl_core.evaluate.scores import scores, student
from ssl_core.evaluate.subject import Floats, Found, Subject
from ssl_core.spec.evaluate import FineTune, LabelEfficiency, Robustness

Trains = FineTune | LabelEfficiency | Robustness
"""What trains whole networks."""
_LABELS_PER_CLASS = (1, 5, 20, 100, 400, 1000, 5000)
_ENOUGH_TO_VALIDATE = 5
"""Labels per class from which on a part of them is set aside to choose by."""
_CHOOSING_LABELS = 100
"""Most labels per class by which learning rates are chosen."""
_LONGEST_NAME = 60
"""Letters of a reference's name in a sentence."""
_CALLED = {"fine_tune": "fine-tuned", "linear": "with a linear classifier on its frozen features"}


def label_counts(subject: Subject, asked: LabelEfficiency) -> list[int | None]:
    """At how many labels per class networks are compared; None for all.

    Raises:
        UserError: a class has not as many.
    """
    fewest = int(np.bincount(subject.parts.labels[subject.parts.train]).min())
    wanted = asked.labels_per_class
    if wanted == "auto":
        return [*[count for count in _LABELS_PER_CLASS if count < fewest], None]
    counts = sorted(count for count in wanted if count != "all")
    if counts and counts[-1] > fewest:
        raise UserError(
            "too_few_labels",
            f"`labels_per_class` asks for {counts[-1]}, and a class has {fewest} training images; ask for fewer, or all",
        )
    return [*counts, *([None] if "all" in wanted else [])]


class Tuned:
    """The protocols that train networks on labels.

    Args:
        subject: what is evaluated.
        ledger: what was found before.
    """

    def __init__(self, subject: Subject, ledger: Ledger) -> None:
        self._subject, self._ledger = subject, ledger

    def rate(self, asked: Trains, begins: str) -> float:
        """The learning rate for these initial weights, chosen on a part of the training images that the rest is not trained on."""
        rates = asked.learning_rates
        if len(rates) == 1:
            return rates[0]
        labels = self._subject.parts.labels
        train = self._subject.drawn(min(_CHOOSING_LABELS, int(np.bincount(labels[self._subject.parts.train]).max())), 0)
        fit, held_out = (train[part] for part in split(len(train), seed=self._subject.seed))

        def of(rate: float) -> float:
            effort = self.effort(asked, len(fit), rate)
            return float((self._subject.classified(begins, fit, held_out, effort, 0) == labels[held_out]).mean())

        found = {rate: float(self._ledger.find(f"{asked.name}/rate/{begins}/{rate:g}", of, rate)) for rate in rates}
        return max(found, key=lambda rate: found[rate])

    @staticmethod
    def effort(asked: Trains, labelled: int, rate: float) -> Effort:
        """How networks are trained on so many labels."""
        steps = automatic_steps(labelled, asked.batch_size) if asked.steps == "auto" else asked.steps
        return Effort(steps, asked.batch_size, rate, asked.flip)

    def fine_tune(self, asked: FineTune) -> Found:
        """The whole network, trained on all labels."""
        train, test = self._subject.parts.train, self._subject.parts.test
        truth = self._subject.parts.labels[test]

        def of(begins: str, effort: Effort) -> Found:
            return scores(truth, self._subject.classified(begins, train, test, effort, 0), len(self._subject.parts.names))

        told: Found = {}
        for begins in ("pretrained", "scratch"):
            effort = self.effort(asked, len(train), self.rate(asked, begins))
            told[begins] = {**asdict(effort), **self._ledger.find(f"fine_tune/{begins}", of, begins, effort)}
        return told

    def label_efficiency(self, asked: LabelEfficiency) -> Found:
        """Accuracy by labels per class, from pretrained and from random weights, and what pretraining saves.

        References are compared with the same training from scratch: that of the evaluated encoder's network.
        """
        given = ("pretrained", *self._subject.references)
        kinds = ["scratch", *[f"{who}_{method}" for who in given for method in asked.methods]]
        rates = {"scratch": self.rate(asked, "scratch")}
        if "fine_tune" in asked.methods:
            rates |= {who: self.rate(asked, who) for who in given}
        runs: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
        points = []
        for count in label_counts(self._subject, asked):
            per_class = len(self._subject.parts.train) / len(self._subject.parts.names) if count is None else float(count)
            point: Found = {"labels_per_class": per_class, "labels": len(self._subject.drawn(count, 0)), "all": count is None}
            for kind in kinds:
                found = [
                    float(self._ledger.find(f"label_efficiency/{kind}/{count}/{draw}", self._run, asked, kind, count, draw, rates))
                    for draw in range(asked.draws)
                ]
                runs[kind].append(found)
                point[kind] = {**asdict(student(found)), "runs": found}
            points.append(point)
        places = [point["labels_per_class"] for point in points]
        told: Found = {"learning_rates": rates, "draws": asked.draws, "points": points}
        for who in given:
            called = YOURS if who == "pretrained" else self._subject.named(who)[:_LONGEST_NAME]
            saved = {method: labels_saved(places, runs[f"{who}_{method}"], runs["scratch"]) for method in asked.methods}
            about = {
                "labels_saved": {f"{who}_{method}": [asdict(one) for one in found] for method, found in saved.items()},
                "sentences": {f"{who}_{method}": sentence(found, _CALLED[method], called) for method, found in saved.items()},
            }
            if who == "pretrained":
                told |= about
            else:
                told.setdefault("references", {})[who] = about
        return told

    def _run(self, asked: LabelEfficiency, kind: str, count: int | None, draw: int, rates: dict[str, float]) -> float:
        """Test accuracy of one training on one draw of labels."""
        train, test = self._subject.drawn(count, draw), self._subject.parts.test
        truth = self._subject.parts.labels[test]
        if kind.endswith("_linear"):
            who = kind.removesuffix("_linear")
            return self._probed(who, train, truth, draw, choosing=count is None or count >= _ENOUGH_TO_VALIDATE)
        begins = kind.removesuffix("_fine_tune")
        answer = self._subject.classified(begins, train, test, self.effort(asked, len(train), rates[begins]), draw)
        return float((answer == truth).mean())

    def _probed(self, who: str, train: Rows, truth: Labels, draw: int, *, choosing: bool) -> float:
        """Test accuracy of a linear probe. The stage is chosen by a part of the same labels, or, if they are few, all are used."""
        places = np.searchsorted(self._subject.parts.train, train)
        labels = self._subject.parts.labels[train]
        found = []
        stages = self._subject.features(who)
        for features in stages.values() if choosing else [_beside_each_other(list(stages.values()), places)]:
            known, test = self._subject.divided(features)
            found.append(linear_probe(known[places], labels, test, truth, seed=draw, device=self._subject.device))
        return max(found, key=lambda probe: probe.validation_accuracy).accuracy


def _beside_each_other(stages: list[Floats], fitted: Rows) -> Floats:
    """All stages' features beside each other, standardised, and turned into the few directions that the labelled images span."""
    parts = []
    for features in stages:
        known = features[fitted]
        spread = known.std(0)
        standard = (features - known.mean(0)) / np.where(spread > 1e-6, spread, 1)
        parts.append(standard / np.float32(features.shape[1] ** 0.5))
    every = np.concatenate(parts, 1)
    _, sizes, axes = np.linalg.svd(every[fitted], full_matrices=False)
    turned: Floats = (every @ axes[sizes > 1e-4 * sizes.max()].T).astype(np.float32)
    return turned
