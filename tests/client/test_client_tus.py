"""Resumable uploads against answers that a test decides."""

import json
import os
from dataclasses import replace

import pytest
from pretext_client import ConnectionFailed, InvalidRequest, Retry, TransferFailed, datasets, tus
from pretext_client.resume import Memory, Unfinished, state_dir
from pretext_client.upload import payload

from tests.client.faults import DATASET, answer, hang_up, problem

CREATE, MADE, UP = ("POST", "/v1/uploads"), ("POST", "/v1/datasets"), "/v1/uploads/up_1"
CONTENT = bytes(range(256)) * 40


class Store:
    """What a server has of an upload, and the answers that it gives of it."""

    def __init__(self, script):
        self.content = b""
        script.on(*CREATE, answer({}, 201, Location=UP))
        script.on("HEAD", UP, self.tell)
        self.script = script
        script.on("PATCH", UP, self.take)
        script.on(*MADE, answer(DATASET, 201))

    def tell(self, handler):
        answer(b"", Upload_Offset=str(len(self.content)))(handler)

    def take(self, handler):
        request = self.script.seen[-1]
        if int(request.headers["upload-offset"]) != len(self.content):
            problem(409)(handler)
            return
        self.content += request.body
        answer(b"", 204, Upload_Offset=str(len(self.content)))(handler)

    def take_some_and_hang_up(self, handler):
        self.content += self.script.seen[-1].body[:1000]
        hang_up(handler)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(datasets, "RESUMABLE_BYTES", 5000)
    monkeypatch.setattr(tus, "_PART_BYTES", 4000)


@pytest.fixture
def store(script):
    return Store(script)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.zip").write_bytes(CONTENT)
    return tmp_path / "a.zip"


class TestUpload:
    def test_goes_over_in_parts(self, script, client, store, path):
        told: list[tuple[int, int]] = []
        made = client.datasets.upload(
            path, name="mine", kind="image", metadata={"place": "Oslo"}, on_progress=lambda done, total: told.append((done, total))
        )
        assert (made.id, store.content) == ("ds_1", CONTENT)
        assert [int(one.headers["upload-offset"]) for one in script.sent("PATCH", UP)] == [0, 4000, 8000]
        (asked,) = script.sent(*MADE)
        assert json.loads(asked.body) == {"upload_id": "up_1", "name": "mine", "kind": "image", "metadata": {"place": "Oslo"}}
        assert (told == sorted(told), told[-1]) == (True, (len(CONTENT), len(CONTENT)))
        assert list(state_dir().glob("*")) == []

    def test_small_ones_go_over_as_a_form(self, script, client, store, tmp_path):
        (tmp_path / "small.zip").write_bytes(b"PK")
        client.datasets.upload(tmp_path / "small.zip")
        assert script.sent(*CREATE) == []
        assert "multipart/form-data" in script.sent(*MADE)[0].headers["content-type"]

    def test_a_server_that_knows_no_such_uploads_gets_a_form(self, script, client, path):
        script.on(*MADE, answer(DATASET, 201))
        client.datasets.upload(path)
        assert "multipart/form-data" in script.sent(*MADE)[0].headers["content-type"]


class TestFaults:
    @pytest.mark.parametrize("fault", ["hang_up", "take_some_and_hang_up", 503, 423, 409])
    def test_it_goes_on_where_the_server_is(self, script, client, store, path, fault):
        steps = {"hang_up": hang_up, "take_some_and_hang_up": store.take_some_and_hang_up}
        step = steps[fault] if isinstance(fault, str) else problem(fault)
        script.on("PATCH", UP, step, step, store.take)
        client.datasets.upload(path)
        assert store.content == CONTENT
        assert len(script.sent(*CREATE)) == 1

    def test_a_server_that_is_away_for_a_while_is_waited_for(self, script, client, store, path):
        script.on("PATCH", UP, *[hang_up] * 5, store.take)
        script.on("HEAD", UP, *[problem(503)] * 8, store.tell)
        client.datasets.upload(path)
        assert store.content == CONTENT

    def test_it_is_not_waited_for_for_ever(self, script, client, store, path):
        waits: list[float] = []
        client._http.sleep = waits.append
        script.on("PATCH", UP, hang_up)
        with pytest.raises(ConnectionFailed):
            client.datasets.upload(path)
        assert len(waits) == 12

    def test_one_that_was_never_there_is_told_at_once(self, script, client, path):
        waits: list[float] = []
        client._http.sleep = waits.append
        script.on(*CREATE, hang_up)
        with pytest.raises(ConnectionFailed):
            client.datasets.upload(path)
        assert waits == []

    def test_an_upload_that_is_gone_is_begun_anew(self, script, client, store, path):
        script.on("PATCH", UP, problem(404), store.take)
        script.on("HEAD", UP, problem(404), store.tell)
        client.datasets.upload(path)
        assert (store.content, len(script.sent(*CREATE))) == (CONTENT, 2)

    def test_a_refusal_is_told(self, script, client, store, path):
        script.on("PATCH", UP, problem(400, detail="no"))
        with pytest.raises(InvalidRequest, match="no"):
            client.datasets.upload(path)

    def test_a_file_that_shrinks_meanwhile_is_told(self, client, store, path):
        with pytest.raises(TransferFailed, match="has changed its size"):
            client.datasets.upload(path, on_progress=lambda *_: path.write_bytes(b"short"))


