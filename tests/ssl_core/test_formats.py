import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ssl_core import encoders
from ssl_core.card.words import plain
from ssl_core.embed import load_encoder
from ssl_core.encoders import Encoder, TinyNet, build_encoder
from ssl_core.export import preprocessing, write_bundle
from ssl_core.spec import ENCODERS, ResolvedEncoder
from ssl_core.vision import torchvision_models

FORMATS = ["onnx", "pt2"]
SHRUNKEN = {"vit", "swin", "convnext", "mobilenet", "efficientnet", "regnet", "s3d"}
"""Families whose real networks take too long to export in a test; a few of their own blocks stand for them."""
FAMILIES = [("tiny", "standard", None), ("resnet18", "small", None), ("alexnet", "standard", None), ("vgg11_bn", "standard", None)]
FAMILIES += [("mobilenet_v3_small", "small", None), ("regnet_y_400mf", "standard", None), ("efficientnet_b0", "small", None)]
FAMILIES += [("vit_b_16", "standard", None), ("swin_t", "standard", None), ("convnext_tiny", "standard", None)]
FAMILIES += [
    ("tiny3d", "standard", 4),
    ("mc3_18", "standard", 4),
    ("s3d", "standard", 8),
    ("tiny", "standard", 4),
    ("swin_t", "standard", 4),
]
ENDED = [("tiny", 1, None, FORMATS), ("resnet18", 2, None, []), ("tiny3d", 2, 4, FORMATS)]
ENDED += [("tiny", 2, 4, FORMATS), ("vit_b_16", 1, None, []), ("swin_t", 2, None, []), ("convnext_tiny", 2, None, [])]
ENDED += [("swin_t", 1, 4, []), ("s3d", 2, 8, []), ("alexnet", 2, None, []), ("mobilenet_v3_small", 2, None, [])]


class Recorder:
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def emit(self, type_: str, **fields: object) -> None:
        assert (type_, fields["level"]) == ("log", "warning")
        self.warnings.append(str(fields["message"]))


@pytest.fixture
def shrunken(monkeypatch):
    models = torchvision_models()

    def vit(_spec: ResolvedEncoder, size: int) -> nn.Module:
        network = models.VisionTransformer(size, patch_size=16, num_layers=12, num_heads=2, hidden_dim=32, mlp_dim=64)
        network.encoder.layers = nn.Sequential(network.encoder.layers[0], network.encoder.layers[1])
        network.heads = nn.Identity()
        return network

    def swin(_spec: ResolvedEncoder, _size: int) -> nn.Module:
        network = models.SwinTransformer([4, 4], 16, depths=[2, 1], num_heads=[2, 2], window_size=[3, 3])
        network.head = nn.Identity()
        return network

    def convnext(_spec: ResolvedEncoder, _size: int) -> nn.Module:
        from torchvision.models.convnext import CNBlockConfig

        network = models.ConvNeXt([CNBlockConfig(16, 32, 1), CNBlockConfig(32, None, 1)])
        network.classifier[2] = nn.Identity()
        return network

    def cut(family: str, part: str, kept: int) -> None:
        whole = encoders._FAMILIES[family]

        def make(spec: ResolvedEncoder, size: int) -> nn.Module:
            network = whole(spec, size)
            setattr(network, part, getattr(network, part)[:kept])
            return network

        monkeypatch.setitem(encoders._FAMILIES, family, make)

    for family, make in (("vit", vit), ("swin", swin), ("convnext", convnext)):
        monkeypatch.setitem(encoders._FAMILIES, family, make)
    for family, part, kept in (("mobilenet", "features", 3), ("efficientnet", "features", 3), ("regnet", "trunk_output", 1)):
        cut(family, part, kept)
    cut("s3d", "features", 6)


