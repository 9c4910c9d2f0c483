"""Thousands of requests made from the OpenAPI document: none is a defect, and every answer is as the document says.

`make contract` asks for more, and says how many there were; `SCHEMATHESIS_EXAMPLES` is how many for each operation.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from api.services import Services
from records.queries import aliases, events, keys, members, uploads
from records.settings import Settings
from ssl_core.spec import DatasetFacts, PretrainSpec, resolve
from tests import factories
from tests.api.conftest import KEY

TAGS = ["uploads", "datasets", "catalogue", "jobs", "models", "evaluations", "embeddings", "administration"]
NEVER = "^/v1/keys/"
"""It would revoke the key that it is asked with."""
ANY = "^(?!/v1/keys/)"
FEW = 4
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", FEW))
POSTED = ["uploads", "datasets", "models", "administration"]
"""Tags that something is made of by POST; apart from the rest, so that no test takes long."""
OF_FILES = r"/(files|pictures|samples|thumbnail|report|labels|embed|previews|map)(/|$)"
"""Calls that need the files of a record, which those made here have not, or a worker."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A server that embeds nothing has no worker to wait for."""
    return settings.model_copy(update={"requests_per_minute": 0, "embed_seconds": 0.05})


@pytest.fixture
def known(services: Services) -> dict[str, str]:
    """Ids of records that are there."""
    with services.database.write() as session:
        dataset = factories.dataset(session, images=2000, labels=["cat", "dog"], kind="image")
        spec = resolve(PretrainSpec.model_validate({"task": {"name": "rotation"}}), DatasetFacts(images=2000, median_side=32))
        job = factories.job(session, dataset_id=dataset.id, spec=spec.model_dump(mode="json"))
        events.put_metrics(session, job.id, 1, [{"time": 0, "step": 1, "epoch": 1, "values": {"loss": 1.0}}])
        key, _ = keys.create(session, "another key", "read")
        model_id = factories.model(session).id
        aliases.make(session, "production", model_id)
        return {
            "alias": "production",
            "dataset_id": dataset.id,
            "job_id": job.id,
            "model_id": model_id,
            "evaluation_id": factories.evaluation(session).id,
            "embedding_id": factories.embedding(session).id,
            "key_id": key.id,
            "member_id": members.create(session, "Ada", "write").id,
            "upload_id": uploads.create(session, filename="a", size=9, meta="", hours=1, most=9, most_bytes=99).id,
        }


def ask(address: str, folder: Path, *options: str, parameters: dict[str, str] | None = None) -> str:
    """Run schemathesis against a server, and give what it says of it; the test fails where the server does."""
    lines = ["[parameters]", *(f'"{name}" = "{value}"' for name, value in (parameters or {}).items())]
    (folder / "schemathesis.toml").write_text("\n".join(lines) + "\n")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--no-color", "--continue-on-failure"),
        *("-H", f"Authorization: Bearer {KEY}", "--checks", "all", "--warnings", "off", "--request-timeout", "20"),
        # What a document can say is not all there is to a request: a name that nobody has, a moment that has passed.
        *("--exclude-checks", "positive_data_acceptance", "--suppress-health-check", "all", "--generation-database", "none"),
        *options,
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.api.contract_hooks", "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def cases(told: str) -> int:
    """How many requests there were; shown with `pytest -s`."""
    found = re.search(r"([\d,]+) generated", told)
    assert found is not None, told
    print(f"{found[1]} cases")
    return int(found[1].replace(",", ""))


class TestDocument:
    def test_every_tag_is_asked(self, app: FastAPI):
        asked = [
            (tag, method.upper())
            for methods in app.openapi()["paths"].values()
            for method, told in methods.items()
            for tag in told["tags"]
            if tag != "health"
        ]
        assert {tag for tag, _ in asked} == set(TAGS)
        assert {tag for tag, method in asked if method == "POST"} == {*POSTED, "jobs"}
        assert {method for _, method in asked} <= {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"}


@pytest.mark.parametrize(
    ("tag", "methods", "paths"),
    [
        *((tag, "GET|HEAD|PUT|PATCH|DELETE|OPTIONS", ANY) for tag in TAGS),
        *((tag, "POST", ANY) for tag in POSTED),
        ("jobs", "POST", "^/v1/jobs/"),
        ("jobs", "POST", "^/v1/jobs$"),
    ],
)
class TestAnswers:
    def test_to_whatever_the_document_allows_or_forbids(self, address: str, tmp_path: Path, tag: str, methods: str, paths: str):
        # A job's body alone has thousands of corners.
        phases, examples = (
            ("fuzzing", FEW * 5) if (tag, methods, EXAMPLES) == ("jobs", "POST", FEW) else ("coverage,fuzzing", EXAMPLES)
        )
        told = ask(
            address, tmp_path, "--include-tag-regex", f"^{tag}$", "--phases", phases, "--max-examples", str(examples),
            "--include-method-regex", methods, "--include-path-regex", paths,
        )  # fmt: skip
        assert cases(told) > 10


class TestRecords:
    def test_that_are_there(self, address: str, tmp_path: Path, known: dict[str, str]):
        told = ask(
            address, tmp_path, "--phases", "fuzzing", "--max-examples", str(EXAMPLES), "--mode", "positive",
            "--exclude-method", "DELETE", "--exclude-path-regex", OF_FILES, parameters=known,
        )  # fmt: skip
        assert cases(told) > 100


class TestSequences:
    def test_of_what_is_made_changed_and_deleted(self, address: str, tmp_path: Path):
        told = ask(address, tmp_path, "--phases", "stateful", "--max-examples", str(EXAMPLES), "--exclude-path-regex", NEVER)
        assert cases(told) > 30
