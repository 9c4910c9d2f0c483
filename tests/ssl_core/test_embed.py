import numpy as np
import pytest
import torch

from ssl_core.augment import Normalize
from ssl_core.color import lightness
from ssl_core.embed import embed, embed_stages, inputs
from ssl_core.encoders import Encoder, build_encoder
from ssl_core.spec import ResolvedEncoder
from tests.ssl_core.task_tools import films


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
    def test_an_encoder_that_knows_lightness_alone_is_shown_that(self, images: np.ndarray):
        encoder = encoder_of("tiny")
        assert not np.allclose(embed(encoder, images), embed(encoder, images, shown_as="lightness"), atol=1e-3)
        (shown,) = inputs(encoder, images, 8, "lightness")
        normalize = Normalize()
        levels = (shown - normalize.shift.view(3, 1, 1)) / normalize.scale.view(3, 1, 1)
        assert torch.allclose(levels, lightness(torch.from_numpy(images).permute(0, 3, 1, 2)), atol=1e-2)
        assert torch.allclose(levels[:, :1].expand_as(levels), levels, atol=1e-2)


class TestClips:
    @pytest.mark.parametrize(("name", "widths"), [("tiny3d", [16, 32, 64, 128]), ("tiny", [32, 64, 128, 128])])
    def test_have_features_after_each_stage(self, name: str, widths: list[int]):
        clips = films(3, 32, 8)
        torch.manual_seed(0)
        encoder = build_encoder(ResolvedEncoder(name=name, stem="standard"), 32, clips=True)
        pooled, parts = embed_stages(encoder, clips), embed_stages(encoder, clips, grid=2)
        assert [features.shape for features in pooled.values()] == [(3, width) for width in widths]
        assert [features.shape for features in parts.values()] == [(3, 4 * width) for width in widths]
        assert np.allclose(pooled["stage4"], embed(encoder, clips, 2), atol=1e-5)

    def test_the_order_of_frames_is_seen_by_encoders_of_clips_alone(self):
        clips = films(8, 32, 8)
        shuffled = np.stack([clip[np.random.default_rng(number).permutation(8)] for number, clip in enumerate(clips)])
        changes = []
        for name in ("tiny3d", "tiny"):
            torch.manual_seed(0)
            encoder = build_encoder(ResolvedEncoder(name=name, stem="standard"), 32, clips=True)
            before, after = embed(encoder, clips), embed(encoder, shuffled)
            changes.append(np.abs(before - after).max() / np.abs(before).max())
        assert changes[0] > 0.05
        assert changes[1] < 1e-5
