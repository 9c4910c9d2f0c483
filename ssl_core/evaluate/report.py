"""The report of an evaluation: every protocol that was asked for, on the same images and the same features.

N: labelled images or videos, D: features, P: numbers of labels per class.
"""

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ssl_core.cache import DecodedImages
from ssl_core.data import derived_seed
from ssl_core.embed import embed_stages, load_encoder, shown_as
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluate import plots
from ssl_core.evaluate.duplicates import find_twins
from ssl_core.evaluate.fine_tune import Effort, automatic_steps, fine_tuned
from ssl_core.evaluate.knn import knn_predict
from ssl_core.evaluate.labels_saved import labels_saved, sentence
from ssl_core.evaluate.ledger import Ledger
from ssl_core.evaluate.linear import linear_probe, split
from ssl_core.evaluate.retrieval import nearest, retrieve
from ssl_core.evaluate.samples import Parts, Rows, Samples, parts_of
from ssl_core.evaluate.scores import scores, student
from ssl_core.events import Events, Ticker
from ssl_core.process import StopRequest
from ssl_core.spec import ResolvedEncoder
from ssl_core.spec.evaluate import EvaluateSpec, FineTune, Knn, LabelEfficiency, Retrieval

Floats = npt.NDArray[np.float32]
Found = dict[str, Any]

REPORT = "report.json"
_LABELS_PER_CLASS = (1, 5, 20, 100, 400, 1000, 5000)
_ENOUGH_TO_VALIDATE = 5
"""Labels per class from which on a part of them is set aside to choose by."""
_CHOOSING_LABELS = 100
"""Most labels per class by which learning rates are chosen."""
_EMBEDDED = 512
_SHOWN_QUERIES, _SHOWN_NEIGHBOURS = 8, 8
_SHOWN_TWINS = 20
_WHO = ("pretrained", "untrained")


@dataclass(frozen=True)
class Report:
    """What came of an evaluation."""

    files: list[str]
    headline: dict[str, float]
    """The figures that stand for it."""


