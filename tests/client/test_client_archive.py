import io
import os
import tarfile

import pytest
from pretext_client import TransferFailed, archive


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened}


def packed(*sources) -> bytes:
    found = archive.members(sources)
    content = b"".join(archive.tar(found))
    assert len(content) == archive.size(found)
    return content


@pytest.fixture
def folder(tmp_path):
    """Two files, and things that are not sent."""
    root = tmp_path / "pictures"
    (root / "cats").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "b.png").write_bytes(b"b" * 700)
    (root / "cats" / "a.png").write_bytes(b"a" * 512)
    (root / ".hidden.png").write_bytes(b"h")
    (root / ".git" / "config").write_bytes(b"c")
    (root / "link.png").symlink_to(root / "b.png")
    (root / "linked").symlink_to(root / "cats")
    return root


class TestFolder:
    def test_keeps_relative_names_and_passes_hidden_files_and_links_over(self, folder):
        assert unpacked(packed(folder)) == {"b.png": b"b" * 700, "cats/a.png": b"a" * 512}

    def test_is_the_same_archive_each_time(self, folder):
        first = packed(folder)
        os.utime(folder / "b.png", (1, 1))
        (folder / "b.png").chmod(0o600)
        assert packed(folder) == first

    @pytest.mark.parametrize(
        "name", ["ж" * 90 + ".png", "x" * 200 + ".png", "a b\nc.png", b"\xff\xfe.png".decode("utf-8", "surrogateescape")]
    )
    def test_keeps_any_name(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"1")
        assert unpacked(packed(tmp_path)) == {name: b"1"}

    def test_keeps_deep_names(self, tmp_path):
        deep = tmp_path.joinpath(*["folder" * 5] * 9)
        deep.mkdir(parents=True)
        (deep / "a.png").write_bytes(b"1")
        assert unpacked(packed(tmp_path)) == {f"{'/'.join(['folder' * 5] * 9)}/a.png": b"1"}

    def test_announces_a_file_of_many_gigabytes(self, tmp_path):
        with (tmp_path / "large.png").open("wb") as file:
            file.truncate(9 << 30)
        found = archive.members([tmp_path])
        with tarfile.open(fileobj=io.BytesIO(found[0].header())) as opened:
            member = opened.next()
        assert (member.name, member.size) == ("large.png", 9 << 30)
        assert archive.size(found) >= (9 << 30) + 1536

    def test_an_empty_one_is_refused(self, tmp_path):
        (tmp_path / ".hidden").write_bytes(b"1")
        with pytest.raises(TransferFailed, match="there are no files"):
            archive.members([tmp_path])

    def test_a_missing_one_is_refused(self, tmp_path):
        with pytest.raises(TransferFailed, match="No such file"):
            archive.members([tmp_path / "none"])


class TestSeveral:
    def test_each_goes_under_its_own_name(self, folder, tmp_path):
        (tmp_path / "c.png").write_bytes(b"c")
        assert sorted(unpacked(packed(folder, tmp_path / "c.png"))) == ["c.png", "pictures/b.png", "pictures/cats/a.png"]

    def test_two_of_one_name_are_refused(self, folder):
        (folder / "a.png").write_bytes(b"other")
        with pytest.raises(TransferFailed, match=r"would both be called a\.png"):
            archive.members([folder / "a.png", folder / "cats" / "a.png"])


class TestChanges:
    @pytest.mark.parametrize("now", [b"shorter", b"b" * 701])
    def test_a_file_of_another_size_is_an_error(self, folder, now):
        found = archive.members([folder])
        (folder / "b.png").write_bytes(now)
        with pytest.raises(TransferFailed, match=r"b\.png has changed its size"):
            list(archive.tar(found))

    def test_a_file_that_is_gone_is_an_error(self, folder):
        found = archive.members([folder])
        (folder / "cats" / "a.png").unlink()
        with pytest.raises(TransferFailed, match=r"a\.png"):
            list(archive.tar(found))
