import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from ssl_core.embed import load_encoder
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import UserError
from ssl_core.export import ExportError, export_bundle
from ssl_core.spec import ENCODERS, DatasetFacts, PretrainSpec, ResolvedPretrain, resolve
from ssl_core.trainer import Trained
from ssl_core.vision import torchvision_models

FACTS = DatasetFacts(images=1234, median_side=64)
TRAINED = Trained({"loss": 1.5, "accuracy": 0.25}, {"loss": 0.5, "accuracy": 0.75}, 10.0, 500.0)
LOADED = [("tiny", "standard"), ("resnet18", "standard"), ("resnet18", "small"), ("alexnet", "standard"), ("vgg11_bn", "standard")]
LOADED += [("mobilenet_v3_small", "small"), ("mobilenet_v3_small", "standard"), ("efficientnet_b0", "small")]
LOADED += [("regnet_y_400mf", "small"), ("convnext_tiny", "small"), ("convnext_tiny", "standard"), ("vit_b_16", "small")]
LOADED += [("swin_t", "standard")]
VIDEO_FACTS = DatasetFacts(images=12, median_side=64, kind="video", frames=345, lengths=((28, 12),))
OF_CLIPS = ["tiny3d", "r3d_18", "mc3_18", "r2plus1d_18", "s3d", "tiny", "resnet18", "swin_t"]


def spec_of(name: str, stem: str = "auto", size: int = 64) -> ResolvedPretrain:
    asked = {"task": {"name": "rotation"}, "encoder": {"name": name, "stem": stem}, "image_size": size, "steps": 3, "formats": []}
    return resolve(PretrainSpec.model_validate(asked), FACTS).on_device("cpu")


def encoder_of(spec: ResolvedPretrain) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(spec.encoder, spec.image_size).to(memory_format=torch.channels_last)


def exported(folder: Path, name: str, stem: str = "auto", size: int = 64) -> tuple[Encoder, Path]:
    spec = spec_of(name, stem, size)
    encoder = encoder_of(spec)
    export_bundle(encoder, spec, FACTS, TRAINED, folder / "bundle")
    return encoder, folder / "bundle"


