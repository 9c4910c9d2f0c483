"""What the features look like while they are learned, without labels.

M: images or clips of the sample, S: image side, D: features. It only looks: the training ends with the same bytes as without it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_core.data import Batches, draw_for
from ssl_core.evaluate.diagnostics import alignment, alpha_req, feature_std, rankme, uniformity
from ssl_core.evaluate.knn import knn_accuracy
from ssl_core.pretext import PretextTask
from ssl_core.pretext.two_views import TwoViewsTask
from ssl_core.spec import ResolvedPretrain
from ssl_core.verdict import Course, Verdict, judge

_IMAGES, _CLIPS, _LABELLED = 512, 128, 2048
_AT_A_TIME = 128
_MOST, _FEWEST = 50, 2
_SHARE = 0.05
"""Most of the training's time that this may take, about: a training step costs three times as much for an image as a look at it."""

Labels = npt.NDArray[np.int64]


class Monitor:
    """Looks at the features of the same few images again and again.

    Args:
        task: what is trained.
        spec: what was asked for.
        batches: the data.
        every: steps between reports; it looks only where there is one.
        labels: int64, of each image or clip of the data, -1 where there is none. Only looked at, for the kNN accuracy.
    """

    def __init__(
        self, task: PretextTask[Any], spec: ResolvedPretrain, batches: Batches, every: int, labels: Labels | None = None
    ) -> None:
        self._task, self._spec, self._batches = task, spec, batches
        most = _LABELLED if labels is not None else _IMAGES if spec.clip_frames is None else _CLIPS
        self._rows = batches.sampled(most)
        self._labels = None if labels is None else labels[self._rows.numpy()]
        looks = _SHARE * 3 * spec.steps * spec.batch_size / len(self._rows)
        between = spec.steps / min(_MOST, max(_FEWEST, looks))
        self._every = max(1, round(between / every)) * every
        self._columns: dict[str, list[float | None]] = {"step": []}
        stopping = spec.early_stopping
        self._course = Course(
            steps=spec.steps,
            per_epoch=batches.per_epoch,
            metric=self._metric(),
            rises=self._metric() != "loss",
            chance=spec.task.chance(),
            learning_rate=spec.optimizer.learning_rate,
            **({} if stopping is None else {"patience": stopping.patience}),
        )

    def _metric(self) -> str:
        stopping = self._spec.early_stopping
        if stopping is not None and stopping.metric != "auto":
            return stopping.metric
        return "loss" if self._spec.task.loss_tells else "rankme"

    def due(self, step: int) -> bool:
        """Whether it looks after this step."""
        return step % self._every == 0 or step == self._spec.steps

    def look(self, step: int) -> dict[str, float]:
        """Figures of the features after a step.

        `rankme`, `alpha`, `feature_std` and `uniformity`; `alignment` where the task compares two views; `knn_accuracy`, by leaving
        one out, where there are labels.
        """
        task = self._task
        task.eval()
        with torch.no_grad(), task.autocast():
            found = self._found()
        task.train()
        self._columns["step"].append(step)
        for name, value in found.items():
            self._columns.setdefault(name, []).append(value)
        return {name: value for name, value in found.items() if value is not None}

    def _found(self) -> dict[str, float | None]:
        task = self._task
        images = self._batches.rows(self._rows)
        parts = [task.encoder(task.as_input(self._middle(part))).float() for part in torch.split(images, _AT_A_TIME)]
        features = torch.cat(parts)
        if not bool(features.isfinite().all()):
            return {"rankme": None, "alpha": None, "feature_std": None, "uniformity": None}
        found = {
            "rankme": rankme(features),
            "alpha": alpha_req(features),
            "feature_std": feature_std(features),
            "uniformity": uniformity(features),
        }
        if isinstance(task, TwoViewsTask):
            draw_for(self._spec.seed, "monitor")
            views = task.ask(images[:_AT_A_TIME])["views"]
            found["alignment"] = alignment(*task.encoder(views).chunk(2))
        if self._labels is not None and (self._labels >= 0).sum() > 1:
            known = self._labels >= 0
            found["knn_accuracy"] = knn_accuracy(features.cpu().numpy()[known], self._labels[known])
        return found

    def _middle(self, images: Tensor) -> Tensor:
        """The middle (M, 3, S, S) of the images, or (M, 3, T, S, S) of the clips, as they are used after the training."""
        size, frames = self._spec.image_size, self._spec.clip_frames
        margin = (images.shape[-1] - size) // 2
        middle = images[..., margin : margin + size, margin : margin + size]
        return middle if frames is None else middle[:, :, :frames]

    def verdict(self, history: Mapping[str, list[float | None]]) -> Verdict:
        """How it goes, by the figures of the training so far and of the features."""
        return judge(self._course, history, self._columns)

    def state(self) -> dict[str, Any]:
        """What it has seen, as JSON can hold it."""
        return self._columns

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._columns = {"step": [], **{name: list(values) for name, values in state.items()}}
