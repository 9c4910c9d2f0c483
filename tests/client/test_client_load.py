import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from pretext_client import CannotLoad, load
from pretext_client.cache import Cache
from pretext_client.loading import networks
from pretext_client.loading.pictures import levels

from ssl_core import encoders
from ssl_core.embed import embed
from ssl_core.encoders import build_encoder
from ssl_core.images import decode_square
from ssl_core.spec import ENCODERS, ResolvedEncoder
from tests.client.faults import answer
from tests.ssl_core import test_formats
from tests.ssl_core.test_formats import inputs, made

NETWORKS = [("tiny", "standard", None, None), ("resnet18", "small", None, 2), ("mobilenet_v3_small", "small", None, None)]
NETWORKS += [("tiny3d", "standard", 4, None), ("tiny", "standard", 4, 1), ("tiny3d", "standard", 4, 2)]
NETWORKS += [("vit_b_16", "standard", None, 1), ("swin_t", "standard", None, 1), ("convnext_tiny", "standard", None, 1)]


MOBILE = ResolvedEncoder(name="mobilenet_v3_small", stem="small")
PLAIN = ResolvedEncoder(name="x", stem="standard")
shrunken = test_formats.shrunken


@pytest.fixture
def smaller(request, monkeypatch):
    """A few blocks in place of the largest networks, on both sides."""
    request.getfixturevalue("shrunken")
    monkeypatch.setitem(encoders._FAMILIES, "vit", vit)
    for family in ("vit", "swin", "convnext", "mobilenet"):
        of = MOBILE if family == "mobilenet" else PLAIN
        monkeypatch.setitem(networks._FAMILIES, family, lambda *a, make=encoders._FAMILIES[family], of=of: make(of, a[2]))


def vit(_spec: ResolvedEncoder, size: int):
    network = networks.torchvision_models().VisionTransformer(size, 16, num_layers=6, num_heads=2, hidden_dim=32, mlp_dim=64)
    network.heads = torch.nn.Identity()
    return network


def same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


class TestNetworks:
    @pytest.mark.parametrize("stem", ["standard", "small"])
    @pytest.mark.parametrize("name", [name for name in ENCODERS if not name.startswith("tiny")])
    def test_are_those_that_the_server_trains(self, name, stem):
        if stem == "small" and not ENCODERS[name].small_stem:
            pytest.skip("it has no such stem")
        networks.torchvision_models()
        size = 224 if stem == "standard" else 32
        with torch.device("cpu" if name.startswith("regnet") else "meta"):  # RegNet's weights cannot be drawn without numbers
            ours = networks.build({"encoder": {"name": name, "stem": stem}, "image_size": size}, "torchvision")
            theirs = build_encoder(ResolvedEncoder(name=name, stem=stem), size).network
        assert str(ours) == str(theirs)
        assert {key: x.shape for key, x in ours.state_dict().items()} == {key: x.shape for key, x in theirs.state_dict().items()}


class TestFeatures:
    @pytest.mark.parametrize(("name", "stem", "frames", "stage"), NETWORKS)
    def test_are_those_of_the_bundle(self, smaller, tmp_path, name, stem, frames, stage):
        encoder, bundle = made(tmp_path, name, stem, frames, [], stage=stage)
        network = load(bundle)
        with torch.no_grad():
            assert same(network(inputs(bundle)), encoder(inputs(bundle)))
        assert (network.via, network.training, network.features) == ("torchvision", False, encoder.features)

    @pytest.mark.parametrize(("name", "via"), [("resnet18", "timm"), ("tiny", "pt2")])
    def test_are_the_same_by_other_ways(self, tmp_path, name, via):
        networks.torchvision_models()  # timm imports torchvision, too
        encoder, bundle = made(tmp_path, name, "standard", None, ["pt2"] if via == "pt2" else [])
        with torch.no_grad():
            assert same(load(bundle, via=via)(inputs(bundle)), encoder(inputs(bundle)))

    def test_can_be_trained_on(self, tmp_path):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        network = load(bundle).train()
        network(inputs(bundle)).sum().backward()
        assert all(each.grad is not None for each in network.parameters())


def png(image: Image.Image, format_: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, len(mode)), np.uint8)
    return Image.fromarray(noise.squeeze(), mode if len(mode) > 1 else None)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return png(picture(90, 60), "JPEG", exif=exif)


class TestPreprocess:
    @pytest.mark.parametrize(
        "content",
        [
            png(picture(50, 40)),
            png(picture(200, 333), "JPEG"),
            turned(),
            png(picture(40, 40, "RGBA")),
            png(picture(40, 30, "L")),
            png(picture(40, 30, "LA")),
            png(picture(64, 32).quantize(8)),
            png(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50)),
            png(picture(32, 32)),
        ],
        ids=["png", "jpeg", "turned", "rgba", "grey", "grey-alpha", "palette", "16-bit", "no-scaling"],
    )
    def test_shows_what_the_server_shows(self, content):
        assert np.array_equal(levels(content, 32), decode_square(content, 32))

    def test_normalises_as_the_server_does(self, tmp_path):
        encoder, bundle = made(tmp_path, "tiny", "standard", None, [])
        file = tmp_path / "a.png"
        file.write_bytes(png(picture(50, 40)))
        shown = decode_square(file.read_bytes(), 32)[None].copy()
        network = load(bundle)
        assert same(network.embed([file, Image.open(file)]), torch.from_numpy(embed(encoder, shown)).expand(2, -1))

    def test_shows_lightness_alone_to_one_that_has_learned_so(self, tmp_path):
        encoder, bundle = made(tmp_path, "tiny", "standard", None, [])
        config = json.loads((bundle / "config.json").read_text())
        config["preprocessing"]["color"] = "CIE L*"
        (bundle / "config.json").write_text(json.dumps(config))
        (bundle / "SHA256SUMS").unlink()
        content = png(picture(50, 40))
        shown = decode_square(content, 32)[None].copy()
        expected = embed(encoder, shown, shown_as="lightness")
        assert same(load(bundle).embed([content]), torch.from_numpy(expected))
        assert not np.array_equal(expected, embed(encoder, shown))

    def test_takes_the_frames_of_a_clip(self, tmp_path):
        _, bundle = made(tmp_path, "tiny3d", "standard", 4, [])
        network = load(bundle)
        assert network.preprocess([picture(50, 40)] * 4).shape == (3, 4, 32, 32)
        with pytest.raises(CannotLoad, match="list of 4 frames"):
            network.preprocess(png(picture(9, 9)))

    @pytest.mark.parametrize("wrong", [b"text", "/nowhere.png"])
    def test_says_what_is_no_image(self, tmp_path, wrong):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        with pytest.raises(CannotLoad, match="no image"):
            load(bundle).preprocess(wrong)


