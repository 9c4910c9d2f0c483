"""`pretext-server api` in two processes that share a port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from records.queries import keys
from tests.chaos.town import free_port
from tests.launcher.test_server import until

KEY = keys.make()
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def api(tmp_path: Path, sqlite_url: str, valkey: str) -> Iterator[tuple[psutil.Process, str]]:
    port = free_port()
    environment = {
        **os.environ,
        "PRETEXT_DATA_DIR": str(tmp_path / "data"),
        "PRETEXT_DATABASE_URL": sqlite_url,
        "PRETEXT_BROKER_URL": valkey,
        "PRETEXT_API_KEY": KEY,
        "PRETEXT_PORT": str(port),
        "PRETEXT_API_PROCESSES": "2",
        "PRETEXT_REQUESTS_PER_MINUTE": "0",
    }
    with (tmp_path / "api.log").open("wb") as log:
        started = subprocess.Popen([sys.executable, "-m", "launcher", "api"], env=environment, stdout=log, stderr=log)
    process = psutil.Process(started.pid)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: len(answering(url)) == 1 and len(process.children()) == 2)
        yield process, url
    finally:
        children = process.children() if process.is_running() else []
        started.send_signal(signal.SIGTERM)
        started.wait(20)
        assert not any(child.is_running() for child in children)


def answering(url: str) -> list[int]:
    """The status of an answer over a new connection; nothing if there is none."""
    try:
        return [httpx.get(f"{url}/v1/jobs", headers=HEADERS, timeout=20, trust_env=False).status_code]
    except httpx.TransportError:
        return []


def counted(url: str) -> int:
    told = httpx.get(f"{url}/metrics", headers=HEADERS, timeout=20, trust_env=False).text
    found = re.search(r'pretext_http_requests_total\{method="GET",route="/v1/jobs",status="200"\} (\d+)', told)
    assert "pretext_database_up 1.0" in told
    return int(found[1]) if found else 0


class TestProcesses:
    def test_count_together_and_answer_for_one_that_dies(self, api: tuple[psutil.Process, str]):
        process, url = api
        before = counted(url)
        for _ in range(30):
            assert answering(url) == [200]
        assert counted(url) == counted(url) == before + 30
        dead, other = process.children()
        dead.kill()
        until(lambda: not dead.is_running() or dead.status() == psutil.STATUS_ZOMBIE)
        assert answering(url) == [200]
        assert counted(url) == before + 31
        until(lambda: len(process.children()) == 2 and dead not in process.children())
        assert other in process.children()
