"""What programs with a page of their own need of the client: parts of lists, parts of uploads, and what their key is for."""

import json

from pretext_client.types import Sample

from tests.client.faults import answer, page

JOB = {"kind": "pretrain", "state": "running", "created_at": "2026-11-02T10:00:00Z"}


class TestParts:
    def test_no_more_is_asked_for_than_is_wanted(self, script, client):
        script.on("GET", "/v1/jobs", page({"id": "job_2", **JOB}, {"id": "job_1", **JOB}, more=True))
        assert [job.id for job in client.jobs.list(after="job_3", limit=2)] == ["job_2", "job_1"]
        (asked,) = script.seen
        assert asked.query == {"after": "job_3", "limit": "2"}

    def test_metrics_go_on_behind_a_step(self, script, client):
        script.on("GET", "/v1/jobs/job_1/metrics", page())
        assert list(client.jobs.metrics("job_1", after=40)) == []
        assert script.seen[0].query["after"] == "40"

    def test_samples_go_on_behind_an_index(self, script, client):
        script.on("GET", "/v1/datasets/ds_1/samples", page({"index": 6, "path": "a.png", "width": 3, "height": 4}))
        assert list(client.datasets.samples("ds_1", after=5, limit=1)) == [Sample(index=6, path="a.png", width=3, height=4)]
        assert script.seen[0].query == {"after": "5", "limit": "1"}


class TestUploads:
    def test_go_over_in_parts(self, script, client):
        script.on("POST", "/v1/uploads", answer(b"", 201, Location="/v1/uploads/up_1"))
        script.on("PATCH", "/v1/uploads/up_1", answer(b"", 204, Upload_Offset="3"))
        script.on("HEAD", "/v1/uploads/up_1", answer(b"", 200, Upload_Offset="3", Upload_Length="5"))
        script.on(
            "POST", "/v1/datasets", answer({"id": "ds_1", "name": "x", "state": "ingesting", "created_at": JOB["created_at"]}, 201)
        )
        begun = client.uploads.create(5, "x.zip")
        assert (begun.id, begun.offset) == ("up_1", 0)
        assert client.uploads.append("up_1", 0, b"abc").offset == 3
        assert (client.uploads.get("up_1").offset, client.uploads.get("up_1").length) == (3, 5)
        assert client.datasets.create("up_1", name="x").id == "ds_1"
        made = script.seen[-1]
        assert json.loads(made.body) == {"upload_id": "up_1", "name": "x", "kind": "auto"}
        assert script.seen[1].headers["upload-offset"] == "0"
        assert script.seen[1].body == b"abc"


class TestSchema:
    def test_has_what_its_references_stand_for(self, script, client):
        schemas = {
            "PretrainRequest": {"properties": {"optimizer": {"$ref": "#/components/schemas/Optimizer", "description": "How."}}},
            "Optimizer": {"type": "object", "description": "An optimizer."},
        }
        script.on("GET", "/openapi.json", answer({"components": {"schemas": schemas}}))
        assert client.job_schema() == {"properties": {"optimizer": {"type": "object", "description": "How."}}}


class TestFollowing:
    def test_ends_when_it_is_told_to(self, script, client):
        script.on("GET", "/v1/jobs/job_1/events", answer({"data": [], "has_more": False}))
        assert list(client.jobs.events("job_1", follow=True, stop=lambda: True)) == []
        assert script.seen == []
