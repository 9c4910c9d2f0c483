import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from ssl_core import checkpoint
from ssl_core.data import Batches, draw_as_of
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.optim import rate_at, set_rate
from ssl_core.pictures import Panel, Picture
from ssl_core.pretext import PretextTask, build_task
from ssl_core.pretext.base import Question, as_picture, why_not_bf16
from ssl_core.process import StopRequest
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedPretrain, resolve
from ssl_core.spec.tasks import Rotation
from ssl_core.trainer import Trained, Trainer
from tests.ssl_core import task_tools

CPU = torch.device("cpu")
COUNT, SIDE = 400, 16


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Light above, dark below, in varying colours, with noise: an up that is easy to see."""
    generator = np.random.default_rng(0)
    light = np.linspace(1, 0, SIDE).reshape(1, SIDE, 1, 1)
    colour = generator.uniform(0.3, 1, (COUNT, 1, 1, 3))
    noise = generator.normal(0, 20, (COUNT, SIDE, SIDE, 3))
    return np.clip(light * colour * 255 + noise, 0, 255).astype(np.uint8)


def spec_of(**asked: object) -> ResolvedPretrain:
    defaults = {"task": {"name": "rotation", "crop_padding": 2}, "encoder": {"name": "tiny"}, "image_size": SIDE, "batch_size": 20}
    spec = PretrainSpec.model_validate({**defaults, **asked})
    return resolve(spec, DatasetFacts(images=COUNT, median_side=SIDE)).on_device("cpu")


def task_of(spec: ResolvedPretrain) -> PretextTask:
    torch.manual_seed(0)
    return build_task(spec, build_encoder(spec.encoder, spec.image_size))


class Recorder:
    """Keeps events, and does something at one of them."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.at_step: dict[int, object] = {}

    def emit(self, type_: str, **fields: object) -> None:
        self.events.append({"type": type_, **fields})
        if type_ == "metrics" and fields["step"] in self.at_step:
            self.at_step[fields["step"]]()

    def of(self, type_: str) -> list[dict]:
        return [event for event in self.events if event["type"] == type_]


class Run:
    """One attempt at a training."""

    def __init__(self, images: np.ndarray, folder: Path, spec: ResolvedPretrain, *, task: PretextTask | None = None) -> None:
        self.spec, self.folder = spec, folder
        self.task = task or task_of(spec)
        self.recorder, self.stop = Recorder(), StopRequest()
        self._batches = Batches(images, spec.batch_size, spec.seed, CPU)

    def checkpoints(self) -> list[Path]:
        return checkpoint.newest_first(self.folder / "checkpoints")

    def stopped_at(self, step: int) -> "Run":
        self.recorder.at_step[step] = self.stop.set
        return self

    def go(self, *, checkpoint_seconds: float = 1000) -> Trained:
        trainer = Trainer(
            self.task, self.spec, self._batches, self.folder, self.recorder, self.stop, checkpoint_seconds=checkpoint_seconds
        )
        trainer.resume(self.checkpoints())
        return trainer.run()


def weights(task: PretextTask) -> list[Tensor]:
    return list(task.state_dict().values())


def equal(one: PretextTask, other: PretextTask) -> bool:
    return all(map(torch.equal, weights(one), weights(other)))


class TestLearning:
    def test_a_simple_up_is_learned_in_seconds(self, images: np.ndarray, tmp_path: Path):
        run = Run(images, tmp_path, spec_of(steps=60))
        trained = run.go()
        assert trained.first["loss"] > 0.9 * math.log(4)
        assert trained.last["loss"] < 0.5 * math.log(4)
        assert trained.last["accuracy"] > 0.8

    def test_bf16_learns_too(self, images: np.ndarray, tmp_path: Path):
        spec = spec_of(steps=30, precision="bf16", task={"name": "rotation", "crop": "resized"})
        trained = Run(images, tmp_path, spec).go()
        assert trained.last["loss"] < trained.first["loss"]
        assert {value.dtype for value in weights(task_of(spec)) if value.is_floating_point()} == {torch.float32}


