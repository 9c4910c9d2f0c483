"""Changes, filters and aliases: by the client and the command, against a real server."""

import json
from collections.abc import Callable, Iterator

import pytest
from pretext_client import Pretext
from pretext_client.cli import app as command
from pretext_client.errors import ApiError, NotFound
from typer.testing import CliRunner

from tests import factories
from tests.api.conftest import KEY, address, app, services

__all__ = ["address", "app", "services"]


@pytest.fixture
def client(address: str) -> Iterator[Pretext]:
    with Pretext(address, KEY) as client:
        yield client


@pytest.fixture
def run(address: str) -> Callable[..., object]:
    def run(*arguments: str) -> object:
        done = CliRunner().invoke(command, ["--url", address, "--api-key", KEY, "--json", *arguments])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


@pytest.fixture
def ids(services) -> dict[str, str]:
    with services.database.write() as session:
        dataset = factories.dataset(session, name="birds")
        return {
            "datasets": dataset.id,
            "models": factories.model(session).id,
            "jobs": factories.job(session, kind="ingest", dataset_id=dataset.id, spec={"filename": "a.zip"}).id,
            "evaluations": factories.evaluation(session).id,
            "embeddings": factories.embedding(session).id,
        }


@pytest.mark.parametrize("noun", ["datasets", "models", "jobs", "evaluations", "embeddings"])
class TestUpdate:
    def test_by_the_client(self, client: Pretext, ids: dict[str, str], noun: str):
        things = getattr(client, noun)
        etag = things.etag(ids[noun])
        changed = things.update(ids[noun], metadata={"place": "Oslo"}, if_match=etag)
        assert changed.metadata == {"place": "Oslo"}
        with pytest.raises(ApiError) as refused:
            things.update(ids[noun], metadata={"place": "Bergen"}, if_match=etag)
        assert (refused.value.status, refused.value.code) == (412, "precondition_failed")
        assert [one.id for one in things.list(metadata={"place": "Oslo"})] == [ids[noun]]
        assert list(things.list(metadata={"place": "Bergen"})) == []

    def test_by_the_command(self, run: Callable[..., object], client: Pretext, ids: dict[str, str], noun: str):
        run(noun, "update", ids[noun], "--metadata", "place=Oslo", "--metadata", "a=b=c")
        told = run(noun, "update", ids[noun], "--without", "place")
        assert told["metadata"] == {"a": "b=c"}  # type: ignore[index]
        assert getattr(client, noun).get(ids[noun]).metadata == {"a": "b=c"}


class TestCommand:
    def test_renames_and_finds(self, run: Callable[..., list[dict[str, object]]], ids: dict[str, str]):
        run("datasets", "rename", "birds", "birds of Oslo")
        assert [one["id"] for one in run("datasets", "list", "--name", "birds of Oslo")] == [ids["datasets"]]
        run("models", "rename", ids["models"], "best")
        run("models", "update", ids["models"], "--metadata", "team=birds")
        assert [one["id"] for one in run("models", "list", "--name", "best", "--metadata", "team=birds")] == [ids["models"]]
        assert run("models", "list", "--metadata", "team=fish") == []
        assert run("jobs", "list", "--task", "rotation") == []
        assert [one["id"] for one in run("jobs", "list", "--dataset", "birds of Oslo")] == [ids["jobs"]]

    def test_says_what_is_no_note(self, address: str):
        for arguments in (["models", "list", "--metadata", "x"], ["models", "update", "model_1"]):
            done = CliRunner().invoke(command, ["--url", address, "--api-key", KEY, *arguments])
            assert done.exit_code == 2
            assert "KEY=VALUE" in done.output or "key=value" in done.output


class TestAliases:
    def test_by_the_client(self, client: Pretext, services, ids: dict[str, str]):
        with services.database.write() as session:
            other = factories.model(session).id
        assert client.aliases.put("production", ids["models"], new=True).model_id == ids["models"]
        with pytest.raises(ApiError, match="there already"):
            client.aliases.put("production", other, new=True)
        assert client.models.get("production").aliases == ("production",)
        client.aliases.put("production", other)
        assert (client.models.get("production").id, client.aliases.get("production").model_id) == (other, other)
        assert [one.name for one in client.aliases.list(model_id=other)] == ["production"]
        assert list(client.aliases.list(model_id=ids["models"])) == []
        client.models.delete(ids["models"])
        with pytest.raises(ApiError, match="production"):
            client.models.delete(other)
        client.aliases.delete("production")
        with pytest.raises(NotFound):
            client.models.get("production")

    def test_by_the_command(self, run: Callable[..., object], ids: dict[str, str]):
        run("models", "alias", "production", ids["models"])
        assert run("models", "show", "production")["id"] == ids["models"]  # type: ignore[index]
        assert [one["name"] for one in run("models", "aliases")] == ["production"]  # type: ignore[union-attr]
        run("models", "unalias", "production")
        assert run("models", "aliases") == []