def made(
    folder: Path, name: str, stem: str, frames: int | None, formats: list[str], *, stage: int | None = None, events=None
) -> tuple[Encoder, Path]:
    """An encoder with weights of its own, normalisation included, and its bundle."""
    info = ENCODERS[name]
    size = max(32, info.min_image_size)
    ends_at = None if stage is None else info.stages[stage]
    torch.manual_seed(0)
    encoder = build_encoder(ResolvedEncoder(name=name, stem=stem), size, clips=frames is not None, ends_at=ends_at)
    for value in encoder.weights().values():
        if value.is_floating_point():
            value.add_(0.02 * torch.rand_like(value))
    about = {"encoder": {"name": name, "stem": stem}, "image_size": size, "preprocessing": preprocessing(size)}
    about |= {} if frames is None else {"clip_frames": frames, "frame_stride": 2}
    about |= {} if ends_at is None else {"ends_at": ends_at}
    write_bundle(encoder, about, formats, folder / "bundle", events)
    return encoder.eval(), folder / "bundle"


def blocks(bundle: Path) -> dict[str, str]:
    """The code on a card by its heading."""
    found: dict[str, str] = {}
    for part in re.split(r"^##+ ", (bundle / "README.md").read_text(), flags=re.MULTILINE)[1:]:
        if "```python\n" in part:
            found[part.splitlines()[0]] = part.split("```python\n")[1].split("```")[0]
    return found


def inputs(bundle: Path) -> Tensor:
    config = json.loads((bundle / "config.json").read_text())
    frames = (config["clip_frames"],) if "clip_frames" in config else ()
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, *frames, config["image_size"], config["image_size"], generator=generator)


@pytest.fixture
def answers(monkeypatch):
    """What each piece of code on a card says of five images, by its heading, run next to the files."""
    torchvision_models()  # lets the card's own import of torchvision, and timm's, work beside a CPU build of torch

    def run(bundle: Path) -> dict[str, Tensor]:
        given = inputs(bundle)
        monkeypatch.chdir(bundle)
        monkeypatch.setattr(torch, "rand", lambda *_: given)
        monkeypatch.setattr(np.random, "rand", lambda *_: given.numpy())
        found = {}
        for heading, code in blocks(bundle).items():
            names: dict[str, object] = {}
            exec(code, names)  # the code is what is tested
            found[heading] = torch.as_tensor(names["features"])
        return found

    return run


def assert_close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-4


class TestFormats:
    def test_every_family_is_exported_here(self):
        assert {ENCODERS[name].family for name, _, _ in FAMILIES} == {info.family for info in ENCODERS.values()}

    @pytest.mark.parametrize(("name", "stem", "frames"), FAMILIES)
    def test_each_file_gives_what_was_trained_for_any_number(
        self, tmp_path: Path, shrunken, answers, monkeypatch, name: str, stem: str, frames: int | None
    ):
        recorder = Recorder()
        encoder, bundle = made(tmp_path, name, stem, frames, FORMATS, events=recorder)
        assert recorder.warnings == []
        if ENCODERS[name].family in SHRUNKEN:
            card = bundle / "README.md"  # torchvision's code on it is of the real network
            card.write_text("## With" + card.read_text().split("### With", 1)[1])
        found = answers(bundle)
        assert found.keys() >= {"With ONNX Runtime", "With torch alone"}
        with torch.no_grad():
            wanted = encoder(inputs(bundle))
        for features in found.values():
            assert_close(features, wanted)
        config = json.loads((bundle / "config.json").read_text())
        assert config["not_exported"] == {}
        assert config["export_differences"].keys() == {"encoder.safetensors", "encoder.onnx", "encoder.pt2"}
        assert max(config["export_differences"].values()) < 1e-5

    def test_the_same_encoder_gives_the_same_bytes_and_nothing_of_where_it_was_made(self, tmp_path: Path):
        first, second = (
            {path.name: path.read_bytes() for path in made(tmp_path / name, "tiny", "standard", None, FORMATS)[1].iterdir()}
            for name in "ab"
        )
        assert first == second
        assert not [name for name, content in first.items() if str(Path(__file__).parents[2]).encode() in content]

    def test_sums_are_those_of_the_files(self, tmp_path: Path):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=bundle, check=True, capture_output=True)
        assert len((bundle / "SHA256SUMS").read_text().splitlines()) == len(list(bundle.iterdir())) - 1

    def test_what_cannot_be_exported_is_left_out_and_told(self, tmp_path: Path, monkeypatch, capfd):
        class Moody(TinyNet):
            def forward(self, images: Tensor) -> Tensor:
                return super().forward(images) if images.mean() > 1e9 else super().forward(images) * 2

        monkeypatch.setitem(encoders._FAMILIES, "tiny", lambda *_: Moody())
        recorder = Recorder()
        _, bundle = made(tmp_path, "tiny", "standard", None, FORMATS, events=recorder)
        assert sorted(path.name for path in bundle.iterdir()) == ["README.md", "SHA256SUMS", "config.json", "encoder.safetensors"]
        assert len(recorder.warnings) == 2
        assert recorder.warnings[0].startswith("the bundle has no encoder.onnx: ")
        card = (bundle / "README.md").read_text()
        assert "There is no `encoder.onnx`: " in card
        assert "ONNX Runtime" not in card
        assert capfd.readouterr() == ("", "")


