"""What is evaluated, and on what: an encoder, and a labelled dataset that is divided once for all protocols.

N: labelled images or videos, D: features.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ssl_core.cache import DecodedImages
from ssl_core.data import derived_seed
from ssl_core.embed import embed_stages, load_encoder, shown_as
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluate.duplicates import find_twins
from ssl_core.evaluate.fine_tune import Effort, predict, trained_network
from ssl_core.evaluate.samples import Labels, Parts, Rows, Samples, parts_of
from ssl_core.events import Events, Ticker
from ssl_core.process import StopRequest
from ssl_core.spec import ResolvedEncoder
from ssl_core.spec.evaluate import EvaluateSpec

Floats = npt.NDArray[np.float32]
Found = dict[str, Any]

WHO = ("pretrained", "untrained")
"""Whose features are looked at in any case."""
_EMBEDDED = 512
_SHOWN_TWINS = 20


@dataclass(frozen=True)
class Given:
    """A model, and the dataset in the size that it was made for."""

    name: str
    """What it is called in a report."""
    folder: Path
    """Its weights and configuration."""
    images: DecodedImages

    @property
    def id(self) -> str:
        """What a report knows it by."""
        return self.folder.name


class _Shown:
    """An encoder, and the samples as it is shown them."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.encoder, self.config = load_encoder(given.folder)
        self.shown_as = shown_as(self.config)
        self.samples = Samples(given.images.images, given.images.clips)


