"""What is seen of the features of a training, and what comes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ssl_core.data import Batches
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.monitor import Monitor
from ssl_core.process import StopRequest
from ssl_core.trainer import Trainer
from tests.ssl_core.task_tools import CPU, Recorder, batches_of, samples_of, shapes, spec_of, task_of, trained

SIDE = 16
STILL = {"_steps": 150, "_optimizer": {"name": "sgd", "learning_rate": 1e-9, "warmup": 0}}


def weights_of(task: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in task.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


class TestLooking:
    @pytest.mark.parametrize("name", ["rotation", "simclr", "gan", "clip_order", "colorization"])
    def test_changes_nothing(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        images = samples_of(name, 24, 32)
        spec = spec_of(name, images=24)
        _, seen, recorder = trained(images, spec, tmp_path / "seen")
        assert any("rankme" in event["values"] for event in recorder.of("metrics"))
        monkeypatch.setattr(Monitor, "look", lambda _self, _step: {})
        _, unseen, _ = trained(images, spec, tmp_path / "unseen")
        assert same(weights_of(seen), weights_of(unseen))

    def test_costs_a_small_part_of_the_training(self, tmp_path: Path):
        images = shapes(600, SIDE)
        for steps, most in ((10, 3), (4000, 51)):
            spec = spec_of("rotation", size=SIDE, images=600, batch=64, _steps=steps)
            monitor = Monitor(task_of(spec), spec, batches_of(images, spec), every=1)
            looks = sum(monitor.due(step) for step in range(1, steps + 1))
            assert 1 <= looks <= most

    def test_two_views_have_an_alignment_and_labels_an_accuracy(self, tmp_path: Path):
        images = shapes(64, 32)
        spec = spec_of("simclr", images=64, batch=16)
        labels = np.where(np.arange(64) < 60, np.arange(64) % 2, -1)
        images[::2] //= 8  # the class is the brightness, which colour jitter hides in part
        found = Monitor(task_of(spec), spec, batches_of(images, spec), 1, labels).look(3)
        assert 0 < found["alignment"] < 4
        assert found["knn_accuracy"] > 0.9
        assert "alpha" in found


class TestResume:
    @pytest.mark.parametrize("name", ["rotation", "barlow_twins"])
    def test_it_goes_on_with_what_was_seen(self, name: str, tmp_path: Path):
        images = samples_of(name, 32, 32)
        spec = spec_of(name, images=32, _steps=12)
        whole, _, _ = trained(images, spec, tmp_path / "whole")
        with pytest.raises(InterruptedRun):
            trained(images, spec, tmp_path / "parts", stop_at=7)
        parts, _, _ = trained(images, spec, tmp_path / "parts")
        assert (parts.measured, parts.history, parts.verdict) == (whole.measured, whole.history, whole.verdict)
        assert whole.measured["step"][0] == 0
        assert len(whole.measured["step"]) == len(whole.measured["rankme"]) >= 3


class Stubborn:
    """Runs a real training whose figures stop improving where the learning rate ends."""

    def __init__(self, images: np.ndarray, out: Path, **asked: Any) -> None:
        self.spec = spec_of("rotation", size=SIDE, images=len(images), batch=32, **asked)
        self.task = task_of(self.spec, images)
        self.recorder = Recorder(StopRequest(), None, None)
        batches = Batches(images, self.spec.batch_size, self.spec.seed, CPU)
        self.trainer = Trainer(self.task, self.spec, batches, out, self.recorder, StopRequest(), checkpoint_seconds=1e9)


class TestEarlyStopping:
    def test_a_training_that_gains_nothing_ends_early(self, tmp_path: Path):
        images = shapes(128, SIDE)
        stopped = Stubborn(images, tmp_path / "a", **STILL, _early_stopping={"patience": 0.2}).trainer.run()
        assert stopped.verdict is not None
        assert (stopped.verdict.state, 30 <= stopped.steps < 150) == ("plateau", True)
        run = Stubborn(images, tmp_path / "b", **STILL)
        assert run.trainer.run().steps == 150

    def test_one_that_improves_goes_on(self, tmp_path: Path):
        run = Stubborn(shapes(256, SIDE), tmp_path, _steps=40, _early_stopping={"patience": 0.9})
        assert run.trainer.run().steps == 40

    def test_a_collapse_is_told_at_once_and_ends_it_if_asked(self, tmp_path: Path):
        absurd = {"_steps": 60, "_optimizer": {"name": "sgd", "learning_rate": 0.5, "weight_decay": 1.0, "warmup": 0}}
        images = shapes(256, SIDE)
        run = Stubborn(images, tmp_path / "a", **absurd)
        done = run.trainer.run()
        assert done.verdict is not None
        assert done.verdict.state == "collapsed"
        told = [event["message"] for event in run.recorder.of("log") if event["level"] == "warning"]
        assert sum("collapsed at step" in message for message in told) == 1
        with pytest.raises(UserError, match="Lower optimizer") as failure:
            Stubborn(images, tmp_path / "b", **absurd, _early_stopping={}).trainer.run()
        assert failure.value.code == "collapsed"
