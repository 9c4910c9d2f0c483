"""What every registered pretext task shows of a dataset before anything is trained."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ssl_core.encoders import build_encoder
from ssl_core.pictures import Panel
from ssl_core.pretext import build_task
from ssl_core.pretext.base import SEEN
from ssl_core.preview import preview
from ssl_core.spec import TASKS
from tests.ssl_core.task_tools import batch_of, samples_of, spec_of

every_task = pytest.mark.parametrize("name", TASKS)


def panels_of(name: str, samples: np.ndarray, side: int = 32, **asked: object) -> tuple[Panel, ...]:
    spec = spec_of(name, size=side, **asked)
    torch.manual_seed(0)
    with torch.device("meta"):
        encoder = build_encoder(spec.encoder, side, clips=spec.clip_frames is not None)
    with torch.no_grad():
        return build_task(spec, encoder).eval().preview(batch_of(samples, len(samples)))


def seen_in(panels: tuple[Panel, ...]) -> Panel:
    return next(panel for panel in panels if panel.title.startswith(SEEN))


@every_task
class TestEveryTask:
    @pytest.mark.parametrize("side", [32, 96])
    def test_is_a_small_picture_that_is_not_blank_and_the_same_each_time(self, name: str, side: int):
        spec = spec_of(name, size=side)
        samples = samples_of(name, 4, spec.task.decode_size(side))
        content = preview(spec, samples)
        assert preview(spec, samples) == content
        assert len(content) < 100_000
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.width) == ("WEBP", 560)
            assert 150 <= image.height <= 600
            assert np.asarray(image.convert("L")).std() > 20

    def test_every_panel_shows_something_under_a_title(self, name: str):
        panels = panels_of(name, samples_of(name, 4, 32))
        assert len(panels) in {2, 3}
        for panel in panels:
            assert panel.title
            assert panel.images.dtype == np.uint8
            assert panel.images.shape[-1] == 3
            assert len(panel.notes) in {0, len(panel.images)}
            assert (panel.images.reshape(len(panel.images), -1).std(1) > 3).all()

    def test_what_is_seen_is_not_the_plain_image(self, name: str):
        samples = samples_of(name, 4, 32)
        seen = seen_in(panels_of(name, samples)).images
        frames = samples.reshape(-1, *samples.shape[-3:])
        plain = {one.tobytes() for frame in frames for one in (frame, frame[:, ::-1])}
        assert [one for one in seen.reshape(-1, *seen.shape[-3:]) if one.tobytes() not in plain]

    def test_fewer_samples_than_it_would_show_are_enough(self, name: str):
        assert panels_of(name, samples_of(name, 2, 32))

    def test_is_told_in_words(self, name: str):
        assert TASKS[name].preview.endswith(".")
        assert len(TASKS[name].preview) < 240


class TestWhatIsRight:
    @pytest.mark.parametrize("name", ["rotation", "video_rotation"])
    def test_images_are_turned_by_what_is_said(self, name: str):
        upright, shown = panels_of(name, samples_of(name, 4, 32))
        for image, turned, note in zip(upright.images, shown.images, shown.notes, strict=True):
            degrees = 0 if note == "not turned" else int(note.removeprefix("turned by ").removesuffix("°"))
            assert np.array_equal(np.rot90(image, degrees // 90, (-3, -2)), turned)

    def test_grey_is_what_is_painted(self):
        shown, wanted = panels_of("colorization", samples_of("colorization", 4, 32))
        assert np.ptp(shown.images, axis=3).max() <= 1
        assert np.ptp(wanted.images.astype(int), axis=3).max() > 50

    @pytest.mark.parametrize("name", ["inpainting", "simmim"])
    def test_all_but_what_is_hidden_is_shown(self, name: str):
        shown, wanted = panels_of(name, samples_of(name, 4, 32))
        other = (np.abs(shown.images.astype(int) - wanted.images).max(3) > 1).mean()
        assert 0.1 < other < 0.7
        hidden = np.abs(shown.images.astype(int) - wanted.images).max(3) > 1
        assert len(np.unique(shown.images[hidden])) <= 2

    def test_pieces_come_back_in_order(self):
        shown, right = panels_of("clip_order", samples_of("clip_order", 4, 32))
        assert shown.notes != right.notes
        for note, piece in zip(shown.notes, shown.images, strict=True):
            assert np.array_equal(piece, right.images[right.notes.index(note)])

    def test_frames_of_real_clips_are_shuffled_unless_that_is_not_asked(self):
        samples = samples_of("video_gan", 4, 32)
        assert len(panels_of("video_gan", samples)) == 3
        assert len(panels_of("video_gan", samples, shuffled=False)) == 2
