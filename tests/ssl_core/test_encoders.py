import pytest
import torch

from ssl_core.encoders import build_encoder, parameters_of
from ssl_core.spec import ENCODERS, ResolvedEncoder
from ssl_core.vision import torchvision_models

STEMS = [(name, stem) for name, info in ENCODERS.items() for stem in (["standard", "small"] if info.small_stem else ["standard"])]


def smallest(name: str, stem: str) -> int:
    info = ENCODERS[name]
    return info.min_image_size_small_stem if stem == "small" else info.min_image_size


def input_of(name: str, size: int, batch: int = 2) -> torch.Tensor:
    """The smallest input that an encoder takes."""
    info = ENCODERS[name]
    return torch.empty(batch, 3, *([info.min_frames] if info.modality == "video" else []), size, size)


def without_memory(name: str) -> str:
    """Shapes need no numbers; only RegNet computes its widths with tensors."""
    return "cpu" if name.startswith("regnet") else "meta"


class TestRegistry:
    @pytest.mark.parametrize(("name", "stem"), STEMS)
    def test_each_gives_the_features_that_the_catalogue_promises(self, name: str, stem: str):
        size = max(32, smallest(name, stem))
        with torch.device(without_memory(name)):
            encoder = build_encoder(ResolvedEncoder(name=name, stem=stem), size).eval()
            assert encoder(input_of(name, size)).shape == (2, ENCODERS[name].features)
            maps = encoder.stages(input_of(name, size))
        assert len(maps) >= 4
        assert all(len(stage) == 2 for stage in maps.values())

    @pytest.mark.parametrize("name", ENCODERS)
    def test_each_has_the_size_that_the_catalogue_says(self, name: str):
        with torch.device(without_memory(name)):
            encoder = build_encoder(ResolvedEncoder(name=name, stem="standard"), 224)
        assert parameters_of(encoder) / 1e6 == pytest.approx(ENCODERS[name].parameters, abs=0.06)

    @pytest.mark.parametrize("name", [name for name in ENCODERS if not name.startswith("tiny")])
    def test_the_keys_are_torchvisions_own(self, name: str):
        with torch.device(without_memory(name)):
            ours = build_encoder(ResolvedEncoder(name=name, stem="standard"), 224).weights()
            theirs = torchvision_models().get_model(name, weights=None).state_dict()
        assert set(ours) <= set(theirs)
        missing = {key.split(".")[0] for key in set(theirs) - set(ours)}
        assert len(missing) == 1
        assert missing <= {"fc", "classifier", "heads", "head"}
        assert all(ours[key].shape == theirs[key].shape for key in ours)


class TestSmallest:
    @pytest.mark.parametrize(("name", "stem"), STEMS)
    def test_trains_at_the_smallest_size(self, name: str, stem: str):
        size = smallest(name, stem)
        with torch.device(without_memory(name)):
            encoder = build_encoder(ResolvedEncoder(name=name, stem=stem), size).train()
            assert encoder(input_of(name, size)).shape == (2, ENCODERS[name].features)

    @pytest.mark.parametrize(
        ("name", "stem"), [("tiny", "standard"), ("resnet18", "small"), ("alexnet", "standard"), ("mobilenet_v3_small", "small")]
    )
    def test_runs_for_real_at_the_smallest_size(self, name: str, stem: str):
        size = smallest(name, stem)
        encoder = build_encoder(ResolvedEncoder(name=name, stem=stem), size).eval()
        with torch.no_grad():
            assert torch.isfinite(encoder(torch.randn(2, 3, size, size))).all()


class TestSmallStem:
    def test_a_resnet_keeps_the_resolution(self):
        encoder = build_encoder(ResolvedEncoder(name="resnet18", stem="small"), 32).eval()
        with torch.no_grad():
            maps = encoder.stages(torch.randn(1, 3, 32, 32))
        assert [stage.shape[-1] for stage in maps.values()] == [32, 16, 8, 4]
