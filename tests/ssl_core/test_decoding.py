import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from ssl_core import decoding
from ssl_core.decoding import Decoder
from ssl_core.images import decode_square
from tests.factories import png


class TestDecoder:
    @pytest.fixture
    def decoder(self) -> Iterator[Decoder]:
        decoder = Decoder()
        yield decoder
        decoder.close()

    def test_gives_what_a_dataset_has_and_says_what_is_no_image(self, decoder: Decoder):
        image = png(50, mode="RGBA")
        first, second, third = decoder.run([image, b"a poem", b""], 32)
        assert np.array_equal(first, decode_square(image, 32))
        assert "not an image of a known format" in second
        assert third == "the file is empty"

    def test_one_that_ends_the_process_costs_itself_alone(self, decoder: Decoder, monkeypatch: pytest.MonkeyPatch):
        image = png(32)
        monkeypatch.setattr(decoding, "_decode_all", _decode_or_die)
        assert [isinstance(one, str) for one in decoder.run([image, b"kill", image], 32)] == [False, True, False]


def _decode_or_die(contents: list[bytes], size: int) -> list[np.ndarray]:
    """In the process that decodes."""
    if b"kill" in contents:
        os.kill(os.getpid(), signal.SIGKILL)
    return [decode_square(content, size) for content in contents]
