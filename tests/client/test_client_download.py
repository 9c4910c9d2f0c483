import hashlib
from pathlib import Path

import pytest
from pretext_client import ConnectionFailed, Pretext, Retry, TransferFailed

from tests.client.faults import answer, cut, hang_up, problem, ranged

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ETAG = f'"{SHA256}"'
FILE = "/v1/models/model_1/files/encoder.safetensors"


def model(name: str = "encoder.safetensors", sha256: str = SHA256, size: int = len(CONTENT)) -> dict[str, object]:
    file = {"name": name, "bytes": size, "sha256": sha256, "url": "http://elsewhere.invalid/encoder.safetensors"}
    return {"object": "model", "id": "model_1", "name": "tiny", "created_at": "2026-11-02T10:00:00Z", "files": [file]}


@pytest.fixture(autouse=True)
def _model(script):
    script.on("GET", "/v1/models/model_1", answer(model()))
    script.on("GET", FILE, ranged(CONTENT, ETAG))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "new" / "folder"


def part(folder: Path) -> Path:
    return folder / f".encoder.safetensors.{SHA256[:16]}.part"


class TestWhole:
    def test_puts_the_file_under_its_name(self, client, folder):
        (path,) = client.models.download("model_1", folder)
        assert path == folder / "encoder.safetensors"
        assert path.read_bytes() == CONTENT
        assert list(folder.iterdir()) == [path]

    def test_tells_how_far_it_is(self, client, folder):
        told: list[tuple[int, int]] = []
        client.models.download("model_1", folder, on_progress=lambda done, total: told.append((done, total)))
        assert told == sorted(told)
        assert len(told) > 2
        assert told[-1] == (len(CONTENT), len(CONTENT))

    def test_fetches_nothing_that_is_there(self, script, client, folder):
        client.models.download("model_1", folder)
        client.models.download("model_1", folder)
        assert len(script.sent("GET", FILE)) == 1

    def test_sends_the_key_to_no_address_that_an_answer_names(self, script, client, folder):
        client.models.download("model_1", folder)
        assert [one.path for one in script.seen] == ["/v1/models/model_1", FILE]


class TestCutOff:
    def test_goes_on_where_it_was(self, script, client, folder):
        script.on("GET", FILE, cut(CONTENT, 600_000, ETag=ETAG), ranged(CONTENT, ETAG))
        (path,) = client.models.download("model_1", folder)
        assert path.read_bytes() == CONTENT
        first, second = script.sent("GET", FILE)
        assert "range" not in first.headers
        start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
        assert 0 < start <= 600_000
        assert second.headers["if-range"] == ETAG

    def test_goes_on_in_another_run(self, script, client, folder):
        folder.mkdir(parents=True)
        part(folder).write_bytes(CONTENT[:1000])
        (path,) = client.models.download("model_1", folder)
        assert path.read_bytes() == CONTENT
        assert script.sent("GET", FILE)[0].headers["range"] == "bytes=1000-"

    def test_begins_anew_where_the_server_knows_no_ranges(self, script, client, folder):
        folder.mkdir(parents=True)
        part(folder).write_bytes(CONTENT[:1000])
        script.on("GET", FILE, answer(CONTENT))
        (path,) = client.models.download("model_1", folder)
        assert path.read_bytes() == CONTENT

    def test_begins_anew_if_what_was_there_is_damaged(self, script, client, folder):
        folder.mkdir(parents=True)
        part(folder).write_bytes(b"x" * 1000)
        (path,) = client.models.download("model_1", folder)
        assert path.read_bytes() == CONTENT
        assert len(script.sent("GET", FILE)) == 2

    def test_gives_up_where_nothing_comes_any_more_and_keeps_what_came(self, script, folder):
        script.on("GET", FILE, cut(CONTENT, 600_000, ETag=ETAG), hang_up)
        with Pretext(script.url, "k", retry=Retry(times=2, first_seconds=0.01)) as client, pytest.raises(ConnectionFailed):
            client.models.download("model_1", folder)
        assert part(folder).stat().st_size > 0
        assert not (folder / "encoder.safetensors").exists()

    def test_waits_for_a_server_that_starts_again(self, script, client, folder):
        script.on("GET", FILE, cut(CONTENT, 600_000, ETag=ETAG), problem(503), ranged(CONTENT, ETAG))
        (path,) = client.models.download("model_1", folder)
        assert path.read_bytes() == CONTENT


class TestRefusals:
    def test_damaged_bytes_never_get_the_name(self, script, client, folder):
        script.on("GET", FILE, answer(CONTENT[:-1] + b"?"))
        with pytest.raises(TransferFailed, match="came damaged"):
            client.models.download("model_1", folder)
        assert list(folder.iterdir()) == []

    def test_another_file_of_the_name_is_left_alone(self, script, client, folder):
        folder.mkdir(parents=True)
        (folder / "encoder.safetensors").write_bytes(b"mine")
        with pytest.raises(TransferFailed, match="is another file"):
            client.models.download("model_1", folder)
        assert (folder / "encoder.safetensors").read_bytes() == b"mine"
        assert script.sent("GET", FILE) == []

    def test_another_file_of_the_name_is_overwritten_by_force(self, client, folder):
        folder.mkdir(parents=True)
        (folder / "encoder.safetensors").write_bytes(b"mine")
        (path,) = client.models.download("model_1", folder, force=True)
        assert path.read_bytes() == CONTENT

    @pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", "..", ".bashrc", "a\\b", ""])
    def test_a_name_that_leads_elsewhere(self, script, client, folder, name):
        script.on("GET", "/v1/models/model_1", answer(model(name)))
        with pytest.raises(TransferFailed, match="no plain file name"):
            client.models.download("model_1", folder)
        assert list(folder.iterdir()) == []


class TestCardThatChanged:
    """The server writes the card anew when there is more to say of a model."""

    FILES = ("README.md", "SHA256SUMS")

    @pytest.fixture
    def published(self, script):
        def publish(card: bytes) -> None:
            sums = f"{hashlib.sha256(card).hexdigest()}  README.md\n".encode()
            files = []
            for name, content in zip(self.FILES, (card, sums), strict=True):
                digest = hashlib.sha256(content).hexdigest()
                files.append({"name": name, "bytes": len(content), "sha256": digest})
                script.on("GET", f"/v1/models/model_1/files/{name}", ranged(content, f'"{digest}"'))
            script.on("GET", "/v1/models/model_1", answer({**model(), "files": files}))

        return publish

    def test_replaces_the_one_before(self, client, published, tmp_path):
        for card in (b"first", b"second, and longer"):
            published(card)
            client.models.download("model_1", tmp_path)
            assert (tmp_path / "README.md").read_bytes() == card

    def test_does_not_replace_one_that_was_edited(self, client, published, tmp_path):
        published(b"first")
        client.models.download("model_1", tmp_path)
        (tmp_path / "README.md").write_bytes(b"mine")
        published(b"second")
        with pytest.raises(TransferFailed, match="another file"):
            client.models.download("model_1", tmp_path)
        assert (tmp_path / "README.md").read_bytes() == b"mine"
