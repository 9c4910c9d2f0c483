import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_core.clips import ClipSettings, clip_table, segments_of
from ssl_core.spec.clips import clips_in, clips_of, rounded_length


class TestRoundedLength:
    @pytest.mark.parametrize(("frames", "rounded"), [(1, 1), (16, 16), (99, 99), (137, 130), (1999, 1900), (1_000_000, 1_000_000)])
    def test_keeps_two_digits(self, frames: int, rounded: int):
        assert rounded_length(frames) == rounded


class TestClips:
    @given(
        st.lists(st.integers(1, 3000), min_size=1, max_size=6),
        st.integers(2, 40),
        st.integers(1, 8),
        st.none() | st.integers(1, 9),
    )
    def test_windows_lie_in_their_videos_beside_each_other(self, lengths: list[int], frames: int, stride: int, most: int | None):
        settings = ClipSettings(frames, stride, most)
        videos = [segments_of(length, settings) for length in lengths]
        table = clip_table(videos, settings)
        rounded = [(rounded_length(length), 1) for length in lengths]
        assert len(table) == clips_of(rounded, frames, stride, most) == sum(clips_in(n, frames, stride, most) for n in lengths)
        ends = np.cumsum([sum(segment.frames for segment in segments) for segments in videos])
        begins = np.concatenate([[0], ends[:-1]])
        assert (table.choices >= 1).all()
        assert (table.strides >= 1).all()
        assert (table.lowest >= begins[table.videos]).all()
        last = table.lowest + table.choices - 1 + (frames - 1) * table.strides
        assert (last < ends[table.videos]).all()
        order = np.lexsort((table.lowest, table.videos))
        same = table.videos[order][1:] == table.videos[order][:-1]
        assert (table.lowest[order][1:] >= (table.lowest + table.choices)[order][:-1])[same].all()

    def test_a_short_video_is_one_clip_of_closer_frames(self):
        table = clip_table([segments_of(10, ClipSettings(8, 4))], ClipSettings(8, 4))
        assert (len(table), table.strides[0], table.choices[0]) == (1, 1, 3)

    def test_one_with_too_few_frames_is_none(self):
        assert clips_in(7, 8, 1) == 0
        assert len(clip_table([segments_of(7, ClipSettings(8, 1))], ClipSettings(8, 1))) == 0
