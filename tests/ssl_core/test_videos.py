import io

import numpy as np
import pytest
from PIL import Image

from ssl_core.images import ImageError
from ssl_core.videos import Grid, decode_segments, inspect_video, is_video, kind_of
from tests.factories import png
from tests.videos import animation, left_of, moving, sound, turned, video

VARYING = [40 * number for number in range(10)] + [400 + 120 * number for number in range(10)]


def decoded(content: bytes, *segments: tuple[int, int], size: int = 48) -> np.ndarray:
    facts, _ = inspect_video(content)
    segments = segments or ((0, facts.frames),)
    into = np.zeros((sum(count for _, count in segments), size, size, 3), np.uint8)
    decode_segments(io.BytesIO(content), Grid(facts.frames, facts.rate, facts.variable), segments, size, into)
    return into


def refusal(content: bytes, **limits: int) -> str:
    with pytest.raises(ImageError) as error:
        inspect_video(content, **limits)
    return error.value.code


class TestKinds:
    @pytest.mark.parametrize(
        ("container", "codec", "pixels", "kind"),
        [
            ("mp4", "libx264", "yuv420p", "mov"),
            ("mov", "mjpeg", "yuvj420p", "mov"),
            ("webm", "libvpx-vp9", "yuv420p", "matroska"),
            ("matroska", "ffv1", "bgr0", "matroska"),
            ("avi", "mpeg4", "yuv420p", "avi"),
        ],
    )
    def test_each_container_gives_its_frames(self, container: str, codec: str, pixels: str, kind: str):
        content = video(container=container, codec=codec, pixels=pixels)
        assert kind_of(content[:64]) == kind
        assert is_video(content)
        facts, _ = inspect_video(content)
        assert (facts.width, facts.height, facts.frames, facts.rate, facts.variable) == (64, 48, 20, 25.0, False)
        assert not facts.cut_off
        wanted = moving()[:, :, 8:56]
        assert np.abs(decoded(content).astype(int) - wanted).mean() < 12

    @pytest.mark.parametrize("kind", ["GIF", "WEBP"])
    def test_animations_are_videos_and_stills_are_not(self, kind: str):
        assert is_video(animation(kind=kind))
        assert inspect_video(animation(kind=kind))[0][2:6] == (64, 48, 20, pytest.approx(25))
        still = io.BytesIO()
        Image.new("RGB", (8, 8)).save(still, kind)
        assert not is_video(still.getvalue())
        assert not is_video(png())

    @pytest.mark.parametrize(
        ("magic", "name"),
        [(b"\x00\x00\x01\xba", "MPEG program"), (b"FLV\x01", "Flash"), (b"OggS", "Ogg"), (b"hello", "known format")],
    )
    def test_other_kinds_are_named(self, magic: bytes, name: str):
        with pytest.raises(ImageError, match=name):
            inspect_video(magic + bytes(100))

    def test_a_heif_picture_is_no_video(self):
        assert kind_of(b"\x00\x00\x00\x18ftypheic" + bytes(20)) is None


