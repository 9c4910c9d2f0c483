"""A whole server, started as people start it, and a real Chromium that uses its page."""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pretext_client import Pretext

from launcher.shapes import generate, write_zip

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
PATIENCE = 20_000
"""Milliseconds that a browser waits for what has to come; other tests run beside."""


@dataclass(frozen=True)
class Running:
    """A server with one labelled dataset and one job that has been trained."""

    url: str
    link: str
    """Signs in once."""
    key: str
    dataset_id: str
    job_id: str
    model_id: str
    folder: Path


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("page")
    command = [sys.executable, "-m", "launcher", "up", "--data-dir", str(folder / "data"), "--port", "0", "--device", "cpu"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRETEXT_")}
    environment |= {"PRETEXT_WEBHOOK_HTTP": "true", "PRETEXT_WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        printed = ""
        while "api-key" not in printed:
            line = process.stdout.readline()
            assert line, f"the server ended: {printed}"
            printed += line
        link = re.search(r"http://\S+/sign-in/once\S+", printed)
        assert link is not None
        url = link[0].partition("/sign-in")[0]
        key = (folder / "data" / "api-key").read_text().strip()
        with Pretext(url, key) as client:
            images, kinds, names = generate(count=64, seed=0, size=32)
            _write(folder / "things.zip", images, [names[kind] for kind in kinds])
            dataset = client.datasets.wait(client.datasets.upload(folder / "things.zip", name="Things").id)
            job = client.jobs.create(dataset.id, task="rotation", encoder="tiny", epochs=3, batch_size=16, formats=[])
            job = client.jobs.wait(job.id, timeout=120, check=True)
        yield Running(url, link[0], key, dataset.id, job.id, str(job.model_id), folder)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass(frozen=True)
class Told:
    """A webhook at an address where nobody answers, and something that was sent to it."""

    webhook_id: str
    delivery_id: str


@pytest.fixture(scope="session")
def told(running: Running) -> Told:
    with Pretext(running.url, running.key) as client:
        webhook = client.webhooks.create("http://127.0.0.1:9/hook")
        return Told(webhook.id, client.webhooks.test(webhook.id).id)


@dataclass(frozen=True)
class Compared:
    """A second training, and an evaluation of the first one's model, and embeddings by it."""

    other_id: str
    """The second job; it trained by another task."""
    evaluation_id: str
    """Of the first model."""
    other_model_id: str
    """Of the second job; nothing was done with it."""
    embedding_id: str
    """By the first model."""


_PROTOCOLS = (
    {"name": "knn", "k": 3},
    "linear",
    {"name": "label_efficiency", "labels_per_class": [1, "all"], "draws": 2, "steps": 3, "learning_rates": [0.01]},
)


@pytest.fixture(scope="session")
def compared(running: Running) -> Compared:
    with Pretext(running.url, running.key) as client:
        other = client.jobs.create(
            running.dataset_id, task="relative_position", encoder="tiny", epochs=1, batch_size=16, formats=[]
        )
        evaluation = client.jobs.evaluate(running.model_id, running.dataset_id, protocols=_PROTOCOLS)
        embeddings = client.jobs.embed(running.model_id, running.dataset_id)
        found = [client.jobs.wait(one.id, timeout=120, check=True) for one in (other, evaluation, embeddings)]
    trained, evaluated, embedded = found
    return Compared(
        other_id=other.id,
        evaluation_id=str(evaluated.evaluation_id),
        other_model_id=str(trained.model_id),
        embedding_id=str(embedded.embedding_id),
    )


def _write(path: Path, images, labels: list[str]) -> None:
    """An archive with class folders, and a member that is no image."""
    plain = path.with_name("plain.zip")
    write_zip(plain, images)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for member, label in zip(sorted(source.namelist()), labels, strict=True):
            target.writestr(f"{label}/{Path(member).name}", source.read(member))
        target.writestr("notes.txt", "not a picture")


@pytest.fixture(scope="module")
def browser():
    """Not longer than a module: while it lives, this thread has a running event loop, which other tests want to make themselves."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_api.sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("there is no Chromium: `make browser` installs one")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def signed_in(browser, running: Running, key: str, path: str):
    """A page of a browser of its own, signed in with a key."""
    page = browser.new_page()
    page.goto(f"{running.url}/sign-in?to={path}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    sync_api.expect(page.locator("h1")).to_be_visible(timeout=PATIENCE)
    return page


@pytest.fixture(scope="module")
def session_cookies(browser, running: Running):
    """Cookies of a browser that has signed in with the key."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{running.url}/sign-in")
    page.get_by_label("API key").fill(running.key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{running.url}/")
    cookies = context.cookies()
    context.close()
    return cookies


@pytest.fixture
def open_page(browser, running: Running, session_cookies) -> Iterator[Callable]:
    """Open an address, signed in; what the browser complains of fails the test."""
    contexts, complaints, answers = [], [], []

    def open_(path: str, *, width: int = 1280, theme: str = "light", strict: bool = True):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
        context.add_cookies(session_cookies)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if strict and message.type == "error" else None)
        page.on("response", lambda answer: answers.append(answer) if answer.status >= 500 else None)
        page.goto(running.url + path)
        sync_api.expect(page.locator("h1")).to_be_visible(timeout=PATIENCE)
        return page

    yield open_
    told = [f"{answer.url}: {answer.status} {answer.text()}" for answer in answers] if complaints else []
    if complaints:
        print("".join((running.folder / "log").read_text().splitlines(keepends=True)[-40:]))
    for context in contexts:
        context.close()
    assert complaints == [], told


@pytest.fixture(autouse=True)
def _patient():
    sync_api.expect.set_options(timeout=PATIENCE)


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