class TestRefusals:
    def test_weights_that_were_changed(self, tmp_path):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        weights = bundle / "encoder.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
        with pytest.raises(CannotLoad, match="not what SHA256SUMS says"):
            load(bundle)

    def test_weights_of_something_else(self, tmp_path):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        config = json.loads((bundle / "config.json").read_text())
        config["encoder"]["name"] = "resnet18"
        (bundle / "config.json").write_text(json.dumps(config))
        (bundle / "SHA256SUMS").unlink()
        with pytest.raises(CannotLoad, match="not those of resnet18"):
            load(bundle)

    def test_ways_that_there_are_not(self, tmp_path):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        for via, told in (("pickle", "choose one of"), ("pt2", "pretext export"), ("timm", "other key names")):
            with pytest.raises(CannotLoad, match=told):
                load(bundle, via=via)
        with pytest.raises(CannotLoad, match="no folder of a model"):
            load(tmp_path)

    def test_says_what_to_install(self, tmp_path):
        _, bundle = made(tmp_path, "tiny", "standard", None, [])
        code = (
            "import sys, importlib.machinery as m\nfind = m.PathFinder.find_spec\n"
            "m.PathFinder.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
            f"import pretext_client\ntry: pretext_client.load({str(bundle)!r})\nexcept pretext_client.CannotLoad as e: print(e)"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ended.stdout == "loading an encoder takes PyTorch: pip install 'pretext-client[torch]'\n"

    def test_the_client_itself_needs_no_torch(self):
        code = "import sys, pretext_client.cli; from pretext_client import AsyncPretext; print('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.fixture
def served(script, tmp_path):
    """A model of the server's, with the files of a bundle."""
    encoder, bundle = made(tmp_path, "tiny", "standard", None, [])
    files = []
    for path in sorted(bundle.iterdir()):
        digest = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]
        files.append({"name": path.name, "bytes": path.stat().st_size, "sha256": digest})
        script.on("GET", f"/v1/models/model_1/files/{path.name}", answer(path.read_bytes()))
    record = {"id": "model_1", "name": "tiny", "created_at": "2026-11-02T10:00:00Z", "files": files}
    script.on("GET", "/v1/models/model_1", answer(record))
    return encoder, bundle


class TestOfAServer:
    def test_is_fetched_once(self, script, client, served, tmp_path):
        encoder, bundle = served
        seen: list[tuple[int, int]] = []
        model = client.models.get("model_1")
        for _ in range(2):
            network = model.load(cache=tmp_path / "cache", on_progress=lambda here, whole: seen.append((here, whole)))
            with torch.no_grad():
                assert same(network(inputs(bundle)), encoder(inputs(bundle)))
        fetched = [one.path.rpartition("/")[2] for one in script.seen if "/files/" in one.path]
        assert fetched == ["config.json", "encoder.safetensors"]
        size = (bundle / "encoder.safetensors").stat().st_size
        assert seen[-1] == (size, size)

    def test_is_fetched_again_where_it_was_damaged(self, script, client, served, tmp_path):
        client.models.load("model_1", cache=tmp_path / "cache")
        (weights,) = (tmp_path / "cache").glob("files/*/encoder.safetensors")
        content = weights.read_bytes()
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        client.models.load("model_1", cache=tmp_path / "cache")
        assert weights.read_bytes() == content

    def test_lies_in_the_users_cache(self, client, served, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        client.models.load("model_1")
        assert list((tmp_path / "xdg" / "pretext" / "files").glob("*/encoder.safetensors"))


class TestCache:
    def filled(self, tmp_path, most: int) -> Cache:
        cache = Cache(tmp_path, most)
        for number, name in enumerate("abc"):
            (cache.place(name) / "file").write_bytes(bytes(100))
            for path in (cache.place(name) / "file", cache.place(name)):
                os.utime(path, (number + 1, number + 1))
        return cache

    def left(self, tmp_path) -> list[str]:
        return sorted(path.name for path in (tmp_path / "files").iterdir())

    def test_lets_go_what_was_used_longest_ago(self, tmp_path):
        self.filled(tmp_path, 250).make_room(set())
        assert self.left(tmp_path) == ["b", "c"]

    def test_keeps_what_is_used_now(self, tmp_path):
        self.filled(tmp_path, 0).make_room({"a"})
        assert self.left(tmp_path) == ["a"]

    def test_keeps_everything_within_the_bound(self, tmp_path):
        self.filled(tmp_path, 300).make_room(set())
        assert self.left(tmp_path) == ["a", "b", "c"]
