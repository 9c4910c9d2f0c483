import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ssl_core.embed import embed, load_encoder
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.errors import UserError
from ssl_core.spec import ResolvedEncoder
from ssl_core.vision import torchvision_models
from ssl_core.weights import load_weights


class Told:
    """Keeps the messages of events."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def emit(self, type_: str, **fields: object) -> None:
        self.messages.append(str(fields["message"]))


def encoder(name: str = "tiny", seed: int = 0, stem: str = "standard", size: int = 64) -> Encoder:
    torch.manual_seed(seed)
    return build_encoder(ResolvedEncoder.model_validate({"name": name, "stem": stem}), size)


def saved(network: nn.Module, path: Path, **changes: torch.Tensor | None) -> Path:
    """The weights of a network in a file, some of them changed or, with None, left out; `__` stands for a dot."""
    weights = dict(network.state_dict())
    for name, value in changes.items():
        weights.pop(name.replace("__", "."), None)
        if value is not None:
            weights[name.replace("__", ".")] = value
    save_file({name: value.contiguous() for name, value in weights.items()}, path)
    return path


class TestLoadWeights:
    def test_gives_the_same_features(self, tmp_path: Path):
        source, target = encoder(seed=1), encoder(seed=2)
        load_weights(target, saved(source.network, tmp_path / "w.safetensors"), told := Told())
        images = torch.randn(2, 3, 64, 64)
        assert torch.equal(source.eval()(images), target.eval()(images))
        assert told.messages == ["begins with the weights of w.safetensors"]

    @pytest.mark.parametrize(
        ("name", "classifier"),
        [
            ("resnet18", "fc.bias, fc.weight"),
            ("mobilenet_v3_small", "classifier.0.bias"),
            ("convnext_tiny", "classifier.2.bias, classifier.2.weight"),
            ("vit_b_16", "heads.head.bias"),
            ("swin_t", "head.bias, head.weight"),
            ("alexnet", "classifier.1.bias"),
            ("regnet_y_400mf", "fc.bias, fc.weight"),
        ],
    )
    def test_takes_torchvisions_own_files_and_passes_over_the_classifier(self, tmp_path: Path, name: str, classifier: str):
        torch.manual_seed(1)
        network = torchvision_models().get_model(name, weights=None)
        target = encoder(name, size=224)
        load_weights(target, saved(network, tmp_path / "w.safetensors"), told := Told())
        assert f"passed over its classifier: {classifier}" in told.messages[0]
        assert all(torch.equal(value, network.state_dict()[key]) for key, value in target.weights().items())

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
    def test_takes_any_precision_and_files_without_counters(self, tmp_path: Path, kind: torch.dtype):
        source, target = encoder(seed=1), encoder(seed=2)
        halved = {name: value.to(kind) for name, value in source.weights().items() if not name.endswith("num_batches_tracked")}
        save_file(halved, tmp_path / "w.safetensors")
        load_weights(target, tmp_path / "w.safetensors", Told())
        assert all(value.dtype == torch.float32 for value in target.parameters())
        assert all(torch.equal(target.weights()[name], value.float()) for name, value in halved.items())

    def test_an_uploaded_model_can_be_used_as_a_bundle_is(self, tmp_path: Path):
        torch.manual_seed(1)
        network = torchvision_models().get_model("resnet18", weights=None)
        saved(network, tmp_path / "encoder.safetensors")
        config = {"encoder": {"name": "resnet18", "stem": "standard"}, "features": 512, "image_size": 64}
        (tmp_path / "config.json").write_text(json.dumps(config))
        loaded, _ = load_encoder(tmp_path)
        assert embed(loaded, np.zeros((2, 64, 64, 3), np.uint8)).shape == (2, 512)
        assert torch.equal(loaded.weights()["conv1.weight"], network.conv1.weight)


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"stage1__0__weight": None}, "missing: stage1.0.weight"),
            ({"other": torch.zeros(1)}, "unexpected: other"),
            ({"stage1__0__weight": torch.zeros(32, 1, 3, 3)}, "of another shape: stage1.0.weight 32x1x3x3 instead of 32x3x3x3"),
        ],
    )
    def test_name_what_does_not_fit(self, tmp_path: Path, change: dict, says: str):
        target = encoder(seed=2)
        before = {name: value.clone() for name, value in target.weights().items()}
        with pytest.raises(UserError) as caught:
            load_weights(target, saved(encoder(seed=1).network, tmp_path / "w.safetensors", **change), Told())
        assert caught.value.code == "weights_do_not_fit"
        assert says in str(caught.value)
        assert all(torch.equal(before[name], value) for name, value in target.weights().items())

    def test_of_another_encoder_show_the_first_names_alone(self, tmp_path: Path):
        with pytest.raises(UserError) as caught:
            load_weights(encoder("resnet18"), saved(encoder().network, tmp_path / "w.safetensors"), Told())
        assert "missing: conv1.weight, bn1.weight, bn1.bias and 97 more" in str(caught.value)
        assert len(str(caught.value)) < 400

    def test_another_stem_does_not_fit(self, tmp_path: Path):
        path = saved(encoder("resnet18", stem="small").network, tmp_path / "w.safetensors")
        with pytest.raises(UserError, match=r"conv1\.weight 64x3x3x3 instead of 64x3x7x7"):
            load_weights(encoder("resnet18"), path, Told())

    def test_values_that_are_not_finite(self, tmp_path: Path):
        path = saved(encoder().network, tmp_path / "w.safetensors", stage1__1__bias=torch.full((32,), torch.nan))
        with pytest.raises(UserError, match=r"not finite, in stage1\.1\.bias"):
            load_weights(encoder(), path, Told())

    @pytest.mark.parametrize("content", [b"", b"no weights", None])
    def test_what_is_no_file_of_weights(self, tmp_path: Path, content: bytes | None):
        if content is not None:
            (tmp_path / "w.safetensors").write_bytes(content)
        with pytest.raises(UserError) as caught:
            load_weights(encoder(), tmp_path / "w.safetensors", Told())
        assert caught.value.code == "weights_unreadable"
