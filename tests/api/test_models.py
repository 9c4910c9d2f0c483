import base64
from hashlib import sha256

import pytest
from httpx import Client

from api.services import Services
from records.models import ModelFile
from tests import factories

CONTENT = bytes(range(256)) * 40
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
def url(services: Services) -> str:
    with services.blobs.writer("models/m/encoder.safetensors") as writer:
        writer.write(CONTENT)
    file = ModelFile(name="encoder.safetensors", key="models/m/encoder.safetensors", bytes=len(CONTENT), sha256=DIGEST)
    with services.database.write() as session:
        model_id = factories.model(session, files=[file]).id
    return f"/v1/models/{model_id}/files/encoder.safetensors"


class TestDownload:
    def test_gives_the_file_and_its_digest(self, client: Client, url: str):
        answer = client.get(url)
        assert answer.content == CONTENT
        assert answer.headers["ETag"] == f'"{DIGEST}"'
        assert base64.b64decode(answer.headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")).hex() == DIGEST
        assert "attachment" in answer.headers["Content-Disposition"]

    def test_gives_a_part(self, client: Client, url: str):
        answer = client.get(url, headers={"Range": "bytes=100-199", "If-Range": f'"{DIGEST}"'})
        assert (answer.status_code, answer.content) == (206, CONTENT[100:200])
        assert answer.headers["Content-Range"] == f"bytes 100-199/{len(CONTENT)}"

    def test_gives_the_whole_if_the_part_is_of_another_file(self, client: Client, url: str):
        answer = client.get(url, headers={"Range": "bytes=100-", "If-Range": '"other"'})
        assert (answer.status_code, answer.content) == (200, CONTENT)

    def test_a_part_behind_the_end_is_refused(self, client: Client, url: str):
        assert client.get(url, headers={"Range": "bytes=999999-"}).status_code == 416

    def test_gives_nothing_to_who_has_it(self, client: Client, url: str):
        answer = client.get(url, headers={"If-None-Match": f'"{DIGEST}"'})
        assert (answer.status_code, answer.content) == (304, b"")

    def test_head_gives_the_size(self, client: Client, url: str):
        answer = client.head(url)
        assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, str(len(CONTENT)), b"")

    def test_an_unknown_file_is_told_by_what_there_is(self, client: Client, url: str):
        answer = client.get(url.replace("encoder.safetensors", "nothing"))
        assert answer.status_code == 404
        assert "it has encoder.safetensors" in answer.json()["detail"]


class TestList:
    def test_lists_and_reads(self, client: Client, url: str):
        (model,) = client.get("/v1/models", params={"task": "rotation"}).json()["data"]
        assert model["files"][0]["url"] == url
        assert client.get(f"/v1/models/{model['id']}").json() == model
        assert client.get("/v1/models", params={"task": "jigsaw"}).json()["data"] == []
