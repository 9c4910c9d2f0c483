import errno
from hashlib import sha256
from pathlib import Path

import pytest

from records.blobs import LocalBlobs, file_sha256, open_blobs
from records.errors import DiskFullError


class TestLocalBlobs:
    def test_a_blob_appears_whole_at_the_end(self, blobs: LocalBlobs):
        with blobs.writer("datasets/ds_1/upload") as writer:
            writer.write(b"one")
            with pytest.raises(FileNotFoundError):
                blobs.path("datasets/ds_1/upload")
            writer.write(b"two")
        assert blobs.path("datasets/ds_1/upload").read_bytes() == b"onetwo"
        assert writer.size == 6
        assert writer.digest() == sha256(b"onetwo").hexdigest() == file_sha256(blobs.path("datasets/ds_1/upload"))

    def test_nothing_is_left_of_one_that_failed(self, blobs: LocalBlobs, tmp_path: Path):
        def write_half() -> None:
            with blobs.writer("a/b") as writer:
                writer.write(b"half")
                raise ConnectionError

        with pytest.raises(ConnectionError):
            write_half()
        assert [path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()] == []

    def test_put_leaves_the_blob_when_the_source_goes(self, blobs: LocalBlobs, tmp_path: Path):
        source = tmp_path / "shard"
        source.write_bytes(b"content")
        blobs.put("datasets/ds_1/1/shard", source)
        source.unlink()
        assert blobs.path("datasets/ds_1/1/shard").read_bytes() == b"content"

    def test_delete_takes_a_prefix_or_a_blob_and_minds_nothing_missing(self, blobs: LocalBlobs):
        for key in ("a/1", "a/2", "b/1"):
            with blobs.writer(key) as writer:
                writer.write(b"x")
        blobs.delete("a")
        blobs.delete("b/1")
        blobs.delete("c")
        for key in ("a/1", "a/2", "b/1"):
            with pytest.raises(FileNotFoundError):
                blobs.path(key)

    def test_a_full_disk_is_told_as_such(self, blobs: LocalBlobs):
        def fill() -> None:
            with blobs.writer("a/b"):
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(DiskFullError):
            fill()

    def test_keys_cannot_leave_the_folder(self, blobs: LocalBlobs):
        with pytest.raises(AssertionError):
            blobs.path("../secret")


class TestOpenBlobs:
    def test_opens_a_folder(self, tmp_path: Path):
        store = open_blobs(f"file://{tmp_path}/with%20space")
        with store.writer("a") as writer:
            writer.write(b"x")
        assert (tmp_path / "with space" / "a").exists()

    @pytest.mark.parametrize("url", ["s3://bucket", "file://host/path", "/plain/path"])
    def test_says_what_it_takes(self, url: str):
        with pytest.raises(ValueError, match="file:///a/folder"):
            open_blobs(url)
