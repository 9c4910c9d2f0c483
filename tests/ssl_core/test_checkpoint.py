import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from ssl_core import checkpoint
from ssl_core.checkpoint import CheckpointError, Progress
from ssl_core.errors import UserError
from ssl_core.optim import build_optimizer
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedOptimizer, ResolvedPretrain, resolve


def spec_of(**asked: object) -> ResolvedPretrain:
    spec = PretrainSpec.model_validate({"task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "steps": 5, **asked})
    return resolve(spec, DatasetFacts(images=100, median_side=32)).on_device("cpu")


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2)).to(
        memory_format=torch.channels_last
    )


def trained(seed: int, name: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    module = network(seed)
    spec = {"name": name, "learning_rate": 0.1, "weight_decay": 0, "momentum": 0.9, "warmup_steps": 0, "schedule": "constant"}
    optimizer = build_optimizer(module, ResolvedOptimizer.model_validate(spec))
    for _ in range(3):
        take_step(module, optimizer)
    return module, optimizer


def take_step(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    torch.manual_seed(0)
    optimizer.zero_grad()
    module(torch.randn(8, 3, 8, 8)).square().mean().backward()
    optimizer.step()


def at(step: int) -> Progress:
    return Progress(step, {"loss": torch.tensor(1.5)}, 2, {"loss": 9.0}, {"loss": 2.0}, 3.5)


def same(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


class TestRoundTrip:
    @pytest.mark.parametrize("name", ["sgd", "adamw"])
    def test_everything_comes_back_and_goes_on_alike(self, tmp_path: Path, name: str):
        module, optimizer = trained(0, name)
        path = checkpoint.save(tmp_path, spec_of(), module, [optimizer], at(3))
        again, its_optimizer = trained(1, name)
        assert not same(module, again)
        assert checkpoint.load(path, spec_of(), again, [its_optimizer]) == at(3)
        for pair in ((module, optimizer), (again, its_optimizer)):
            take_step(*pair)
        assert same(module, again)

    def test_several_optimizers_keep_their_own_state(self, tmp_path: Path):
        module, first = trained(0, "sgd")
        second = trained(0, "adamw")[1]
        path = checkpoint.save(tmp_path, spec_of(), module, [first, second], at(3))
        fresh = trained(1, "sgd")[1], trained(1, "adamw")[1]
        checkpoint.load(path, spec_of(), network(1), list(fresh))
        assert torch.equal(fresh[0].state_dict()["state"][0]["momentum_buffer"], first.state_dict()["state"][0]["momentum_buffer"])
        assert torch.equal(fresh[1].state_dict()["state"][0]["exp_avg"], second.state_dict()["state"][0]["exp_avg"])

    def test_the_same_state_gives_the_same_bytes(self, tmp_path: Path):
        paths = [checkpoint.save(tmp_path / name, spec_of(), network(0), [], at(1)) for name in "ab"]
        assert paths[0].read_bytes() == paths[1].read_bytes()


class TestFolder:
    def saved(self, folder: Path, step: int) -> list[int]:
        assert checkpoint.save(folder, spec_of(), network(0), [], at(step)).exists()
        return [int(path.stem.partition("-")[2]) for path in checkpoint.newest_first(folder)]

    def test_keeps_the_newest_and_the_one_before(self, tmp_path: Path):
        assert [self.saved(tmp_path, step) for step in (1, 2, 30, 400)] == [[1], [2, 1], [30, 2], [400, 30]]

    def test_those_of_later_steps_never_push_out_the_one_just_written(self, tmp_path: Path):
        for step in (100, 200):
            self.saved(tmp_path, step)
        assert self.saved(tmp_path, 5) == [5]

    @pytest.mark.parametrize("name", [".checkpoint-000000001.safetensors.new", ".tmpJmGUi2"])
    def test_what_a_killed_process_left_half_written_goes_away(self, tmp_path: Path, name: str):
        half = tmp_path / name
        half.write_bytes(b"half")
        self.saved(tmp_path, 2)
        assert not half.exists()


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return checkpoint.save(tmp_path, spec_of(), network(0), [], at(3))

    @pytest.mark.parametrize("left", [0, 5, 300, -1])
    def test_a_file_that_was_cut_off_is_refused_and_changes_nothing(self, path: Path, left: int):
        path.write_bytes(path.read_bytes()[:left])
        module = network(7)
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoint.load(path, spec_of(), module, [])
        assert same(module, network(7))

    def test_a_file_that_is_gone_or_is_none_of_ours_is_refused(self, path: Path, tmp_path: Path):
        from safetensors.torch import save_file

        with pytest.raises(CheckpointError):
            checkpoint.load(tmp_path / "none", spec_of(), network(0), [])
        save_file({"a": torch.zeros(1)}, path)
        with pytest.raises(CheckpointError):
            checkpoint.load(path, spec_of(), network(0), [])

    @pytest.mark.parametrize("changed", [{"seed": 1}, {"steps": 6}, {"task": {"name": "rotation", "flip": False}}])
    def test_one_of_another_spec_is_refused_and_says_what_differs(self, path: Path, changed: dict):
        with pytest.raises(UserError, match=next(iter(changed))) as caught:
            checkpoint.load(path, spec_of(**changed), network(0), [])
        assert caught.value.code == "other_checkpoint"

    def test_one_of_another_network_is_refused(self, path: Path):
        with pytest.raises(UserError, match="does not fit"):
            checkpoint.load(path, spec_of(), nn.Linear(2, 2), [])


class TestNoRoom:
    @pytest.fixture
    def small_files(self) -> Iterator[None]:
        """The kernel refuses files beyond 1 KiB, as a full disk would."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def test_leaves_what_was_there(self, tmp_path: Path, request: pytest.FixtureRequest):
        path = checkpoint.save(tmp_path, spec_of(), network(0), [], at(3))
        request.getfixturevalue("small_files")
        with pytest.raises(CheckpointError, match="cannot be written"):
            checkpoint.save(tmp_path, spec_of(), network(0), [], at(4))
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_in_the_folders_place_is_told(self, tmp_path: Path):
        (tmp_path / "checkpoints").write_text("")
        with pytest.raises(CheckpointError, match="cannot be written"):
            checkpoint.save(tmp_path / "checkpoints", spec_of(), network(0), [], at(4))