class TestTimm:
    @pytest.mark.parametrize(("name", "stem"), [("resnet18", "standard"), ("resnet18", "small"), ("vgg11_bn", "standard")])
    def test_loads_where_the_keys_are_its_own(self, tmp_path: Path, answers, name: str, stem: str):
        encoder, bundle = made(tmp_path, name, stem, None, [])
        with torch.no_grad():
            assert_close(answers(bundle)["With timm"], encoder(inputs(bundle)))

    @pytest.mark.parametrize(("name", "timms"), [("convnext_tiny", "convnext_tiny"), ("efficientnet_b0", "efficientnet_b0")])
    def test_is_not_offered_where_they_are_not(self, tmp_path: Path, name: str, timms: str):
        import timm

        encoder, bundle = made(tmp_path, name, "standard", None, [])
        assert "With timm" not in blocks(bundle)
        with pytest.raises(RuntimeError, match="Missing key"):
            timm.create_model(timms, num_classes=0).load_state_dict(encoder.weights(), strict=True)


class TestEnd:
    @pytest.mark.parametrize(("name", "stage", "frames", "formats"), ENDED)
    def test_the_features_are_the_mean_over_the_stages_map(
        self, tmp_path: Path, answers, name: str, stage: int, frames: int | None, formats: list[str]
    ):
        encoder, bundle = made(tmp_path, name, "standard", frames, formats, stage=stage)
        whole = build_encoder(ResolvedEncoder(name=name, stem="standard"), inputs(bundle).shape[-1], clips=frames is not None)
        whole.network.load_state_dict(encoder.weights())  # nothing is missing
        stage_name = ENCODERS[name].stages[stage]
        with torch.no_grad():
            wanted = whole.eval().stage_maps(inputs(bundle))[stage_name].flatten(2).mean(2)
        loaded, config = load_encoder(bundle)
        assert loaded.stage_names == ENCODERS[name].stages[: stage + 1]
        assert (config["ends_at"], config["features"], loaded.features) == (stage_name, wanted.shape[1], wanted.shape[1])
        with torch.no_grad():
            assert_close(loaded.eval()(inputs(bundle)), wanted)
        found = answers(bundle)
        assert len(found) == 1 + len(formats) + (ENCODERS[name].family == "resnet")
        for features in found.values():
            assert_close(features, wanted)

    def test_what_comes_after_it_is_not_in_the_programs(self, tmp_path: Path):
        _, bundle = made(tmp_path, "tiny", "standard", None, FORMATS, stage=1)
        sizes = {path.name: path.stat().st_size for path in bundle.iterdir()}
        assert sizes["encoder.safetensors"] > 900_000
        assert max(sizes["encoder.onnx"], sizes["encoder.pt2"]) < 200_000


class TestPlain:
    def test_a_name_is_only_a_name(self):
        shown = plain("a|b\n# c <script> `x` [y](z)")
        assert shown == "a\\|b \\# c \\<script\\> \\`x\\` \\[y\\](z)"
