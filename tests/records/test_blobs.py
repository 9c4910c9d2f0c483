import errno
from hashlib import sha256
from pathlib import Path

import pytest

from records.blobs import LocalBlobs, file_sha256, open_blobs
from records.errors import DiskFullError, LockedError


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


class TestGrowing:
    def test_goes_on_where_it_was_and_becomes_a_blob_without_a_copy(self, blobs: LocalBlobs, tmp_path: Path):
        for content in (b"one", b"two"):
            with blobs.grow("uploads/up_1/content") as growing:
                growing.write(content)
        with blobs.grow("uploads/up_1/content") as growing:
            assert growing.size == blobs.grown("uploads/up_1/content") == 6
            with pytest.raises(FileNotFoundError):
                blobs.path("uploads/up_1/content")
            blobs.ripen("uploads/up_1/content", "datasets/ds_1/upload")
        (source,) = (tmp_path / "data" / "blobs" / "uploads" / "up_1").iterdir()
        assert blobs.path("datasets/ds_1/upload").stat().st_ino == source.stat().st_ino
        blobs.delete("uploads/up_1")
        assert blobs.path("datasets/ds_1/upload").read_bytes() == b"onetwo"
        assert blobs.grown("uploads/up_1/content") == 0

    def test_is_held_by_one_alone_and_what_was_written_stays(self, blobs: LocalBlobs):
        with blobs.grow("a/b") as growing:
            growing.write(b"kept")
            with pytest.raises(LockedError), blobs.grow("a/b"):
                pass
        assert blobs.grown("a/b") == 4

    def test_can_be_cut(self, blobs: LocalBlobs):
        with blobs.grow("a/b") as growing:
            growing.write(b"12345")
            growing.cut(9)
            growing.cut(2)
            growing.write(b"x")
            assert growing.size == 3
        blobs.ripen("a/b", "c")
        assert blobs.path("c").read_bytes() == b"12x"
