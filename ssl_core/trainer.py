"""The training loop. It does not know which pretext task it runs."""

import math
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ssl_core import checkpoint
from ssl_core.data import Batches, draw_as_of, draw_for
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import Events, Ticker
from ssl_core.history import History
from ssl_core.monitor import Labels, Monitor
from ssl_core.optim import rate_at, set_rate
from ssl_core.pictures import save_picture
from ssl_core.pretext import PretextTask
from ssl_core.process import StopRequest
from ssl_core.spec import ResolvedPretrain
from ssl_core.verdict import Verdict

_TELL_SECONDS = 0.5
_MARK_SECONDS = 1.0
_MARKS = 10
_MOST_REPORTS = 500
_LONGEST_BETWEEN_REPORTS = 50
_MOST_PICTURES = 200
_SHOWN = 8
_STILL_GUESSING, _NEAR_CHANCE = 0.3, 1.15
_TOO_SOON, _TOO_GOOD = 0.1, 0.99
_ENOUGH_STEPS = 100


@dataclass(frozen=True)
class Trained:
    """Figures of a training that has ended."""

    first: dict[str, float]
    last: dict[str, float]
    seconds: float
    """Time spent in training, over all attempts."""
    rate: float
    """Images, or clips, a second over that time; views that are made of one image count once."""
    history: dict[str, list[float | None]] = field(default_factory=dict)
    """The figures over the training, by name, and `step`."""
    measured: dict[str, list[float | None]] = field(default_factory=dict)
    """The features' figures, by name, and `step`, the first before the training."""
    verdict: Verdict | None = None
    """How it went."""
    steps: int = 0
    """That were taken: fewer than planned if it stopped early."""


def rate_name(spec: ResolvedPretrain) -> str:
    """What the speed of a training is called."""
    return "images_per_second" if spec.clip_frames is None else "clips_per_second"


