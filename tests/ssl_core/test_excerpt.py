import io
from pathlib import Path

import numpy as np
import pytest

from ssl_core.clips import ClipSettings
from ssl_core.decoding import Decoder
from ssl_core.errors import UserError
from ssl_core.events import TextEvents
from ssl_core.excerpt import excerpt
from ssl_core.images import decode_square
from ssl_core.ingest import run_ingest
from ssl_core.process import StopRequest
from tests.factories import png, zip_of
from tests.videos import left_of, moving, video


@pytest.fixture
def ingested(tmp_path: Path):
    """Shards of an upload with these members."""

    def ingest(members: dict[str, bytes]) -> list[Path]:
        run_ingest(zip_of(tmp_path / "a.zip", members), tmp_path / "shards", TextEvents(io.StringIO()), StopRequest())
        return sorted((tmp_path / "shards").glob("*.parquet"))

    return ingest


class TestImages:
    def test_are_spread_over_the_dataset_and_decoded_as_for_a_training(self, ingested):
        shards = ingested({f"{number:02}.png": png(20, number) for number in range(16)})
        found = excerpt(shards, 12, 4)
        assert np.array_equal(found, np.stack([decode_square(png(20, number), 12) for number in (2, 6, 10, 14)]))

    def test_are_all_there_are_if_there_are_fewer(self, ingested):
        assert excerpt(ingested({"a.png": png(20, 0), "b.png": png(20, 1)}), 8, 4).shape == (2, 8, 8, 3)


class TestClips:
    def test_come_from_the_middle_those_that_move_first(self, ingested):
        still = np.repeat(moving(1), 40, 0)
        still[::2] ^= 1  # frames that differ, by next to nothing
        shards = ingested({"a.mp4": video(still), "b.mp4": video(moving(40)), "c.mp4": video(moving(5))})
        found = excerpt(shards, 48, 4, ClipSettings(frames=8, stride=2))
        assert found.shape == (2, 8, 48, 48, 3)  # the third is too short
        places = [left_of(frame) for frame in found[0]]
        assert places == sorted(places)
        assert places[0] > 0
        assert places[-1] > places[0]
        assert np.ptp(found[1].astype(int), axis=0).max() < 40

    def test_of_videos_that_are_all_too_short_are_refused(self, ingested):
        with pytest.raises(UserError, match="no video of the dataset has the 64 frames"):
            excerpt(ingested({"a.mp4": video()}), 16, 4, ClipSettings(frames=64, stride=1))


class TestDecoder:
    def test_tells_in_its_own_process_what_is_wrong(self, ingested, tmp_path: Path):
        shards = ingested({"a.png": png(20, 0), "b.png": png(20, 1)})
        decoder = Decoder()
        try:
            assert decoder.excerpt(shards, 8, 4, None).shape == (2, 8, 8, 3)
            with pytest.raises(UserError, match="no readable Parquet"):
                decoder.excerpt([tmp_path / "gone.parquet"], 8, 4, None)
        finally:
            decoder.close()
