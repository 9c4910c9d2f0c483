import base64
import os
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from httpx import Client

from api.services import Services
from api.uploads import receive as receiving
from records.database import now
from records.errors import DiskFullError
from records.growing import GrowingFile
from records.models import Upload
from records.queries import jobs
from records.sweep import sweep_uploads
from tests.api.tus import BINARY, TUS, announce, begun, break_off, checksum, offset, open_request, send

CONTENT = os.urandom(3_000_000)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def id_in(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def expire(services: Services, url: str) -> None:
    with services.database.write() as session:
        session.get_one(Upload, id_in(url)).expires_at = now(session) - timedelta(seconds=1)


@pytest.fixture
def url(client: Client) -> str:
    """An upload of `CONTENT` of which nothing is here."""
    return begun(client, len(CONTENT))


class TestProtocol:
    def test_tells_what_it_can(self, client: Client, services: Services):
        answer = client.options("/v1/uploads")
        assert answer.status_code == 204
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert set(answer.headers["Tus-Extension"].split(",")) == {
            "creation",
            "creation-with-upload",
            "checksum",
            "termination",
            "expiration",
        }
        assert answer.headers["Tus-Max-Size"] == str(services.settings.max_upload_bytes)
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha256,sha1,md5,crc32"

    @pytest.mark.parametrize("version", [{}, {"Tus-Resumable": "0.2.2"}])
    def test_other_versions_are_refused(self, client: Client, url: str, version: dict[str, str]):
        for method, path in (("POST", "/v1/uploads"), ("HEAD", url), ("PATCH", url), ("DELETE", url)):
            answer = client.request(method, path, headers={"Upload-Length": "1", "Upload-Offset": "0", **BINARY, **version})
            assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
        assert offset(client, url) == 0

    def test_every_answer_has_the_version(self, client: Client, url: str):
        answers = [client.head(url, headers=TUS), send(client, url, 5, b"x"), client.head("/v1/uploads/up_1", headers=TUS)]
        assert [(one.status_code, one.headers["Tus-Resumable"]) for one in answers] == [
            (200, "1.0.0"),
            (409, "1.0.0"),
            (404, "1.0.0"),
        ]

    def test_a_method_may_be_named_in_a_header(self, client: Client, url: str):
        headers = {**TUS, **BINARY, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
        assert client.post(url, content=CONTENT, headers=headers).status_code == 204
        assert offset(client, url) == len(CONTENT)


class TestAnnounce:
    def test_gives_an_address_and_a_time(self, client: Client, services: Services):
        answer = announce(client, 10)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
        left = parsedate_to_datetime(answer.headers["Upload-Expires"]).timestamp() - time.time()
        assert left == pytest.approx(services.settings.upload_hours * 3600, abs=60)
        found = client.get(answer.headers["Location"]).json()
        assert (found["filename"], found["bytes"], found["offset"], found["complete"]) == ("pictures.zip", 10, 0, False)
        assert client.get("/v1/uploads").json()["data"] == [found]

    @pytest.mark.parametrize(
        ("headers", "says"),
        [
            ({"Upload-Length": "-1"}, "whole number"),
            ({"Upload-Length": "1e6"}, "whole number"),
            ({"Upload-Length": "٣"}, "whole number"),
            ({"Upload-Length": "9" * 30}, "whole number"),
            ({"Upload-Length": ""}, "missing"),
            ({"Upload-Defer-Length": "1"}, "Upload-Length"),
            ({"Upload-Metadata": "filename %%%"}, "base 64"),
            ({"Upload-Metadata": "filename YQ==,filename Yg=="}, "twice"),
            ({"Upload-Metadata": "x" * 5000}, "4096"),
        ],
    )
    def test_what_is_no_announcement_is_refused(self, client: Client, headers: dict[str, str], says: str):
        raw = {name: value.encode() for name, value in {**TUS, "Upload-Length": "1", **headers}.items()}
        answer = client.post("/v1/uploads", headers=raw)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_header")
        assert says in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("name", "kept"), [("../../etc/x.zip", "x.zip"), ("a\u202egnp.zip", "a\ufffdgnp.zip"), ("C:\\x\0y", "x\ufffdy")]
    )
    def test_names_become_harmless(self, client: Client, name: str, kept: str):
        assert client.get(begun(client, 1, name)).json()["filename"] == kept

    def test_too_large_is_refused(self, client: Client, services: Services, stored: Path):
        services.settings.max_upload_bytes = 1000
        assert announce(client, 1001).status_code == 413
        assert announce(client, 1000).status_code == 201

    def test_a_disk_without_room_is_told(self, client: Client):
        assert announce(client, 1 << 39).status_code == 507

    def test_many_unfinished_ones_are_refused(self, client: Client, services: Services):
        services.settings.max_unfinished_uploads = 2
        services.settings.max_unfinished_bytes = 100
        first = begun(client, 60)
        too_much = announce(client, 50)
        assert (too_much.status_code, too_much.json()["code"]) == (429, "too_many_uploads")
        begun(client, 40)
        assert "PRETEXT_MAX_UNFINISHED_UPLOADS" in announce(client, 0).json()["detail"]
        client.delete(first, headers=TUS)
        assert announce(client, 50).status_code == 201

    def test_the_first_part_may_come_along(self, client: Client):
        headers = {**TUS, **BINARY, "Upload-Length": "10"}
        answer = client.post("/v1/uploads", content=b"first", headers=headers)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
        assert offset(client, answer.headers["Location"]) == 5

    def test_of_a_wrong_first_part_nothing_is_left(self, client: Client, stored: Path):
        headers = {**TUS, **BINARY, "Upload-Length": "10", "Upload-Checksum": checksum(b"other")}
        assert client.post("/v1/uploads", content=b"first", headers=headers).status_code == 460
        assert (client.get("/v1/uploads").json()["data"], files_in(stored)) == ([], [])


class TestParts:
    def test_go_on_where_the_last_one_ended(self, client: Client, url: str, stored: Path):
        assert send(client, url, 0, CONTENT[:1_000_000]).headers["Upload-Offset"] == "1000000"
        head = client.head(url, headers=TUS)
        assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("1000000", str(len(CONTENT)))
        assert head.headers["Cache-Control"] == "no-store"
        assert head.headers["Upload-Metadata"] == "filename " + base64.b64encode(b"pictures.zip").decode()
        last = send(client, url, 1_000_000, CONTENT[1_000_000:])
        assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(CONTENT)))
        assert files_in(stored)[0].read_bytes() == CONTENT

    @pytest.mark.parametrize("wrong", [0, 999_999, 1_000_001, 3_000_000])
    def test_elsewhere_are_refused(self, client: Client, url: str, wrong: int):
        send(client, url, 0, CONTENT[:1_000_000])
        answer = send(client, url, wrong, b"")
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_offset")
        assert "send it on from 1000000" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Upload-Offset": ""}, 400),
            ({"Upload-Offset": "-1"}, 400),
            ({"Content-Type": "application/octet-stream"}, 415),
            ({"Upload-Checksum": "sha3 eA=="}, 400),
            ({"Upload-Checksum": "sha1 %"}, 400),
        ],
    )
    def test_what_is_no_part_is_refused(self, client: Client, url: str, headers: dict[str, str], status: int):
        assert send(client, url, 0, b"x", **headers).status_code == status
        assert offset(client, url) == 0

    def test_of_one_that_breaks_off_what_came_stays(self, client: Client, address: str, url: str, stored: Path):
        break_off(address, url, 0, CONTENT[:2_500_000], len(CONTENT))
        until(lambda: offset(client, url) > 2_000_000)
        until(lambda: send(client, url, 0, b"").status_code != 423)
        here = offset(client, url)
        assert 2_000_000 < here <= 2_500_000
        assert send(client, url, here, CONTENT[here:]).status_code == 204
        assert files_in(stored)[0].read_bytes() == CONTENT

    def test_with_more_bytes_than_announced_are_refused(self, client: Client, url: str):
        send(client, url, 0, CONTENT[:1000])
        assert send(client, url, 1000, CONTENT).status_code == 413
        without_length = send(client, url, 1000, iter([CONTENT[1000:], b"more"]))
        assert (without_length.status_code, without_length.json()["code"]) == (413, "too_large")
        assert offset(client, url) == 1000

    def test_without_a_length_are_taken(self, client: Client, url: str):
        assert send(client, url, 0, iter([CONTENT])).headers["Upload-Offset"] == str(len(CONTENT))

    def test_of_two_at_a_time_one_waits(self, client: Client, address: str, url: str):
        with open_request(address, url, 0, 2_200_000) as connection:
            connection.sendall(CONTENT[:2_150_000])
            until(lambda: offset(client, url) > 0)
            locked = send(client, url, 0, b"x")
            assert (locked.status_code, locked.headers["Retry-After"]) == (423, "1")
            assert client.delete(url, headers=TUS).status_code == 423
            assert client.post("/v1/datasets", json={"upload_id": id_in(url)}).status_code == 423
            connection.sendall(CONTENT[2_150_000:2_200_000])
            assert connection.recv(100).startswith(b"HTTP/1.1 204")
        assert send(client, url, 2_200_000, b"x").status_code == 204

    def test_a_silent_connection_lets_it_go_to_the_next(
        self, client: Client, address: str, url: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(receiving, "_SILENCE_SECONDS", 0.05)
        announced = client.get(url).json()["expires_at"]
        with open_request(address, url, 0, len(CONTENT)) as connection:
            connection.sendall(CONTENT[:5000])
            until(lambda: client.get(url).json()["expires_at"] != announced)  # it has begun, and holds the upload
            assert send(client, url, 5000, CONTENT[5000:]).status_code == 423
            until(lambda: send(client, url, 5000, b"").status_code == 204)
            assert connection.recv(100).startswith(b"HTTP/1.1 423")
        assert send(client, url, 5000, CONTENT[5000:]).status_code == 204

    def test_a_full_disk_is_told_and_keeps_what_came(self, client: Client, url: str, monkeypatch: pytest.MonkeyPatch):
        genuine = GrowingFile.write

        def write(self: GrowingFile, chunk: bytes) -> None:
            if self.size >= 1_000_000:
                raise DiskFullError
            genuine(self, chunk)

        monkeypatch.setattr(GrowingFile, "write", write)
        answer = send(client, url, 0, CONTENT)
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        monkeypatch.undo()
        here = offset(client, url)
        assert 1_000_000 <= here < len(CONTENT)
        assert send(client, url, here, CONTENT[here:]).status_code == 204


class TestChecksums:
    @pytest.mark.parametrize("name", ["sha256", "sha1", "md5"])
    def test_right_ones_are_taken(self, client: Client, url: str, name: str):
        part = CONTENT[:1_500_000]
        assert send(client, url, 0, part, **{"Upload-Checksum": checksum(part, name)}).status_code == 204
        assert offset(client, url) == 1_500_000

    def test_crc32(self, client: Client, url: str):
        told = base64.b64encode(zlib.crc32(b"part").to_bytes(4, "big")).decode()
        assert send(client, url, 0, b"part", **{"Upload-Checksum": f"crc32 {told}"}).status_code == 204

    def test_of_a_wrong_one_nothing_stays(self, client: Client, url: str):
        send(client, url, 0, CONTENT[:1000])
        answer = send(client, url, 1000, CONTENT[1000:], **{"Upload-Checksum": checksum(b"other")})
        assert (answer.status_code, answer.json()["title"]) == (460, "Checksum Mismatch")
        assert offset(client, url) == 1000

    def test_of_one_that_breaks_off_nothing_counts(self, client: Client, address: str, url: str):
        break_off(address, url, 0, CONTENT[:2_000_000], len(CONTENT), **{"Upload-Checksum": checksum(CONTENT)})
        until(lambda: send(client, url, 1, b"").status_code == 409)
        assert offset(client, url) == 0

    def test_what_a_killed_process_left_unchecked_does_not_count(self, client: Client, services: Services, url: str):
        send(client, url, 0, CONTENT[:2000])
        with services.database.write() as session:
            session.get_one(Upload, id_in(url)).unverified_from = 500
        assert offset(client, url) == 500
        assert send(client, url, 500, CONTENT[500:]).status_code == 204
        assert client.post("/v1/datasets", json={"upload_id": id_in(url)}).status_code == 201


class TestEnd:
    def test_deleted_it_is_gone(self, client: Client, url: str, stored: Path):
        send(client, url, 0, b"x")
        assert client.delete(url, headers=TUS).status_code == 204
        assert client.head(url, headers=TUS).status_code == 404
        assert files_in(stored) == []

    def test_expired_it_is_gone_and_swept(self, client: Client, services: Services, url: str, stored: Path):
        send(client, url, 0, b"x")
        alive = begun(client, 10)
        send(client, alive, 0, b"y")
        expire(services, url)
        assert (client.head(url, headers=TUS).status_code, send(client, url, 1, b"x").status_code) == (410, 410)
        assert client.post("/v1/datasets", json={"upload_id": id_in(url)}).json()["code"] == "gone"
        assert sweep_uploads(services.database, services.blobs) == 1
        assert client.head(url, headers=TUS).status_code == 404
        assert [path.read_bytes() for path in files_in(stored)] == [b"y"]

    def test_a_new_one_sweeps_the_expired(self, client: Client, services: Services, url: str):
        expire(services, url)
        begun(client, 1)
        assert client.head(url, headers=TUS).status_code == 404

    def test_one_that_grows_is_not_swept(self, client: Client, services: Services, url: str):
        expire(services, url)
        with services.blobs.grow(f"uploads/{id_in(url)}/content"):
            assert sweep_uploads(services.database, services.blobs) == 0


class TestDataset:
    def test_is_made_without_a_copy(self, client: Client, services: Services, url: str, stored: Path):
        send(client, url, 0, CONTENT)
        (growing,) = files_in(stored)
        inode = growing.stat().st_ino
        wanted = {"upload_id": id_in(url), "name": "mine", "kind": "image", "metadata": {"place": "Oslo"}}
        answer = client.post("/v1/datasets", json=wanted)
        dataset = answer.json()
        assert (answer.status_code, dataset["name"], dataset["kind"], dataset["metadata"]) == (
            201,
            "mine",
            "image",
            {"place": "Oslo"},
        )
        assert (dataset["filename"], dataset["bytes"], dataset["state"]) == ("pictures.zip", len(CONTENT), "ingesting")
        (blob,) = files_in(stored)
        assert (blob.stat().st_ino, blob.read_bytes()) == (inode, CONTENT)
        assert dataset["id"] in str(blob)
        with services.database.read() as session:
            assert jobs.get(session, dataset["job_id"]).kind == "ingest"
        assert client.get(url).json()["dataset_id"] == dataset["id"]
        assert client.head(url, headers=TUS).status_code == 409

    def test_wants_all_of_it(self, client: Client, url: str, stored: Path):
        send(client, url, 0, CONTENT[:1000])
        answer = client.post("/v1/datasets", json={"upload_id": id_in(url)})
        assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (409, "upload_incomplete", "upload_id")
        assert "1,000 of 3,000,000 bytes" in answer.json()["detail"]
        assert len(files_in(stored)) == 1

    def test_the_same_idempotency_key_makes_one(self, client: Client, url: str):
        send(client, url, 0, CONTENT)
        wanted, headers = {"upload_id": id_in(url)}, {"Idempotency-Key": "once"}
        first = client.post("/v1/datasets", json=wanted, headers=headers).json()
        again = client.post("/v1/datasets", json=wanted, headers=headers)
        assert (again.status_code, again.json()["id"]) == (201, first["id"])
        other = client.post("/v1/datasets", json={"upload_id": "up_other"}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        without = client.post("/v1/datasets", json=wanted)
        assert (without.status_code, without.json()["code"]) == (409, "upload_used")
        assert first["id"] in without.json()["detail"]

    @pytest.mark.parametrize(
        ("wanted", "status", "param"),
        [
            ({"upload_id": "up_none"}, 404, "upload_id"),
            ({}, 422, "upload_id"),
            ({"upload_id": "up_1", "kind": "sound"}, 422, "kind"),
            ({"upload_id": "up_1", "metadata": {"a": 1}}, 422, "metadata.a"),
            ({"upload_id": "up_1", "nmae": "x"}, 422, "nmae"),
        ],
    )
    def test_what_is_none_is_told(self, client: Client, wanted: dict, status: int, param: str):
        answer = client.post("/v1/datasets", json=wanted)
        assert (answer.status_code, answer.json()["param"]) == (status, param)

    def test_of_nothing_is_refused(self, client: Client):
        answer = client.post("/v1/datasets", json={"upload_id": id_in(begun(client, 0))})
        assert (answer.status_code, answer.json()["detail"]) == (422, "the uploaded file is empty")