class Trainer:
    """Trains a pretext task to its last step.

    Args:
        task: the module that is trained, on its device.
        spec: what was asked for.
        batches: the data.
        out: folder for checkpoints and pictures.
        events: told of progress, metrics and checkpoints.
        stop: looked at between steps.
        checkpoint_seconds: seconds between checkpoints.
        labels: of each image or clip, -1 where there is none, if the accuracy of nearest neighbours is to be followed.
    """

    def __init__(
        self,
        task: PretextTask[Any],
        spec: ResolvedPretrain,
        batches: Batches,
        out: Path,
        events: Events,
        stop: StopRequest,
        *,
        checkpoint_seconds: float,
        labels: Labels | None = None,
    ) -> None:
        self._task = task
        self._spec = spec
        self._batches = batches
        self._checkpoints = out / "checkpoints"
        self._pictures = out / "pictures"
        self._events = events
        self._stop = stop
        self._optimizers: list[Optimizer] = task.optimizers()
        # How often figures are kept depends on the length alone, so that a resumed training keeps those of the same steps.
        self._report_every = min(_LONGEST_BETWEEN_REPORTS, max(1, spec.steps // _MOST_REPORTS))
        self._tell = Ticker(_TELL_SECONDS)
        self._save = Ticker(checkpoint_seconds)
        self._step = 0
        self._sums: dict[str, Tensor] = {}
        self._sums_over = 0
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._history = History()
        self._monitor = Monitor(task, spec, batches, self._report_every, labels)
        self._verdict = Verdict("too_early", "too early to tell", 0)
        self._alarmed = False
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self._rate_name = rate_name(spec)
        self._mark = Ticker(_MARK_SECONDS)
        self._marks: deque[tuple[int, float]] = deque(maxlen=_MARKS)

    def resume(self, candidates: list[Path]) -> bool:
        """Go on from the first of these checkpoints that is whole, and say whether there was one.

        Raises:
            UserError: one is of another training.
        """
        for path in candidates:
            try:
                progress = checkpoint.load(path, self._spec, self._task, self._optimizers)
            except checkpoint.CheckpointError as error:
                self._events.emit("log", level="warning", message=f"{error}; looking for an older one")
                continue
            self._step, self._seconds_before = progress.step, progress.seconds
            self._sums, self._sums_over = progress.sums, progress.sums_over
            self._first, self._last = progress.first, progress.last
            self._history = History(progress.history)
            self._monitor.go_on(progress.measured)
            self._events.emit("log", level="info", message=f"resumed from the checkpoint of step {progress.step}")
            return True
        return False

    def run(self) -> Trained:
        """Train to the end.

        Raises:
            InterruptedRun: it was asked to stop, and has written a checkpoint if it could.
            UserError: the loss is not finite.
        """
        self._started = time.monotonic()
        self._marks.append((self._step, self._started))
        self._save.due()
        if self._step == 0:
            self._draw(0)
            self._monitor.look(0)
        self._task.train()
        self._judge()
        for images in self._batches.since(self._step, self._spec.steps):
            self._train_step(images)
            if self._step % self._report_every == 0 or self._step == self._spec.steps:
                self._report()
            elif self._tell.due():
                self._show_progress(self._means())
            if self._step % self._batches.per_epoch == 0 or self._step == self._spec.steps:
                self._draw(self._epoch)
            if self._ends_early:
                break
            if self._stop and self._step < self._spec.steps:
                self._checkpoint()
                raise InterruptedRun
            if self._save.due():
                self._checkpoint()
        self._check_weights()
        seconds = self._seconds
        rate = self._step * self._spec.batch_size / seconds
        figures = (self._history.columns(), self._monitor.state(), self._verdict, self._step)
        return Trained(self._first, self._last, seconds, rate, *figures)

    def _train_step(self, images: Tensor) -> None:
        draw_as_of(self._spec.seed, self._step)
        share = rate_at(self._step, self._spec.steps, self._spec.optimizer)
        for optimizer in self._optimizers:
            set_rate(optimizer, share)
        with torch.no_grad():
            question = self._task.ask(images)
        metrics = self._task.training_step(question, self._optimizers)
        # Summed on the device: reading a value back would make the CPU wait for the GPU in every step.
        for name, value in metrics.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._sums_over += 1
        self._step += 1
        if self._mark.due():
            self._marks.append((self._step, time.monotonic()))
            if len(self._marks) == 3 and self._marks[0][1] == self._started:
                self._marks.popleft()  # the first step, which finds the fastest kernels, says nothing of the others

    def _draw(self, epoch: int) -> None:
        """Draw what the network makes of a few images, before the first epoch and after each, or after each few of very many."""
        if epoch % max(1, -(-self._spec.epochs // _MOST_PICTURES)) and self._step < self._spec.steps:
            return
        draw_for(self._spec.seed, "picture")
        self._task.eval()
        with torch.no_grad(), self._task.autocast():
            picture = self._task.picture(self._batches.sample(_SHOWN))
        self._task.train()
        path = self._pictures / f"{epoch:06}{picture.suffix}"
        try:
            width, height = save_picture(picture, path)
        except OSError as error:
            self._events.emit("log", level="warning", message=f"{path} cannot be written: {error}; training goes on without it")
            return
        told = {"caption": picture.caption, "width": width, "height": height}
        self._events.emit("picture", path=str(path), epoch=epoch, step=self._step, **told)

    def _means(self) -> dict[str, float]:
        names = list(self._sums)
        values = torch.stack([self._sums[name].float() for name in names]).div(self._sums_over).tolist()
        means = dict(zip(names, values, strict=True))
        if not all(map(math.isfinite, values)):
            raise self._diverged()
        return means

    def _report(self) -> None:
        means = self._means()
        self._first = self._first or means
        self._last = means
        self._history.add(self._step, means)
        looked = self._monitor.look(self._step) if self._monitor.due(self._step) else {}
        rate = self._spec.optimizer.learning_rate * rate_at(self._step - 1, self._spec.steps, self._spec.optimizer)
        values = {**looked, **means, "learning_rate": rate, self._rate_name: self._rate}
        self._events.emit("metrics", step=self._step, epoch=self._epoch, values=values)
        self._sums, self._sums_over = {}, 0
        self._judge()
        self._wonder(means)
        if self._tell.due() or self._step == self._spec.steps:
            self._show_progress(means)

    def _judge(self) -> None:
        """Form a verdict, and raise the alarm, once, if the features have collapsed."""
        self._verdict = self._monitor.verdict(self._history.columns())
        if self._verdict.state != "collapsed":
            self._alarmed = False
        elif self._spec.early_stopping is not None:
            raise UserError("collapsed", self._verdict.sentence)
        elif not self._alarmed:
            self._alarmed = True
            self._events.emit("log", level="warning", message=self._verdict.sentence)

    @property
    def _ends_early(self) -> bool:
        """Whether it was asked to end when it no longer improves, and does not. Looked at where figures are kept alone."""
        asked = self._spec.early_stopping is not None and self._step % self._report_every == 0 and self._step < self._spec.steps
        if asked and self._verdict.state == "plateau":
            told = f"stops after {self._step} of {self._spec.steps} steps: {self._verdict.sentence}"
            self._events.emit("log", level="info", message=told)
            return True
        return False

    def _wonder(self, means: dict[str, float]) -> None:
        """Warn, once, of a task that is learned suspiciously well or not at all."""
        chance, accuracy, steps = self._spec.task.chance(), means.get("accuracy"), self._spec.steps
        if chance is None or accuracy is None:
            return
        if self._step == self._report_at(_TOO_SOON * steps) and accuracy > _TOO_GOOD:
            told = (
                f"the task is answered with {accuracy:.1%} accuracy after a tenth of the training: something gives the answers "
                "away (borders, watermarks, traces of compression), or it is too easy for these images; look at the pictures"
            )
            self._events.emit("log", level="warning", message=told)
        if self._step == self._report_at(_STILL_GUESSING * steps) and accuracy < _NEAR_CHANCE * chance:
            told = (
                f"after {_STILL_GUESSING:.0%} of the training the task is answered with {accuracy:.1%} accuracy, and guessing has "
                f"{chance:.1%}: these images may not suit the task; compare with another, or change optimizer.learning_rate"
            )
            self._events.emit("log", level="warning", message=told)

    def _report_at(self, step: float) -> int:
        """The first step, of at least a hundred, from which figures are kept at or after this one."""
        return math.ceil(max(step, _ENOUGH_STEPS) / self._report_every) * self._report_every

    def _show_progress(self, means: dict[str, float]) -> None:
        left = (self._spec.steps - self._step) * self._spec.batch_size / self._rate
        self._events.emit(
            "progress",
            phase="train",
            done=self._step,
            total=self._spec.steps,
            unit="steps",
            step=self._step,
            epoch=self._epoch,
            epochs=self._spec.epochs,
            **means,
            eta_seconds=left,
            verdict=self._verdict.told(),
            **{self._rate_name: self._rate},
        )

    def _checkpoint(self) -> None:
        self._check_weights()
        figures = (self._first, self._last, self._seconds, self._history.state(), self._monitor.state())
        progress = checkpoint.Progress(self._step, self._sums, self._sums_over, *figures)
        try:
            path = checkpoint.save(self._checkpoints, self._spec, self._task, self._optimizers, progress)
        except checkpoint.CheckpointError as error:
            # Hours of training are worth more than the chance to resume them.
            self._events.emit("log", level="warning", message=f"{error}; training goes on without it")
            return
        self._events.emit("checkpoint", path=str(path), step=self._step)

    def _check_weights(self) -> None:
        floats = [value for value in self._task.state_dict().values() if value.is_floating_point()]
        finite = torch.stack([value.isfinite().all() for value in floats]).all()
        if not finite.item():
            raise self._diverged()

    def _diverged(self) -> UserError:
        rate = self._spec.optimizer.learning_rate
        more = ", or precision fp32" if self._spec.precision == "bf16" else ""
        return UserError(
            "diverged",
            f"the loss is no longer a number at step {self._step}: the training has diverged. "
            f"Try optimizer.learning_rate {rate / 4:.3g} instead of {rate:.3g}, a longer optimizer.warmup{more}",
        )

    @property
    def _epoch(self) -> int:
        return (self._step - 1) // self._batches.per_epoch + 1

    @property
    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    @property
    def _rate(self) -> float:
        """Over the last seconds, so that neither the slow first steps nor an hour of good ones hide what is going on now."""
        step, since = self._marks[0]
        return (self._step - step) * self._spec.batch_size / max(1e-9, time.monotonic() - since)