class TestRefusals:
    def test_sound_alone(self):
        assert refusal(sound()) == "no_video"

    def test_one_frame(self):
        assert refusal(video(moving(1))) == "single_frame"

    def test_an_empty_file(self):
        assert refusal(b"") == "empty_file"

    def test_one_whose_header_is_cut_off(self):
        content = video()
        assert refusal(content[: len(content) // 2]) == "truncated"

    def test_too_large_frames(self):
        assert refusal(video(), max_pixels=1000) == "too_many_pixels"

    def test_too_many_frames(self):
        assert refusal(video(), max_frames=10) == "too_many_frames"
        assert inspect_video(video(), max_frames=20)[0].frames == 20

    def test_one_that_is_cut_off_later_is_taken_as_far_as_it_goes(self):
        content = video(moving(200), movflags="faststart")
        facts, _ = inspect_video(content[: len(content) * 2 // 3])
        assert facts.cut_off
        assert 20 < facts.frames < 190
        pixels = decoded(content[: len(content) * 2 // 3])
        assert np.abs(pixels.astype(int) - decoded(content, (0, facts.frames))).mean() < 1

    def test_noise_behind_a_header_is_an_error_of_the_file(self):
        draws = np.random.default_rng(0)
        content = bytearray(video(container="matroska"))
        for _ in range(30):
            broken = bytearray(content)
            for place in draws.integers(0, len(broken), 40):
                broken[place] = draws.integers(256)
            try:
                inspect_video(bytes(broken))
            except ImageError:
                continue


class TestSizes:
    def test_a_phone_held_on_its_side(self):
        content = turned(video(), 64, 48)
        facts, _ = inspect_video(content)
        assert (facts.width, facts.height) == (48, 64)
        (frame,) = decoded(content, (10, 1))
        # What is at the top of the stored frame is at the right of the screen.
        bright = np.argwhere(frame.astype(int).sum(2) > 500).mean(0)
        assert bright[1] == pytest.approx(47 - 8.5, abs=1.5)
        assert bright[0] == pytest.approx(27 + 4.5 - 8, abs=1.5)

    def test_odd_sizes(self):
        content = video(moving(5, 37, 51), container="matroska", codec="ffv1", pixels="bgr0")
        assert inspect_video(content)[0][2:4] == (51, 37)
        assert decoded(content, size=24).shape == (5, 24, 24, 3)


class TestTimes:
    @pytest.mark.parametrize("container", ["matroska", "mp4"])
    def test_frames_that_vary_are_put_on_an_even_grid(self, container: str):
        content = video(container=container, times=VARYING)
        facts, _ = inspect_video(content)
        assert facts.variable
        assert facts.rate == pytest.approx(19 / 1.48, rel=0.01)
        pixels = decoded(content)
        for place, frame in enumerate(pixels):
            shown = max(
                number for number, time in enumerate(VARYING) if time <= place / facts.rate * 1000 + 0.3 * 1000 / facts.rate
            )
            assert left_of(frame) == pytest.approx(max(0, shown * 54 // 20 - 8), abs=4)

    @pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mov"])
    @pytest.mark.parametrize("times", [None, VARYING], ids=["even", "varying"])
    def test_pieces_are_those_of_the_whole(self, container: str, times: list[int] | None):
        if container == "avi" and times:
            pytest.skip("AVI has no times")
        codec = "mpeg4" if container == "avi" else "libx264"
        content = video(moving(20), container=container, codec=codec, times=times, group=6)
        whole = decoded(content)
        for first in range(0, 17, 2):
            assert (decoded(content, (first, 3)) == whole[first : first + 3]).all()
        assert (decoded(content, (3, 4), (9, 5), (17, 3)) == np.concatenate([whole[3:7], whole[9:14], whole[17:20]])).all()

    def test_pieces_of_a_stream_in_fragments(self):
        content = video(moving(40), movflags="frag_keyframe+empty_moov")
        assert (decoded(content, (33, 5)) == decoded(content)[33:38]).all()

    def test_seeking_spares_what_lies_between(self, monkeypatch: pytest.MonkeyPatch):
        from ssl_core import videos

        content = video(moving(400), group=10)
        shown = []
        make = videos._Shape.__init__
        monkeypatch.setattr(videos._Shape, "__init__", lambda self, frame: (shown.append(frame.pts), make(self, frame))[1])
        into = np.zeros((4, 16, 16, 3), np.uint8)
        decode_segments(content, Grid(400, 25.0, False), [(350, 4)], 16, into)
        assert len(shown) < 80


class TestPreview:
    def test_moves_and_is_small(self):
        _, preview = inspect_video(video(moving(100)))
        with Image.open(io.BytesIO(preview)) as image:
            assert image.format == "WEBP"
            assert 2 <= image.n_frames <= 12
            assert max(image.size) == 128
