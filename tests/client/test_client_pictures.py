import hashlib
from pathlib import Path

import pytest
from pretext_client import NotFound, TransferFailed

from tests.client.faults import answer, cut, page, problem

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
LIST = "/v1/jobs/job_1/pictures"


def picture(epoch: int, content: bytes = PNG) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    return {"object": "job.picture", "epoch": epoch, "step": 4 * epoch, "caption": "noise", "bytes": len(content), "sha256": digest}


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "new" / "folder"


class TestList:
    def test_goes_on_behind_the_last_epoch(self, script, client):
        script.on("GET", LIST, page(picture(0), picture(1), more=True), page(picture(2)))
        assert [(one.epoch, one.step, one.caption) for one in client.jobs.pictures("job_1")] == [
            (0, 0, "noise"),
            (1, 4, "noise"),
            (2, 8, "noise"),
        ]
        assert [one.query.get("after") for one in script.seen] == [None, "1"]

    def test_after_epoch_0_it_goes_on_too(self, script, client):
        script.on("GET", LIST, page(picture(0), more=True), page(picture(1)))
        assert [one.epoch for one in client.jobs.pictures("job_1")] == [0, 1]
        assert script.seen[-1].query["after"] == "0"


class TestOne:
    def test_is_the_newest_if_none_is_named(self, script, client):
        script.on("GET", f"{LIST}/latest", answer(PNG))
        script.on("GET", f"{LIST}/0", answer(b"first"))
        assert client.jobs.picture("job_1") == PNG
        assert client.jobs.picture("job_1", 0) == b"first"

    def test_a_missing_one_is_told(self, client):
        with pytest.raises(NotFound):
            client.jobs.picture("job_1", 7)


class TestDownload:
    def test_fetches_what_is_not_there_yet(self, script, client, folder):
        script.on("GET", LIST, page(picture(0)), page(picture(0), picture(1)))
        for epoch in (0, 1):
            script.on("GET", f"{LIST}/{epoch}", answer(PNG))
        assert client.jobs.download_pictures("job_1", folder) == (folder / "epoch-000000.png",)
        told: list[tuple[int, int]] = []
        paths = client.jobs.download_pictures("job_1", folder, on_progress=lambda done, total: told.append((done, total)))
        assert [path.read_bytes() for path in paths] == [PNG, PNG]
        assert told == [(len(PNG), 2 * len(PNG)), (2 * len(PNG), 2 * len(PNG))]
        assert len(script.sent("GET", f"{LIST}/0")) == 1
        assert sorted(folder.iterdir()) == sorted(paths)

    def test_names_one_that_moves_by_its_format(self, script, client, folder):
        script.on("GET", LIST, page(picture(3) | {"format": "webp"}))
        script.on("GET", f"{LIST}/3", answer(PNG))
        assert client.jobs.download_pictures("job_1", folder) == (folder / "epoch-000003.webp",)

    def test_what_was_drawn_anew_is_fetched_anew(self, script, client, folder):
        script.on("GET", LIST, page(picture(0)), page(picture(0, b"new")))
        script.on("GET", f"{LIST}/0", answer(PNG), answer(b"new"))
        client.jobs.download_pictures("job_1", folder)
        (path,) = client.jobs.download_pictures("job_1", folder)
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize("first", [answer(b"new"), problem(404, code="not_found")])
    def test_what_is_drawn_anew_meanwhile_is_asked_for_again(self, script, client, folder, first):
        script.on("GET", LIST, page(picture(0), picture(3)), page(picture(3, b"new")))
        script.on("GET", f"{LIST}/0", answer(PNG))
        script.on("GET", f"{LIST}/3", first, answer(b"new"))
        paths = client.jobs.download_pictures("job_1", folder)
        assert [path.read_bytes() for path in paths] == [PNG, b"new"]
        assert script.sent("GET", LIST)[-1].query == {"after": "2", "limit": "1"}

    def test_damaged_bytes_never_get_the_name(self, script, client, folder):
        script.on("GET", LIST, page(picture(0)))
        script.on("GET", f"{LIST}/0", answer(PNG[:-1] + b"?"))
        with pytest.raises(TransferFailed, match="came damaged"):
            client.jobs.download_pictures("job_1", folder)
        assert list(folder.iterdir()) == []

    def test_what_is_cut_off_is_fetched_again(self, script, client, folder):
        script.on("GET", LIST, page(picture(0)))
        script.on("GET", f"{LIST}/0", cut(PNG, 1000), answer(PNG))
        (path,) = client.jobs.download_pictures("job_1", folder)
        assert path.read_bytes() == PNG
