import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from ssl_core.embed import embed, embed_stages
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.spec import ResolvedEncoder


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def encoder_of(name: str, stem: str = "standard") -> Encoder:
    torch.manual_seed(0)
    return build_encoder(ResolvedEncoder(name=name, stem=stem), 32)


class TestStages:
    @pytest.mark.parametrize(
        ("name", "stem", "widths"),
        [
            ("tiny", "standard", [32, 64, 128, 128]),
            ("resnet18", "small", [64, 128, 256, 512]),
            ("swin_t", "standard", [96, 192, 384, 768]),
            ("vit_b_16", "standard", [768] * 4),
        ],
    )
    def test_each_has_its_channels_whatever_the_layout_of_its_map(
        self, images: np.ndarray, name: str, stem: str, widths: list[int]
    ):
        encoder = encoder_of(name, stem)
        pooled = embed_stages(encoder, images[:2])
        assert [features.shape for features in pooled.values()] == [(2, width) for width in widths]
        assert all(features.dtype == np.float32 for features in pooled.values())
        parts = embed_stages(encoder, images[:2], grid=2)
        assert [features.shape for features in parts.values()] == [(2, 4 * width) for width in widths]
        first, first_parts = next(iter(pooled.values())), next(iter(parts.values()))
        assert np.allclose(first_parts.reshape(2, -1, 4).mean(2), first, atol=1e-5)

    def test_the_last_of_a_convolutional_network_is_what_the_encoder_gives(self, images: np.ndarray):
        encoder = encoder_of("tiny")
        assert np.allclose(embed_stages(encoder, images)["stage4"], embed(encoder, images), atol=1e-6)

    def test_do_not_depend_on_the_batch(self, images: np.ndarray):
        encoder = encoder_of("tiny")
        whole, parts = embed_stages(encoder, images), embed_stages(encoder, images, 2)
        assert all(np.allclose(whole[name], parts[name], atol=1e-5) for name in whole)

    def test_leave_the_encoder_and_its_statistics_as_they_are(self, images: np.ndarray):
        encoder = encoder_of("tiny")
        before = {name: value.clone() for name, value in encoder.state_dict().items()}
        embed_stages(encoder, images)
        assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


class TestShownAs:
    def test_an_encoder_that_knows_lightness_alone_is_shown_that(self, images: np.ndarray, monkeypatch: pytest.MonkeyPatch):
        color = ModuleType("ssl_core.color")

        def lightness(levels: Tensor) -> Tensor:
            return levels.float().mean(1, keepdim=True).repeat(1, 3, 1, 1)

        color.lightness = lightness
        monkeypatch.setitem(sys.modules, "ssl_core.color", color)
        encoder = encoder_of("tiny")
        assert not np.allclose(embed(encoder, images), embed(encoder, images, shown_as="lightness"), atol=1e-3)
        swapped = np.ascontiguousarray(images[..., ::-1])
        for shown in (embed, lambda *a, **k: embed_stages(*a, **k)["stage1"]):
            assert np.allclose(
                shown(encoder, images, shown_as="lightness"), shown(encoder, swapped, shown_as="lightness"), atol=1e-4
            )