class Evaluation:
    """One encoder on one labelled dataset.

    Args:
        spec: what is asked for.
        config: the encoder's configuration.
        model: the folder that this and the weights are in.
        images: the dataset at the encoder's resolution.
        device: where to compute.
        out: folder for `report` and `checkpoints`.
        events: told of everything.
        stop: looked at often.
        checkpoint_seconds: seconds between checkpoints.

    Raises:
        UserError: the dataset cannot be evaluated on.
    """

    def __init__(
        self,
        spec: EvaluateSpec,
        config: dict[str, Any],
        model: Path,
        images: DecodedImages,
        device: torch.device,
        out: Path,
        events: Events,
        stop: StopRequest,
        *,
        checkpoint_seconds: float,
    ) -> None:
        self._spec, self._config, self._images = spec, config, images
        self._device, self._out, self._events, self._stop = device, out, events, stop
        self._asked = {protocol.name: protocol for protocol in spec.protocols}
        self._shown_as = shown_as(config)
        self._encoder, _ = load_encoder(model)
        self._samples = Samples(images.images, images.clips)
        self._parts, self._twins = self._without_twins()
        self._features: dict[str, dict[str, Floats]] = {}
        self._points = self._label_counts()
        about = {"spec": spec.model_dump(mode="json"), "train": len(self._parts.train), "test": len(self._parts.test)}
        total = self._count()
        self._ledger = Ledger(out / "checkpoints", about, total, events, stop, seconds=checkpoint_seconds)

    def run(self) -> Report:
        """Measure everything and write it down."""
        told: Found = {"classes": list(self._parts.names), **self._data()}
        for name, measure in self._protocols().items():
            if name in self._asked:
                told[name] = measure()
        told |= self._summary(told)
        folder = self._out / "report"
        partial = folder.with_name(".report.new")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        told["pictures"] = self._draw(told, partial)
        (partial / REPORT).write_text(json.dumps(told, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return Report(sorted(path.name for path in folder.iterdir()), self._headline(told))

    def _protocols(self) -> dict[str, Callable[[], Found]]:
        return {
            "knn": self._knn,
            "linear": self._linear,
            "retrieval": self._retrieval,
            "fine_tune": self._fine_tune,
            "label_efficiency": self._label_efficiency,
        }

    # What is evaluated on

    def _without_twins(self) -> tuple[Parts, Found]:
        parts = parts_of(self._images, self._samples, test_share=self._spec.test_share, seed=self._spec.seed)
        self._events.emit("progress", phase="compare", done=0, total=1, unit="datasets")
        found = find_twins(self._samples.pictures(parts.train), self._samples.pictures(parts.test))
        again = np.unique([twin.train for twin in found]).astype(np.int64)
        told = {
            "found": len({twin.test for twin in found}),
            "exact": len({twin.test for twin in found if twin.exact}),
            "removed_from_training": 0,
            "examples": [
                {"test": int(parts.test[twin.test]), "train": int(parts.train[twin.train]), "exact": twin.exact}
                for twin in found[:_SHOWN_TWINS]
            ],
        }
        if not len(again) or self._spec.duplicates == "keep":
            return parts, told
        train = np.delete(parts.train, again)
        counts = np.bincount(parts.labels[train], minlength=len(parts.names))
        if not counts.all():
            gone = ", ".join(parts.names[number] for number in np.flatnonzero(counts == 0)[:5])
            raise UserError(
                "too_few_labels",
                f"all training images of {gone} are among the test images too, exactly or nearly; upload others, or set "
                "`duplicates` to keep",
            )
        told["removed_from_training"] = len(again)
        message = f"{len(again)} training images are, exactly or nearly, among the test images too; they were removed from training"
        self._events.emit("log", level="warning", message=message)
        return Parts(train, parts.test, parts.labels, parts.names, parts.told, parts.left_out), told

    def _data(self) -> Found:
        labels, classes = self._parts.labels, len(self._parts.names)
        of_train, of_test = (np.bincount(labels[rows], minlength=classes) for rows in (self._parts.train, self._parts.test))
        return {
            "data": {
                "kind": self._samples.kind,
                "train": len(self._parts.train),
                "test": len(self._parts.test),
                "train_by_class": of_train.tolist(),
                "test_by_class": of_test.tolist(),
                "test_split": self._parts.told,
                "left_out": self._parts.left_out,
                "duplicates": self._twins,
            },
            "chance": float(of_test[of_train.argmax()] / of_test.sum()),
            "encoder": self._config["encoder"],
            "image_size": self._config["image_size"],
            "device": self._device.type,
            "seed": self._spec.seed,
            "versions": {package: version(package) for package in ("torch", "torchvision", "pretext-server")},
        }

    # Features, once for all protocols

    def _of(self, who: str) -> dict[str, Floats]:
        """Features (N, D) by stage: of the training images, then of the test images."""
        if who not in self._features:
            encoder = self._encoder if who == "pretrained" else self._random(0)
            encoder = encoder.to(self._device)
            rows = np.concatenate([self._parts.train, self._parts.test])
            ticker = Ticker(0.5)
            parts: dict[str, list[Floats]] = {}
            for start in range(0, len(rows), _EMBEDDED):
                if self._stop:
                    raise InterruptedRun
                views = [
                    embed_stages(encoder, self._samples.shown(rows[start : start + _EMBEDDED], view), 128, shown_as=self._shown_as)
                    for view in range(self._samples.views)
                ]
                for stage in views[0]:
                    parts.setdefault(stage, []).append(np.mean([view[stage] for view in views], 0, dtype=np.float32))
                if ticker.due():
                    self._events.emit("progress", phase="embed", done=start, total=len(rows), unit=f"{self._samples.kind}s")
            self._features[who] = {stage: np.concatenate(found) for stage, found in parts.items()}
        return self._features[who]

    def _random(self, draw: int) -> Encoder:
        """The same network with random weights."""
        torch.manual_seed(derived_seed(self._spec.seed, "scratch", draw))
        clips = self._samples.kind == "video"
        return build_encoder(ResolvedEncoder.model_validate(self._config["encoder"]), self._config["image_size"], clips=clips)

    def _divided(self, features: Floats) -> tuple[Floats, Floats]:
        count = len(self._parts.train)
        return features[:count], features[count:]

    @property
    def _truth(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        return self._parts.labels[self._parts.train], self._parts.labels[self._parts.test]

    # Frozen features

    def _knn(self) -> Found:
        asked = self._asked["knn"]
        assert isinstance(asked, Knn)
        labels, truth = self._truth
        fit, held_out = split(len(labels), seed=self._spec.seed)
        k = min(asked.k, len(fit))

        def predicted(features: Floats) -> tuple[float, npt.NDArray[np.int64]]:
            train, test = self._divided(features)
            guess = knn_predict(train[fit], labels[fit], train[held_out], k=k, temperature=asked.temperature)
            answer = knn_predict(train, labels, test, k=k, temperature=asked.temperature)
            return float((guess == labels[held_out]).mean()), answer

        return {"k": k, "temperature": asked.temperature, **self._by_stage("knn", predicted, truth)}

    def _linear(self) -> Found:
        labels, truth = self._truth

        def predicted(features: Floats) -> tuple[float, npt.NDArray[np.int64]]:
            train, test = self._divided(features)
            probe = linear_probe(train, labels, test, truth, seed=self._spec.seed, device=self._device)
            return probe.validation_accuracy, probe.predicted

        return self._by_stage("linear", predicted, truth)

    def _by_stage(
        self, name: str, predicted: Callable[[Floats], tuple[float, npt.NDArray[np.int64]]], truth: npt.NDArray[np.int64]
    ) -> Found:
        """After each stage; the best one is chosen by validation accuracy, and all figures are of it."""

        def of(who: str, stage: str) -> Found:
            validation, answer = predicted(self._of(who)[stage])
            return {"validation_accuracy": validation, **scores(truth, answer, len(self._parts.names))}

        told: Found = {}
        for who in _WHO:
            found = {stage: self._ledger.find(f"{name}/{who}/{stage}", of, who, stage) for stage in self._stages}
            best = max(found, key=lambda stage: float(found[stage]["validation_accuracy"]))
            accuracies = {stage: {key: one[key] for key in ("accuracy", "validation_accuracy")} for stage, one in found.items()}
            told[who] = {"best_stage": best, "stages": accuracies, **found[best]}
        return told

    @property
    def _stages(self) -> tuple[str, ...]:
        return self._encoder.stage_names

    def _best_stage(self) -> str:
        """The stage with the best linear probe in validation, or else the best kNN."""
        by = "linear" if "linear" in self._asked else "knn"
        measure = self._linear if by == "linear" else self._knn
        if by not in self._asked:
            self._asked["knn"] = Knn()
        return str(measure()["pretrained"]["best_stage"])

    def _retrieval(self) -> Found:
        asked = self._asked["retrieval"]
        assert isinstance(asked, Retrieval)
        labels, truth = self._truth
        generator = np.random.default_rng(derived_seed(self._spec.seed, "queries", 0))
        rows = np.sort(generator.permutation(len(truth))[: asked.queries])
        stage = self._best_stage()

        def of(who: str) -> Found:
            train, test = self._divided(self._of(who)[stage])
            return asdict(retrieve(train, labels, test[rows], truth[rows]))

        return {
            "stage": stage,
            "queries": len(rows),
            **{who: self._ledger.find(f"retrieval/{who}", of, who) for who in _WHO},
        }

    # Networks trained on labels

    def _accuracy(self, begins: str, train: Rows, test: Rows, effort: Effort, draw: int) -> npt.NDArray[np.int64]:
        encoder = copy.deepcopy(self._encoder) if begins == "pretrained" else self._random(1 + draw)
        return fine_tuned(
            encoder.to(self._device),
            self._samples,
            train,
            test,
            self._parts.labels,
            len(self._parts.names),
            effort,
            shown_as=self._shown_as,
            seed=derived_seed(self._spec.seed, "tuning", draw),
            stop=self._stop,
        )

    def _rate(self, asked: FineTune | LabelEfficiency, begins: str) -> float:
        """The learning rate for these initial weights, chosen on a part of the training images that the rest is not trained on."""
        rates = asked.learning_rates
        if len(rates) == 1:
            return rates[0]
        labels = self._parts.labels
        train = self._drawn(min(_CHOOSING_LABELS, int(np.bincount(labels[self._parts.train]).max())), 0)
        fit, held_out = (train[part] for part in split(len(train), seed=self._spec.seed))

        def of(rate: float) -> float:
            effort = self._effort(asked, len(fit), rate)
            return float((self._accuracy(begins, fit, held_out, effort, 0) == labels[held_out]).mean())

        found = {rate: float(self._ledger.find(f"{asked.name}/rate/{begins}/{rate:g}", of, rate)) for rate in rates}
        return max(found, key=lambda rate: found[rate])

    @staticmethod
    def _effort(asked: FineTune | LabelEfficiency, labelled: int, rate: float) -> Effort:
        steps = automatic_steps(labelled, asked.batch_size) if asked.steps == "auto" else asked.steps
        return Effort(steps, asked.batch_size, rate, asked.flip)

    def _fine_tune(self) -> Found:
        asked = self._asked["fine_tune"]
        assert isinstance(asked, FineTune)
        train, test = self._parts.train, self._parts.test
        truth = self._parts.labels[test]

        def of(begins: str, effort: Effort) -> Found:
            return scores(truth, self._accuracy(begins, train, test, effort, 0), len(self._parts.names))

        told: Found = {}
        for begins in ("pretrained", "scratch"):
            effort = self._effort(asked, len(train), self._rate(asked, begins))
            told[begins] = {**asdict(effort), **self._ledger.find(f"fine_tune/{begins}", of, begins, effort)}
        return told

    # Label efficiency

    def _label_counts(self) -> list[int | None]:
        """Labels per class; None for all."""
        asked = self._asked.get("label_efficiency")
        if not isinstance(asked, LabelEfficiency):
            return []
        fewest = int(np.bincount(self._parts.labels[self._parts.train]).min())
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

    def _drawn(self, per_class: int | None, draw: int) -> Rows:
        """Training images with labels: so many of each class, or as many as it has."""
        train, labels = self._parts.train, self._parts.labels
        if per_class is None:
            return train
        generator = np.random.default_rng(derived_seed(self._spec.seed, "labels", draw))
        of_class = [generator.permutation(train[labels[train] == label]) for label in range(len(self._parts.names))]
        return np.sort(np.concatenate([rows[:per_class] for rows in of_class]))

    def _label_efficiency(self) -> Found:
        asked = self._asked["label_efficiency"]
        assert isinstance(asked, LabelEfficiency)
        kinds = ["scratch", *[f"pretrained_{method}" for method in asked.methods]]
        rates = {"scratch": self._rate(asked, "scratch")}
        if "fine_tune" in asked.methods:
            rates["pretrained"] = self._rate(asked, "pretrained")
        runs: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
        points = []
        for count in self._points:
            per_class = len(self._parts.train) / len(self._parts.names) if count is None else float(count)
            point: Found = {"labels_per_class": per_class, "labels": len(self._drawn(count, 0)), "all": count is None}
            for kind in kinds:
                found = [
                    float(self._ledger.find(f"label_efficiency/{kind}/{count}/{draw}", self._run, asked, kind, count, draw, rates))
                    for draw in range(asked.draws)
                ]
                runs[kind].append(found)
                point[kind] = {**asdict(student(found)), "runs": found}
            points.append(point)
        places = [point["labels_per_class"] for point in points]
        saved = {kind: labels_saved(places, runs[kind], runs["scratch"]) for kind in kinds if kind != "scratch"}
        return {
            "learning_rates": rates,
            "draws": asked.draws,
            "points": points,
            "labels_saved": {kind: [asdict(one) for one in found] for kind, found in saved.items()},
            "sentences": {kind: sentence(found, _CALLED[kind]) for kind, found in saved.items()},
        }

    def _run(self, asked: LabelEfficiency, kind: str, count: int | None, draw: int, rates: dict[str, float]) -> float:
        """Test accuracy of one training on one draw of labels."""
        train, test = self._drawn(count, draw), self._parts.test
        truth = self._parts.labels[test]
        if kind == "pretrained_linear":
            return self._probed(train, truth, draw, choosing=count is None or count >= _ENOUGH_TO_VALIDATE)
        begins = kind.partition("_")[0]
        answer = self._accuracy(begins, train, test, self._effort(asked, len(train), rates[begins]), draw)
        return float((answer == truth).mean())

    def _probed(self, train: Rows, truth: npt.NDArray[np.int64], draw: int, *, choosing: bool) -> float:
        """Test accuracy of a linear probe. The stage is chosen by a part of the same labels, or, if they are few, all are used."""
        places = np.searchsorted(self._parts.train, train)
        labels = self._parts.labels[train]
        found = []
        stages = self._of("pretrained")
        for features in stages.values() if choosing else [_beside_each_other(list(stages.values()), places)]:
            known, test = self._divided(features)
            found.append(linear_probe(known[places], labels, test, truth, seed=draw, device=self._device))
        return max(found, key=lambda probe: probe.validation_accuracy).accuracy

    def _count(self) -> int:
        """How many results there will be."""
        stages = len(self._stages)
        total = 2 * stages * sum(name in self._asked for name in ("knn", "linear"))
        if "retrieval" in self._asked:
            total += 2 + (0 if {"knn", "linear"} & set(self._asked) else 2 * stages)
        for asked in self._asked.values():
            if isinstance(asked, FineTune | LabelEfficiency) and len(asked.learning_rates) > 1:
                both = isinstance(asked, FineTune) or "fine_tune" in asked.methods
                total += (1 + both) * len(asked.learning_rates)
            if isinstance(asked, FineTune):
                total += 2
            if isinstance(asked, LabelEfficiency):
                total += (1 + len(asked.methods)) * len(self._points) * asked.draws
        return total

    # What comes of it

    def _summary(self, told: Found) -> Found:
        """The one sentence, and the labels saved behind it."""
        efficiency = told.get("label_efficiency")
        if efficiency is None:
            return {"labels_saved": None, "sentence": self._without_label_efficiency(told)}
        saved = efficiency["labels_saved"]
        # Which use of the encoder stands for it: the one that is more accurate over the whole curve.
        best = max(saved, key=lambda kind: float(np.mean([one["accuracy"] for one in saved[kind]])))
        return {"labels_saved": saved[best], "labels_saved_by": best, "sentence": efficiency["sentences"][best]}

    @staticmethod
    def _without_label_efficiency(told: Found) -> str:
        for name, called in (("linear", "A linear probe"), ("knn", "Nearest neighbours")):
            if name in told:
                ours, theirs = told[name]["pretrained"], told[name]["untrained"]
                low, high = ours["interval"]
                apart = low > theirs["interval"][1]
                verdict = "better than" if apart else "not certainly better than"
                return (
                    f"{called} of your encoder's features is right for {ours['accuracy']:.1%} of the test images (95%: {low:.1%} "
                    f"to {high:.1%}), {verdict} of the untrained network's ({theirs['accuracy']:.1%})."
                )
        if "fine_tune" in told:
            ours, theirs = told["fine_tune"]["pretrained"], told["fine_tune"]["scratch"]
            return (
                f"Fine-tuned on all labels your encoder is {ours['accuracy']:.1%} accurate, from scratch {theirs['accuracy']:.1%}."
            )
        return f"Mean average precision of retrieval: {told['retrieval']['pretrained']['mean_average_precision']:.3f}."

    @staticmethod
    def _headline(told: Found) -> dict[str, float]:
        found: dict[str, float] = {
            name: told[name]["pretrained"]["accuracy"] for name in ("knn", "linear", "fine_tune") if name in told
        }
        if "retrieval" in told:
            found["mean_average_precision"] = told["retrieval"]["pretrained"]["mean_average_precision"]
        return found

    def _draw(self, told: Found, folder: Path) -> list[str]:
        names: list[str] = []
        if "label_efficiency" in told:
            figure = plots.label_efficiency(told["label_efficiency"]["points"], told["chance"])
            names += plots.save(figure, folder, "label_efficiency")
        probed = {name: told[name] for name in ("linear", "knn") if name in told}
        if probed:
            curves: dict[str, Found] = {
                name: {who: {stage: one["accuracy"] for stage, one in of[who]["stages"].items()} for who in _WHO}
                for name, of in probed.items()
            }
            names += plots.save(plots.stages(curves), folder, "stages")
        for name in ("fine_tune", "linear", "knn"):
            if name in told:
                figure = plots.confusion(told[name]["pretrained"]["confusion"], self._parts.names, name)
                names += plots.save(figure, folder, "confusion")
                break
        if "retrieval" in told:
            names += plots.save(self._neighbours(told["retrieval"]["stage"]), folder, "neighbours")
        return names

    def _neighbours(self, stage: str) -> Any:
        generator = np.random.default_rng(derived_seed(self._spec.seed, "neighbours", 0))
        train, test = self._divided(self._of("pretrained")[stage])
        rows = np.sort(generator.permutation(len(test))[:_SHOWN_QUERIES])
        found = nearest(train, test[rows], min(_SHOWN_NEIGHBOURS, len(train)))
        labels, truth = self._truth
        names = self._parts.names
        return plots.neighbours(
            self._samples.pictures(self._parts.test[rows]),
            [self._samples.pictures(self._parts.train[places]) for places in found],
            [names[truth[row]] for row in rows],
            [[names[labels[place]] for place in places] for places in found],
        )


_CALLED = {"pretrained_fine_tune": "fine-tuned", "pretrained_linear": "with a linear classifier on its frozen features"}


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
