from httpx import Client

from ssl_core.spec import ENCODERS, TASKS


class TestTasks:
    def test_every_task_is_there_with_documented_fields(self, client: Client):
        entries = client.get("/v1/tasks").json()["data"]
        assert [entry["name"] for entry in entries] == list(TASKS)
        for entry in entries:
            assert set(entry["defaults"]) == set(entry["schema"]["properties"])
            assert all(field["description"] for field in entry["schema"]["properties"].values())


class TestEncoders:
    def test_every_encoder_is_there(self, client: Client):
        entries = client.get("/v1/encoders").json()["data"]
        assert [entry["name"] for entry in entries] == list(ENCODERS)
        assert entries[0]["schema"]["properties"]["stem"]["description"]

    def test_each_says_what_it_looks_at(self, client: Client):
        tasks = {entry["name"]: entry["modality"] for entry in client.get("/v1/tasks").json()["data"]}
        assert (tasks["rotation"], tasks["clip_order"]) == ("image", "video")
        encoders = {entry["name"]: (entry["modality"], entry["min_frames"]) for entry in client.get("/v1/encoders").json()["data"]}
        assert (encoders["resnet18"], encoders["s3d"]) == (("image", 1), ("video", 8))
