import json
import re
from collections.abc import Iterable
from pathlib import Path

import httpx
import pynvml
import pytest
import yaml
from fastapi import FastAPI
from prometheus_client.metrics_core import Metric

from records.database import Database
from records.settings import Settings
from tests.api.conftest import KEY
from worker.gpus import GpuCollector
from worker.metrics import Figures

TOKEN = "a-token-for-prometheus"
DEPLOY = Path(__file__).parents[2] / "deploy"
ENDINGS = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings.model_validate({**settings.model_dump(), "metrics_token": TOKEN})


def names(families: Iterable[Metric]) -> set[str]:
    return {f"{family.name}{ending}" for family in families for ending in ENDINGS.get(family.type, [""])}


@pytest.fixture
def exported(app: FastAPI, settings: Settings) -> set[str]:
    """All that the API and a worker with a GPU can tell."""
    worker = Figures(settings, Database(settings.database), dict)
    worker.close()
    families = [*app.state.figures.registry.collect(), *worker.registry.collect(), *GpuCollector(pynvml).collect()]
    return names(families)


class TestWhoReads:
    def test_the_token_opens_figures_and_nothing_else(self, stranger: httpx.Client):
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        told = stranger.get("/metrics", headers=bearer)
        assert told.status_code == 200
        assert told.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "pretext_database_up 1.0" in told.text
        assert stranger.get("/v1/jobs", headers=bearer).status_code == 401

    @pytest.mark.parametrize("key", [None, "wrong", f"{TOKEN}x"])
    def test_nobody_else_does(self, stranger: httpx.Client, key: str | None):
        assert stranger.get("/metrics", headers={"Authorization": f"Bearer {key}"} if key else {}).status_code == 401

    def test_an_administrator_does(self, stranger: httpx.Client):
        assert stranger.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


class TestRequests:
    def test_are_counted_by_their_route_and_never_by_their_address(self, client: httpx.Client):
        for path in ("/v1/jobs/job_a", "/v1/jobs/job_b", "/nowhere/a", "/nowhere/b"):
            assert client.get(path).status_code == 404
        told = client.get("/metrics").text
        assert 'pretext_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="404"} 2.0' in told
        assert 'pretext_http_requests_total{method="GET",route="(none)",status="404"} 2.0' in told
        assert "/v1/jobs/job_" not in told
        assert "/nowhere" not in told


def alerts() -> list[str]:
    found = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    return [rule["expr"] for group in found["groups"] for rule in group["rules"]]


def panels() -> list[str]:
    found = json.loads((DEPLOY / "grafana" / "pretext-server.json").read_text())
    return [target["expr"] for panel in found["panels"] for target in panel["targets"]]


class TestDeployed:
    @pytest.mark.parametrize("expressions", [alerts(), panels()], ids=["alerts", "dashboard"])
    def test_every_figure_that_is_named_is_exported(self, exported: set[str], expressions: list[str]):
        named = set(re.findall(r"\bpretext_\w+", " ".join(expressions)))
        assert len(named) > 8
        assert named - exported == set()

    def test_prometheus_reads_the_rules_that_are_there(self):
        found = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        assert all((DEPLOY / "prometheus" / name).is_file() for name in found["rule_files"])