class TestFigures:
    @pytest.fixture
    def by_hand(self, images: np.ndarray) -> list[float]:
        """Losses of a bare loop with the same seeds."""
        spec = spec_of(steps=1200, batch_size=2)
        task = task_of(spec).train()
        (optimizer,) = task.optimizers()
        losses = []
        for step, batch in enumerate(Batches(images, 2, spec.seed, CPU).since(0, 6)):
            draw_as_of(spec.seed, step)
            set_rate(optimizer, rate_at(step, spec.steps, spec.optimizer))
            loss = task(batch)["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def test_are_means_since_those_before(self, images: np.ndarray, tmp_path: Path, by_hand: list[float]):
        run = Run(images, tmp_path, spec_of(steps=1200, batch_size=2)).stopped_at(6)
        with pytest.raises(InterruptedRun):
            run.go()
        metrics = run.recorder.of("metrics")
        assert [metric["step"] for metric in metrics] == [2, 4, 6]
        pairs = [(by_hand[step] + by_hand[step + 1]) / 2 for step in (0, 2, 4)]
        assert [metric["values"]["loss"] for metric in metrics] == pytest.approx(pairs, rel=1e-5)

    def test_of_a_training_that_was_stopped_between_them_are_those_of_one_that_was_not(self, images: np.ndarray, tmp_path: Path):
        spec = spec_of(steps=1002, batch_size=2)
        whole = Run(images, tmp_path / "whole", spec).stopped_at(6)
        with pytest.raises(InterruptedRun):
            whole.go()
        parts = Run(images, tmp_path / "parts", spec)
        parts.stop.set()  # after one step, where figures are told every second one
        with pytest.raises(InterruptedRun):
            parts.go()
        again = Run(images, tmp_path / "parts", spec).stopped_at(6)
        with pytest.raises(InterruptedRun):
            again.go()
        told = [[(metric["step"], metric["values"]["loss"]) for metric in run.recorder.of("metrics")] for run in (whole, again)]
        assert told[0] == told[1]

    def test_progress_says_where_it_is(self, images: np.ndarray, tmp_path: Path):
        run = Run(images, tmp_path, spec_of(steps=25))
        run.go()
        last = run.recorder.of("progress")[-1]
        assert {name: last[name] for name in ("phase", "done", "total", "step", "epoch", "epochs", "eta_seconds")} == {
            "phase": "train", "done": 25, "total": 25, "step": 25, "epoch": 2, "epochs": 2, "eta_seconds": 0
        }  # fmt: skip
        assert last["images_per_second"] > 0
        assert len(run.recorder.of("progress")) < 25

    def test_survive_a_resume_after_the_last_step(self, images: np.ndarray, tmp_path: Path):
        ended = Run(images, tmp_path, spec_of(steps=3)).go(checkpoint_seconds=0)
        again = Run(images, tmp_path, spec_of(steps=3))
        trained = again.go()
        assert (trained.first, trained.last) == (ended.first, ended.last)
        assert trained.rate > 0
        assert not again.recorder.of("metrics")


class TestCheckpoints:
    def test_each_is_told_and_the_last_two_stay(self, images: np.ndarray, tmp_path: Path):
        run = Run(images, tmp_path, spec_of(steps=4))
        run.go(checkpoint_seconds=0)
        assert [event["step"] for event in run.recorder.of("checkpoint")] == [1, 2, 3, 4]
        paths = [event["path"] for event in run.recorder.of("checkpoint")]
        assert [str(path) for path in run.checkpoints()] == paths[:1:-1]

    def test_a_folder_of_another_training_is_refused_and_left_alone(self, images: np.ndarray, tmp_path: Path):
        first = Run(images, tmp_path, spec_of(steps=3))
        first.go(checkpoint_seconds=0)
        before = first.checkpoints()
        with pytest.raises(UserError, match="seed") as caught:
            Run(images, tmp_path, spec_of(steps=3, seed=1)).go()
        assert caught.value.code == "other_checkpoint"
        assert first.checkpoints() == before

    def test_training_goes_on_where_none_can_be_written(self, images: np.ndarray, tmp_path: Path):
        (tmp_path / "file").write_text("")
        run = Run(images, tmp_path / "file", spec_of(steps=3))
        run.go(checkpoint_seconds=0)
        warned = [event for event in run.recorder.of("log") if event["level"] == "warning" and "checkpoints" in event["message"]]
        assert len(warned) == 3
        assert not run.recorder.of("checkpoint")


class TestDivergence:
    def spoiled_at(self, images: np.ndarray, folder: Path, step: int) -> Run:
        """A training whose weights are ruined after a step."""
        run = Run(images, folder, spec_of(steps=10))
        run.recorder.at_step[step] = lambda: nn.init.constant_(run.task.encoder.network.stage4[0].weight, math.nan)
        return run

    def test_stops_and_says_what_to_change(self, images: np.ndarray, tmp_path: Path):
        run = self.spoiled_at(images, tmp_path, 4)
        with pytest.raises(UserError, match=r"step 5.*learning_rate 0\.00391 instead of 0\.0156") as caught:
            run.go()
        assert caught.value.code == "diverged"

    def test_no_checkpoint_ever_holds_weights_that_are_no_numbers(self, images: np.ndarray, tmp_path: Path):
        run = self.spoiled_at(images, tmp_path, 4)
        with pytest.raises(UserError):
            run.go(checkpoint_seconds=0)
        assert [event["step"] for event in run.recorder.of("checkpoint")] == [1, 2, 3]

    def test_nor_is_a_network_handed_out_that_broke_in_its_last_step(self, images: np.ndarray, tmp_path: Path):
        with pytest.raises(UserError) as caught:
            self.spoiled_at(images, tmp_path, 10).go()
        assert caught.value.code == "diverged"


class Rivals(PretextTask[Rotation]):
    """Two players with an optimizer each, which are trained against each other."""

    def __init__(self, encoder: Encoder, spec: ResolvedPretrain) -> None:
        super().__init__(encoder, spec)
        self.rival = nn.Conv2d(3, 3, 1)

    def ask(self, images: Tensor) -> Question:
        return {"images": images.float() / 255}

    def answer(self, question: Question) -> dict[str, Tensor]:
        return {"loss": self.encoder(self.rival(question["images"])).square().mean()}

    def picture(self, images: Tensor) -> Picture:
        return Picture((Panel("shown", as_picture(images)),), "Two players.")

    def preview(self, images: Tensor) -> tuple[Panel, ...]:
        return self.picture(images).panels

    def optimizers(self) -> list[Optimizer]:
        return [SGD(player.parameters(), lr=0.01, momentum=0.9) for player in (self.encoder, self.rival)]

    def training_step(self, question: Question, optimizers: list[Optimizer]) -> dict[str, Tensor]:
        for sign, optimizer in zip((1, -1), optimizers, strict=True):
            self.zero_grad()
            metrics = self.answer(question)
            (sign * metrics["loss"]).backward()
            optimizer.step()
        return {"loss": metrics["loss"].detach(), "rival": metrics["loss"].detach().neg()}


class TestAnyTask:
    def rivals(self, spec: ResolvedPretrain) -> PretextTask:
        torch.manual_seed(1)
        return Rivals(build_encoder(spec.encoder, spec.image_size), spec)

    def test_one_with_its_own_optimizers_trains_and_resumes_exactly(self, images: np.ndarray, tmp_path: Path):
        spec = spec_of(steps=6)
        whole = Run(images, tmp_path / "whole", spec, task=self.rivals(spec))
        whole.go()
        assert set(whole.recorder.of("metrics")[0]["values"]) >= {"loss", "rival"}
        with pytest.raises(InterruptedRun):
            Run(images, tmp_path / "parts", spec, task=self.rivals(spec)).stopped_at(3).go()
        parts = Run(images, tmp_path / "parts", spec, task=self.rivals(spec))
        parts.go()
        assert equal(whole.task, parts.task)
        assert not equal(whole.task, self.rivals(spec))


class TestPrecision:
    @pytest.mark.parametrize(("precision", "native", "used"), [("bf16", True, True), ("bf16", False, False), ("fp32", True, False)])
    def test_bf16_is_used_where_the_device_has_it(self, monkeypatch: pytest.MonkeyPatch, precision: str, native: bool, used: bool):
        monkeypatch.setattr("ssl_core.pretext.base.computes_bf16", lambda _device: native)
        task = task_of(spec_of(steps=3, precision=precision))
        with task.autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if used else torch.float32)

    def test_clips_are_in_fp32_on_a_cpu_where_bf16_gives_wrong_gradients(self):
        task = task_tools.task_of(task_tools.spec_of("video_rotation", _precision="bf16"))
        with task.autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert why_not_bf16(task.spec, torch.device("cpu")) == "on a CPU, the gradients of 3D convolutions in bf16 are wrong"
        assert why_not_bf16(task_tools.spec_of("rotation", _precision="bf16"), torch.device("cpu")) is None


class TestWondering:
    @pytest.mark.parametrize(
        ("accuracy", "says"), [(1.0, "something gives the answers away"), (0.26, "guessing has 25.0%"), (0.6, None)]
    )
    def test_warns_of_what_is_learned_too_well_or_not_at_all(
        self, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accuracy: float, says: str | None
    ):
        run = Run(images, tmp_path, spec_of(steps=120))
        told = {"loss": torch.tensor(1.0), "accuracy": torch.tensor(accuracy)}
        monkeypatch.setattr(run.task, "training_step", lambda _question, _optimizers: told)
        run.go()
        warnings = [event["message"] for event in run.recorder.of("log") if event["level"] == "warning"]
        assert len(warnings) == (0 if says is None else 1)
        assert says is None or says in warnings[0]
