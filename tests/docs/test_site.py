"""The site as it is built: strictly, with nothing in it that has to be fetched."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from tests.docs.blocks import ROOT


class Loaded(HTMLParser):
    """Addresses of what a page loads by itself; its links are not among them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "video"} and given.get("src"):
            self.found.append(given["src"])
        if tag == "link" and given.get("href") and given.get("rel") not in {"prev", "next", "canonical"}:
            self.found.append(given["href"])


def build(target: Path) -> None:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)]
    built = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr


def test_builds_strictly_with_all_links_and_fetches_nothing(tmp_path):
    build(tmp_path)
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 70
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        for address in loaded.found:
            assert not re.match(r"(https?:)?//", address), f"{page.name} loads {address}"
            target = tmp_path / address[1:] if address.startswith("/") else page.parent / address.split("?")[0].split("#")[0]
            assert target.exists(), f"{page.name} loads {address}, which is not there"
        assert "<!-- made:" not in page.read_text(encoding="utf-8")
    searched = json.loads((tmp_path / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    places = {one["location"].split("#")[0] for one in searched}
    assert {
        "tasks/rotation.html",
        "reference/http/jobs.html",
        "reference/python/jobs.html",
        "decisions/0001-the-database-owns-jobs.html",
    } <= places
    assert not list(tmp_path.rglob("*.py"))
