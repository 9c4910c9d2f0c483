from hashlib import sha256
from pathlib import Path

import pytest
from httpx import Client

from api.services import Services
from records.queries import leases
from records.queries.leases import Lease
from records.states import JobState
from tests import factories


@pytest.fixture
def job_id(services: Services) -> str:
    """A running job with pictures of the epochs 0 to 2."""
    with services.database.write() as session:
        job = factories.job(session)
        leases.claim(session, job.id, "w", 100)
        for epoch in range(3):
            content = factories.png(seed=epoch)
            key = f"jobs/{job.id}/pictures/{epoch}"
            with services.blobs.writer(key) as writer:
                writer.write(content)
            digest = sha256(content).hexdigest()
            factories.picture(session, job.id, epoch=epoch, step=epoch * 4, key=key, bytes=len(content), sha256=digest)
        return job.id


class TestList:
    def test_goes_from_the_oldest_epoch_on(self, client: Client, job_id: str):
        first = client.get(f"/v1/jobs/{job_id}/pictures", params={"limit": 2}).json()
        assert ([one["epoch"] for one in first["data"]], first["has_more"]) == ([0, 1], True)
        rest = client.get(f"/v1/jobs/{job_id}/pictures", params={"after": 1}).json()
        assert ([one["epoch"] for one in rest["data"]], rest["has_more"]) == ([2], False)
        (picture,) = rest["data"]
        assert (picture["object"], picture["step"], picture["width"]) == ("job.picture", 8, 32)
        content = client.get(picture["url"]).content
        assert (sha256(content).hexdigest(), len(content)) == (picture["sha256"], picture["bytes"])

    def test_is_empty_before_there_are_any(self, client: Client, services: Services):
        with services.database.write() as session:
            job_id = factories.job(session).id
        assert client.get(f"/v1/jobs/{job_id}/pictures").json() == {"object": "list", "data": [], "has_more": False}


class TestPicture:
    def test_is_a_png_with_its_digest(self, client: Client, job_id: str):
        answer = client.get(f"/v1/jobs/{job_id}/pictures/1")
        assert (answer.status_code, answer.content) == (200, factories.png(seed=1))
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["ETag"] == f'"{sha256(answer.content).hexdigest()}"'
        head = client.head(f"/v1/jobs/{job_id}/pictures/1")
        assert (head.headers["Content-Length"], head.content) == (str(len(answer.content)), b"")

    def test_one_that_moves_is_a_webp(self, client: Client, services: Services):
        with services.database.write() as session:
            job = factories.job(session)
            with services.blobs.writer(f"jobs/{job.id}/pictures/0.webp") as writer:
                writer.write(b"RIFF")
            factories.picture(session, job.id, epoch=0, key=f"jobs/{job.id}/pictures/0.webp")
            job_id = job.id
        (picture,) = client.get(f"/v1/jobs/{job_id}/pictures").json()["data"]
        assert picture["format"] == "webp"
        answer = client.get(picture["url"])
        assert (answer.content, answer.headers["Content-Type"]) == (b"RIFF", "image/webp")
        assert answer.headers["Content-Disposition"].endswith('-epoch-000000.webp"')

    def test_is_not_sent_to_who_has_it(self, client: Client, job_id: str):
        etag = client.get(f"/v1/jobs/{job_id}/pictures/1").headers["ETag"]
        same = client.get(f"/v1/jobs/{job_id}/pictures/1", headers={"If-None-Match": f'"other", {etag}'})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
        assert client.get(f"/v1/jobs/{job_id}/pictures/2", headers={"If-None-Match": etag}).status_code == 200

    def test_is_immutable_only_once_the_job_has_succeeded(self, client: Client, services: Services, job_id: str):
        assert client.get(f"/v1/jobs/{job_id}/pictures/1").headers["Cache-Control"] == "private, no-cache"
        with services.database.write() as session:
            leases.end(session, leases.hold(session, Lease(job_id, 1)), JobState.SUCCEEDED)
        assert "immutable" in client.get(f"/v1/jobs/{job_id}/pictures/1").headers["Cache-Control"]
        assert "immutable" not in client.get(f"/v1/jobs/{job_id}/pictures/latest").headers["Cache-Control"]

    def test_the_latest_says_which_it_is(self, client: Client, job_id: str):
        answer = client.get(f"/v1/jobs/{job_id}/pictures/latest")
        assert answer.content == factories.png(seed=2)
        assert answer.headers["Content-Location"] == f"/v1/jobs/{job_id}/pictures/2"

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("{job}/pictures/7", "of the epochs 0 to 2"),
            ("job_nowhere/pictures", "there is no job"),
            ("job_nowhere/pictures/0", "there is no job"),
            ("job_nowhere/pictures/latest", "there is no job"),
        ],
    )
    def test_what_is_not_there_is_told(self, client: Client, job_id: str, path: str, says: str):
        answer = client.get(f"/v1/jobs/{path.format(job=job_id)}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert says in answer.json()["detail"]

    def test_a_blob_that_is_gone_is_told(self, client: Client, job_id: str, stored: Path):
        (stored / f"jobs/{job_id}/pictures/0").unlink()
        answer = client.get(f"/v1/jobs/{job_id}/pictures/0")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "ask again" in answer.json()["detail"]

    @pytest.mark.parametrize("epoch", ["-1", "99999999999999999999", "first"])
    def test_an_impossible_epoch_is_refused(self, client: Client, job_id: str, epoch: str):
        answer = client.get(f"/v1/jobs/{job_id}/pictures/{epoch}")
        assert (answer.status_code, answer.json()["param"]) == (422, "epoch")
