import io
import tarfile
import tracemalloc

import pytest
from pretext_client import TooLarge, TransferFailed
from pretext_client.upload import form
from python_multipart.multipart import FormParser, parse_options_header

from tests.client.faults import DATASET, answer, hang_up, problem

POST = ("POST", "/v1/datasets")


def parsed(request) -> dict[str, object]:
    """The form of a request, read by the parser that the server uses: fields, and name and content of the file."""
    found: dict[str, object] = {}
    kind, options = parse_options_header(request.headers["content-type"])

    def on_file(file):
        file.file_object.seek(0)
        found[file.field_name.decode()] = (file.file_name.decode("utf-8", "surrogateescape"), file.file_object.read())
        file.close()

    def on_field(one):
        found[one.field_name.decode()] = one.value.decode()

    parser = FormParser(kind.decode(), on_field, on_file, boundary=options[b"boundary"])
    parser.write(request.body)
    parser.finalize()
    return found


@pytest.fixture(autouse=True)
def _accepting(script):
    script.on(*POST, answer(DATASET, 201))


class TestFile:
    def test_goes_over_as_it_is(self, script, client, tmp_path):
        (tmp_path / "pictures.zip").write_bytes(b"PK" * 1000)
        assert client.datasets.upload(tmp_path / "pictures.zip", name="mine", metadata={"place": "Oslo"}).id == "ds_1"
        (request,) = script.seen
        assert parsed(request) == {"name": "mine", "metadata": '{"place": "Oslo"}', "file": ("pictures.zip", b"PK" * 1000)}
        assert int(request.headers["content-length"]) == len(request.body)
        assert "transfer-encoding" not in request.headers

    def test_says_what_is_in_it_if_it_is_told(self, script, client, tmp_path):
        (tmp_path / "clips.zip").write_bytes(b"PK")
        client.datasets.upload(tmp_path / "clips.zip", kind="video")
        assert parsed(script.seen[0])["kind"] == "video"

    def test_small_fields_come_first(self, script, client, tmp_path):
        (tmp_path / "a.png").write_bytes(b"1")
        client.datasets.upload(str(tmp_path / "a.png"), name="mine")
        body = script.seen[0].body
        assert body.index(b'name="name"') < body.index(b'name="file"')

    @pytest.mark.parametrize("name", ['quo"te.zip', "жизнь.zip", "a;b=c.zip"])
    def test_keeps_its_name(self, script, client, tmp_path, name):
        (tmp_path / name).write_bytes(b"1")
        client.datasets.upload(tmp_path / name)
        assert parsed(script.seen[0])["file"] == (name.replace('"', "%22"), b"1")

    @pytest.mark.parametrize(("name", "told"), [("none.zip", "No such file"), ("empty.zip", "is empty")])
    def test_is_refused_before_anything_is_sent(self, script, client, tmp_path, name, told):
        (tmp_path / "empty.zip").touch()
        with pytest.raises(TransferFailed, match=told):
            client.datasets.upload(tmp_path / name)
        assert script.seen == []

    def test_tells_how_far_it_is(self, client, tmp_path):
        (tmp_path / "a.zip").write_bytes(bytes(1_000_000))
        told: list[tuple[int, int]] = []
        client.datasets.upload(tmp_path / "a.zip", on_progress=lambda done, total: told.append((done, total)))
        assert told == sorted(told)
        assert len(told) > 2
        assert told[-1] == (1_000_000, 1_000_000)

    def test_is_never_in_memory_as_a_whole(self, tmp_path):
        with (tmp_path / "a.zip").open("wb") as file:
            file.truncate(64 << 20)
        body = form(tmp_path / "a.zip", {})
        tracemalloc.start()
        sent = sum(map(len, body.chunks()))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sent == body.length
        assert peak < 2 << 20


class TestFolderUpload:
    @pytest.fixture(autouse=True)
    def _first_of_its_name(self, script):
        script.on("GET", "/v1/datasets", answer({"data": [], "has_more": False}))

    def test_goes_over_as_a_tar(self, script, client, tmp_path):
        folder = tmp_path / "holiday"
        (folder / "sea").mkdir(parents=True)
        (folder / "sea" / "a.png").write_bytes(b"a" * 100)
        client.datasets.upload(folder)
        sent = parsed(script.seen[-1])
        name, content = sent["file"]
        assert (name, sent["name"]) == ("holiday.tar", "holiday")
        with tarfile.open(fileobj=io.BytesIO(content)) as opened:
            assert opened.getnames() == ["sea/a.png"]

    def test_several_files_go_over_as_one_tar(self, script, client, tmp_path):
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(name.encode())
        client.datasets.upload(tmp_path / name for name in ("a.png", "b.png"))
        _, content = parsed(script.seen[-1])["file"]
        with tarfile.open(fileobj=io.BytesIO(content)) as opened:
            assert opened.getnames() == ["a.png", "b.png"]


class TestFaults:
    def test_an_upload_is_sent_again_under_the_same_key(self, script, client, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK" * 50_000)
        script.on(*POST, hang_up, problem(503), answer(DATASET, 201))
        client.datasets.upload(tmp_path / "a.zip")
        assert len({request.headers["idempotency-key"] for request in script.seen}) == 1
        assert [parsed(request)["file"] for request in script.seen] == [("a.zip", b"PK" * 50_000)] * 3

    def test_a_refusal_is_told(self, script, client, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK")
        script.on(*POST, problem(413, detail="this server takes uploads of up to 1 byte", param="file"))
        with pytest.raises(TooLarge, match="up to 1 byte"):
            client.datasets.upload(tmp_path / "a.zip")

    def test_a_file_that_changes_meanwhile_is_told(self, client, tmp_path):
        path = tmp_path / "a.zip"
        path.write_bytes(bytes(1_000_000))
        with pytest.raises(TransferFailed, match="has changed its size"):
            client.datasets.upload(path, on_progress=lambda *_: path.write_bytes(b"short"))