class Subject:
    """One encoder on one labelled dataset, and others to compare it with.

    Args:
        spec: what is asked for.
        given: the model, and the dataset.
        device: where to compute.
        events: told of the progress.
        stop: looked at often.
        references: the models to compare with; of images if this one is, and of clips if it is.

    Raises:
        UserError: the dataset cannot be evaluated on.
    """

    def __init__(
        self,
        spec: EvaluateSpec,
        given: Given,
        device: torch.device,
        events: Events,
        stop: StopRequest,
        references: Sequence[Given] = (),
    ) -> None:
        self.seed, self.device, self.stop = spec.seed, device, stop
        self._spec, self._images, self._events = spec, given.images, events
        self.labels_version = given.images.labels_version
        self._own = _Shown(given)
        self._config = self._own.config
        self._references = {reference.id: _Shown(reference) for reference in references}
        self.samples, self.shown_as = self._own.samples, self._own.shown_as
        self.parts, self._twins = self._without_twins()
        self._check_references()
        self._features: dict[str, dict[str, Floats]] = {}

    @property
    def references(self) -> tuple[str, ...]:
        """Ids of the models to compare with."""
        return tuple(self._references)

    @property
    def who(self) -> tuple[str, ...]:
        """Whose features can be looked at: `pretrained`, `untrained`, and the references by their ids."""
        return (*WHO, *self._references)

    def named(self, who: str) -> str:
        """What a report calls them."""
        return self._references[who].given.name if who in self._references else who

    def _check_references(self) -> None:
        """Clips of a reference may be longer, and then not all videos are long enough for it."""
        rows = np.concatenate([self.parts.train, self.parts.test])
        for reference in self._references.values():
            short = len(np.setdiff1d(rows, reference.samples.usable(len(self.parts.labels))))
            if short:
                raise UserError(
                    "too_short_for_reference",
                    f"{short} of {len(rows)} videos are too short for a clip of {reference.given.name}; leave it out of "
                    "`references`",
                )

    def _without_twins(self) -> tuple[Parts, Found]:
        """Who trains and who tests, and what is in both."""
        parts = parts_of(self._images, self.samples, test_share=self._spec.test_share, seed=self.seed)
        self._events.emit("progress", phase="compare", done=0, total=1, unit="datasets")
        found = find_twins(self.samples.pictures(parts.train), self.samples.pictures(parts.test))
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

    def data(self) -> Found:
        """What a report says of the dataset and the encoder."""
        labels, classes = self.parts.labels, len(self.parts.names)
        of_train, of_test = (np.bincount(labels[rows], minlength=classes) for rows in (self.parts.train, self.parts.test))
        return {
            "data": {
                "kind": self.samples.kind,
                "train": len(self.parts.train),
                "test": len(self.parts.test),
                "train_by_class": of_train.tolist(),
                "test_by_class": of_test.tolist(),
                "test_split": self.parts.told,
                "labels_version": self.labels_version,
                "left_out": self.parts.left_out,
                "duplicates": self._twins,
            },
            "chance": float(of_test[of_train.argmax()] / of_test.sum()),
            "encoder": self._config["encoder"],
            "ends_at": self._config.get("ends_at"),
            "image_size": self._config["image_size"],
            "references": [
                {"id": id_, "name": one.given.name, "encoder": one.config["encoder"], "image_size": one.config["image_size"]}
                for id_, one in self._references.items()
            ],
            "device": self.device.type,
            "seed": self.seed,
            "versions": {package: version(package) for package in ("torch", "torchvision", "pretext-server")},
        }

    def features(self, who: str) -> dict[str, Floats]:
        """Features (N, D) by stage: of the training images, then of the test images."""
        if who not in self._features:
            shown = self._references.get(who, self._own)
            encoder = self.encoder(who)
            rows = np.concatenate([self.parts.train, self.parts.test])
            ticker = Ticker(0.5)
            parts: dict[str, list[Floats]] = {}
            for start in range(0, len(rows), _EMBEDDED):
                if self.stop:
                    raise InterruptedRun
                views = [
                    embed_stages(encoder, shown.samples.shown(rows[start : start + _EMBEDDED], view), 128, shown_as=shown.shown_as)
                    for view in range(shown.samples.views)
                ]
                for stage in views[0]:
                    parts.setdefault(stage, []).append(np.mean([view[stage] for view in views], 0, dtype=np.float32))
                if ticker.due():
                    self._events.emit("progress", phase="embed", done=start, total=len(rows), unit=f"{self.samples.kind}s")
            self._features[who] = {stage: np.concatenate(found) for stage, found in parts.items()}
        return self._features[who]

    def encoder(self, who: str) -> Encoder:
        """One of those whose features can be looked at, on the device."""
        return (self.random(0) if who == "untrained" else self._references.get(who, self._own).encoder).to(self.device)

    def random(self, draw: int) -> Encoder:
        """The same network with random weights."""
        torch.manual_seed(derived_seed(self.seed, "scratch", draw))
        of, clips = ResolvedEncoder.model_validate(self._config["encoder"]), self.samples.kind == "video"
        return build_encoder(of, self._config["image_size"], clips=clips, ends_at=self._config.get("ends_at"))

    def divided(self, features: Floats) -> tuple[Floats, Floats]:
        """Features of the training images, and of the test images."""
        count = len(self.parts.train)
        return features[:count], features[count:]

    @property
    def truth(self) -> tuple[Labels, Labels]:
        """Classes of the training images, and of the test images."""
        return self.parts.labels[self.parts.train], self.parts.labels[self.parts.test]

    def stages(self, who: str) -> tuple[str, ...]:
        """An encoder's stages, from the first to the last."""
        return self._references.get(who, self._own).encoder.stage_names

    def drawn(self, per_class: int | None, draw: int) -> Rows:
        """Training images with labels: so many of each class, or as many as it has."""
        train, labels = self.parts.train, self.parts.labels
        if per_class is None:
            return train
        generator = np.random.default_rng(derived_seed(self.seed, "labels", draw))
        of_class = [generator.permutation(train[labels[train] == label]) for label in range(len(self.parts.names))]
        return np.sort(np.concatenate([rows[:per_class] for rows in of_class]))

    def trained(self, begins: str, train: Rows, effort: Effort, draw: int) -> nn.Sequential:
        """A network of logits, trained on labels: from `scratch`, from `pretrained` weights, or from those of a reference."""
        shown = self._references.get(begins, self._own)
        encoder = self.random(1 + draw) if begins == "scratch" else copy.deepcopy(shown.encoder)
        return trained_network(
            encoder.to(self.device),
            shown.samples,
            train,
            self.parts.labels,
            len(self.parts.names),
            effort,
            shown_as=shown.shown_as,
            seed=derived_seed(self.seed, "tuning", draw),
            stop=self.stop,
        )

    def classified(self, begins: str, train: Rows, test: Rows, effort: Effort, draw: int) -> Labels:
        """Classes of the test images by a network that is trained so."""
        network, shown = self.trained(begins, train, effort, draw), self._references.get(begins, self._own)
        return predict(network, shown.samples, test, shown.shown_as, self.stop)
