"""What is evaluated, and on what: an encoder, and a labelled dataset that is divided once for all protocols.

N: labelled images or videos, D: features.
"""

import copy
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
from ssl_core.evaluate.duplicates import find_twins
from ssl_core.evaluate.fine_tune import Effort, fine_tuned
from ssl_core.evaluate.samples import Labels, Parts, Rows, Samples, parts_of
from ssl_core.events import Events, Ticker
from ssl_core.process import StopRequest
from ssl_core.spec import ResolvedEncoder
from ssl_core.spec.evaluate import EvaluateSpec

Floats = npt.NDArray[np.float32]
Found = dict[str, Any]

WHO = ("pretrained", "untrained")
"""Whose features are looked at."""
_EMBEDDED = 512
_SHOWN_TWINS = 20


class Subject:
    """One encoder on one labelled dataset.

    Args:
        spec: what is asked for.
        config: the encoder's configuration.
        model: the folder that this and the weights are in.
        images: the dataset at the encoder's resolution.
        device: where to compute.
        events: told of the progress.
        stop: looked at often.

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
        events: Events,
        stop: StopRequest,
    ) -> None:
        self.seed, self.device = spec.seed, device
        self._spec, self._config, self._images = spec, config, images
        self._events, self._stop = events, stop
        self._shown_as = shown_as(config)
        self._encoder, _ = load_encoder(model)
        self.samples = Samples(images.images, images.clips)
        self.parts, self._twins = self._without_twins()
        self._features: dict[str, dict[str, Floats]] = {}

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
                "left_out": self.parts.left_out,
                "duplicates": self._twins,
            },
            "chance": float(of_test[of_train.argmax()] / of_test.sum()),
            "encoder": self._config["encoder"],
            "ends_at": self._config.get("ends_at"),
            "image_size": self._config["image_size"],
            "device": self.device.type,
            "seed": self.seed,
            "versions": {package: version(package) for package in ("torch", "torchvision", "pretext-server")},
        }

    def features(self, who: str) -> dict[str, Floats]:
        """Features (N, D) by stage: of the training images, then of the test images."""
        if who not in self._features:
            encoder = self._encoder if who == "pretrained" else self.random(0)
            encoder = encoder.to(self.device)
            rows = np.concatenate([self.parts.train, self.parts.test])
            ticker = Ticker(0.5)
            parts: dict[str, list[Floats]] = {}
            for start in range(0, len(rows), _EMBEDDED):
                if self._stop:
                    raise InterruptedRun
                views = [
                    embed_stages(encoder, self.samples.shown(rows[start : start + _EMBEDDED], view), 128, shown_as=self._shown_as)
                    for view in range(self.samples.views)
                ]
                for stage in views[0]:
                    parts.setdefault(stage, []).append(np.mean([view[stage] for view in views], 0, dtype=np.float32))
                if ticker.due():
                    self._events.emit("progress", phase="embed", done=start, total=len(rows), unit=f"{self.samples.kind}s")
            self._features[who] = {stage: np.concatenate(found) for stage, found in parts.items()}
        return self._features[who]

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

    @property
    def stages(self) -> tuple[str, ...]:
        """The encoder's stages, from the first to the last."""
        return self._encoder.stage_names

    def drawn(self, per_class: int | None, draw: int) -> Rows:
        """Training images with labels: so many of each class, or as many as it has."""
        train, labels = self.parts.train, self.parts.labels
        if per_class is None:
            return train
        generator = np.random.default_rng(derived_seed(self.seed, "labels", draw))
        of_class = [generator.permutation(train[labels[train] == label]) for label in range(len(self.parts.names))]
        return np.sort(np.concatenate([rows[:per_class] for rows in of_class]))

    def classified(self, begins: str, train: Rows, test: Rows, effort: Effort, draw: int) -> Labels:
        """Classes of the test images by a network that was trained on labels, from `pretrained` weights or from `scratch`."""
        encoder = copy.deepcopy(self._encoder) if begins == "pretrained" else self.random(1 + draw)
        return fine_tuned(
            encoder.to(self.device),
            self.samples,
            train,
            test,
            self.parts.labels,
            len(self.parts.names),
            effort,
            shown_as=self._shown_as,
            seed=derived_seed(self.seed, "tuning", draw),
            stop=self._stop,
        )