class TestLaterRun:
    @pytest.fixture
    def cut_off(self, script, client, store, path):
        """A run that ended after some bytes."""
        script.on("PATCH", UP, store.take_some_and_hang_up, problem(400))
        with pytest.raises(InvalidRequest):
            client.datasets.upload(path)
        script.on("PATCH", UP, store.take)
        script.seen.clear()

    @pytest.mark.usefixtures("cut_off")
    def test_goes_on(self, script, client, store, path):
        assert len(store.content) == 1000
        client.datasets.upload(path)
        assert (store.content, script.sent(*CREATE)) == (CONTENT, [])
        assert int(script.sent("PATCH", UP)[0].headers["upload-offset"]) == 1000

    @pytest.mark.usefixtures("cut_off")
    def test_of_another_content_begins_anew(self, script, client, store, path):
        os.utime(path, (1, 1))
        store.content = b""
        client.datasets.upload(path)
        assert len(script.sent(*CREATE)) == 1

    def test_knows_a_dataset_that_was_made_of_it_already(self, script, client, store, path):
        script.on(*MADE, hang_up)
        with pytest.raises(ConnectionFailed):
            client.datasets.upload(path)
        key = script.sent(*MADE)[0].headers["idempotency-key"]
        script.on("HEAD", UP, problem(409))
        script.on(*MADE, answer(DATASET, 201))
        script.seen.clear()
        assert client.datasets.upload(path).id == "ds_1"
        assert [one.headers["idempotency-key"] for one in script.sent(*MADE)] == [key]
        assert (script.sent(*CREATE), script.sent("PATCH", UP)) == ([], [])


class TestMemory:
    def test_is_private_and_forgets(self, tmp_path):
        memory = Memory("http://a", "f", tmp_path / "state")
        memory.remember(Unfinished("up_1", "k"))
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
        assert Memory("http://a", "f", tmp_path / "state").recall() == Unfinished("up_1", "k")
        assert Memory("http://b", "f", tmp_path / "state").recall() is None
        memory.forget()
        assert memory.recall() is None

    def test_drops_what_is_old(self, tmp_path):
        Memory("http://a", "old", tmp_path).remember(Unfinished("up_1"))
        for path in tmp_path.iterdir():
            os.utime(path, (1, 1))
        Memory("http://a", "new", tmp_path).remember(Unfinished("up_2"))
        assert len(list(tmp_path.iterdir())) == 1

    def test_without_a_place_nothing_fails(self, tmp_path):
        (tmp_path / "file").touch()
        memory = Memory("http://a", "f", tmp_path / "file" / "below")
        memory.remember(Unfinished("up_1"))
        assert memory.recall() is None
        memory.forget()


class TestPayload:
    @pytest.mark.parametrize(
        "start", [*range(0, 700, 37), 511, 512, 513, 1212, 1535, 1536, 1537, 2600, 3071, 3072, 4608, 5631, 5632]
    )
    def test_a_folder_goes_on_from_any_place(self, tmp_path, start):
        for name, size in (("a.png", 700), ("b.png", 0), ("c.png", 512), ("ж" * 90 + ".png", 1)):
            (tmp_path / name).write_bytes(os.urandom(size))
        sent = payload(tmp_path)
        whole = b"".join(sent.chunks(0))
        assert len(whole) == sent.size
        assert b"".join(sent.chunks(start)) == whole[start:]

    def test_its_fingerprint_is_of_names_sizes_and_times(self, tmp_path):
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "a.png").write_bytes(b"1")
        first = payload(folder).fingerprint
        assert payload(folder).fingerprint == first
        os.utime(folder / "a.png", (1, 1))
        touched = payload(folder).fingerprint
        (folder / "a.png").rename(folder / "b.png")
        assert len({first, touched, payload(folder).fingerprint}) == 3


def test_patience_follows_the_clients(client, path):
    client._http.retry = replace(client._http.retry, times=0)
    assert tus.Transfer(client._http, payload(path))._retry == Retry(first_seconds=0.01, times=0)