class Forgetful(Encoder):
    """Has a weight that its state does not name, so that no file can give it back."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.network, ("stage1",), encoder.features)
        self.lost = torch.ones(1)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.lost


class TestFiles:
    def test_weights_are_plain_numbers_in_full_precision(self, tmp_path: Path):
        _, bundle = exported(tmp_path, "resnet18")
        with safe_open(bundle / "encoder.safetensors", "pt") as file:
            assert file.metadata() == {"format": "pt"}
        weights = load_file(bundle / "encoder.safetensors")
        assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}

    def test_config_has_what_is_needed_to_use_it(self, tmp_path: Path):
        _, bundle = exported(tmp_path, "tiny")
        config = json.loads((bundle / "config.json").read_text())
        assert (config["features"], config["image_size"]) == (128, 64)
        assert config["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
        assert config["training"]["dataset"] == FACTS.model_dump(mode="json")
        assert ResolvedPretrain.model_validate(config["spec"]) == spec_of("tiny")

    def test_card_has_front_matter_and_the_figures(self, tmp_path: Path):
        _, bundle = exported(tmp_path, "tiny")
        card = (bundle / "README.md").read_text()
        assert card.startswith("---\nlibrary_name: torchvision\n")
        assert "1,234 images" in card
        assert "0.2500 at first, 0.7500 at the end" in card
        assert "{" not in card.split("```python")[0]

    def test_an_older_bundle_is_replaced_whole(self, tmp_path: Path):
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle" / "old").touch()
        exported(tmp_path, "tiny")
        assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == [
            "README.md",
            "SHA256SUMS",
            "config.json",
            "encoder.safetensors",
        ]
        assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def exported_of_clips(folder: Path, name: str) -> tuple[Encoder, Path]:
    asked = {
        "task": {"name": "video_rotation"},
        "encoder": {"name": name},
        "image_size": 32,
        "clip_frames": 8,
        "steps": 3,
        "formats": [],
    }
    spec = resolve(PretrainSpec.model_validate(asked), VIDEO_FACTS).on_device("cpu")
    torch.manual_seed(0)
    encoder = build_encoder(spec.encoder, spec.image_size, clips=True)
    export_bundle(encoder, spec, VIDEO_FACTS, TRAINED, folder / "bundle")
    return encoder, folder / "bundle"


class TestRefusal:
    def test_what_does_not_come_back_is_not_published(self, tmp_path: Path):
        spec = spec_of("tiny")
        with pytest.raises(ExportError, match="off by"):
            export_bundle(Forgetful(encoder_of(spec)), spec, FACTS, TRAINED, tmp_path / "bundle")
        assert not (tmp_path / "bundle").exists()

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path):
        (tmp_path / "file").touch()
        spec = spec_of("tiny")
        with pytest.raises(UserError, match="cannot be written") as caught:
            export_bundle(encoder_of(spec), spec, FACTS, TRAINED, tmp_path / "file" / "bundle")
        assert caught.value.code == "cannot_write"


class TestLoading:
    def test_every_family_is_loaded_here(self):
        assert {ENCODERS[name].family for name in [*(name for name, _ in LOADED), *OF_CLIPS]} == {
            info.family for info in ENCODERS.values()
        }

    @pytest.mark.parametrize(("name", "stem"), LOADED)
    def test_the_code_on_the_card_gives_the_same_features(self, tmp_path: Path, monkeypatch, name: str, stem: str):
        encoder, bundle = exported(tmp_path, name, stem)
        torchvision_models()  # lets the card's own import of torchvision work beside a CPU build of torch
        code = (bundle / "README.md").read_text().split("```python\n")[1].split("```")[0]
        monkeypatch.chdir(bundle)
        names: dict[str, object] = {}
        exec(code, names)  # the code is what is tested
        assert names["features"].shape == (1, ENCODERS[name].features)
        images = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            assert torch.allclose(names["network"](images), encoder.eval()(images), atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("name", OF_CLIPS)
    def test_so_does_the_code_on_the_card_of_an_encoder_of_clips(self, tmp_path: Path, monkeypatch, name: str):
        encoder, bundle = exported_of_clips(tmp_path, name)
        torchvision_models()
        card = (bundle / "README.md").read_text()
        assert "12 videos of 345 frames" in card
        assert "| clip | 8 frames of 32 x 32 px, every 2nd frame of the video |" in card
        assert "500 clips/s" in card
        code = card.split("```python\n")[1].split("```")[0]
        monkeypatch.chdir(bundle)
        clips = torch.rand(1, 3, 8, 32, 32)
        monkeypatch.setattr(torch, "rand", lambda *_: clips)
        names: dict[str, object] = {}
        exec(code, names)  # the code is what is tested
        loaded, config = load_encoder(bundle)
        with torch.no_grad():
            assert torch.allclose(names["features"], encoder.eval()(clips), atol=1e-4, rtol=1e-4)
            assert torch.allclose(loaded.eval()(clips), encoder.eval()(clips), atol=1e-5)
        assert (config["clip_frames"], config["frame_stride"]) == (8, 2)

    def test_torchvisions_own_network_misses_the_classifier_alone(self, tmp_path: Path):
        _, bundle = exported(tmp_path, "resnet18", "standard")
        found = torchvision_models().resnet18().load_state_dict(load_file(bundle / "encoder.safetensors"), strict=False)
        assert (found.missing_keys, found.unexpected_keys) == (["fc.weight", "fc.bias"], [])

    def test_a_changed_stem_says_so(self, tmp_path: Path):
        _, bundle = exported(tmp_path, "resnet18", "small")
        with pytest.raises(RuntimeError, match=r"size mismatch for conv1\.weight"):
            torchvision_models().resnet18().load_state_dict(load_file(bundle / "encoder.safetensors"), strict=False)
