"""`python -m docs.screenshots`: take the pictures of the web page, each of a real server that has really trained.

A server is started in a throw-away folder, pictures are uploaded, an encoder is trained and evaluated, and a Chromium without a
screen looks at the page. The pictures are generated, or those of `--pictures`. To show another page, add a line to `SHOTS`.
"""

import argparse
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from pretext_client import Dataset, Pretext

from docs.packing import OUT, pack
from launcher import motions, shapes
from launcher.server import Server
from records.settings import Settings

DESKTOP, PHONE = (1280, 800), (390, 844)
"""Width and height of the window, in CSS pixels."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 30_000
"""Milliseconds that a page may take."""
_PHONE_SCALE = 2
_PICTURES, _CLIPS, _SIDE = 1200, 60, 64
_STEPS, _LONG_STEPS = 360, 3000
_PROTOCOLS: list[str | Mapping[str, Any]] = [
    "knn",
    "linear",
    {"name": "label_efficiency", "labels_per_class": [1, 5, 20, 50], "steps": 60},
]


@dataclass(frozen=True)
class Shot:
    """A picture of a page."""

    name: str
    """Of its file, without the ending."""
    address: str
    """With `{dataset}`, `{job}`, `{model}`, `{evaluation}` and `{running}`, a job that is running, in place of ids."""
    window: tuple[int, int] = DESKTOP
    below: str = ""
    """A heading that is scrolled to; empty: the top of the page."""
    until: str = ""
    """A text that comes after the rest of the page, and is waited for."""


SHOTS = (
    Shot("page_datasets", "/datasets"),
    Shot("page_dataset", "/datasets/{dataset}"),
    Shot("page_new_job", "/new-job?dataset={dataset}", until="Takes about"),
    Shot("page_jobs", "/jobs"),
    Shot("page_running", "/jobs/{running}"),
    Shot("page_curves", "/jobs/{job}", below="Curves"),
    Shot("page_model", "/models/{model}"),
    Shot("page_workers", "/workers"),
    Shot("page_job_phone", "/jobs/{job}", PHONE),
    Shot("page_new_job_phone", "/new-job?dataset={dataset}", PHONE),
)
"""Every picture, in the order in which it is taken."""


def main() -> None:
    """Take them all, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which (default: all): {', '.join(shot.name for shot in SHOTS)}")
    parser.add_argument("--pictures", type=Path, help="a folder or an archive of pictures with class folders, such as CIFAR-10")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the pictures (default: docs/images)")
    given = parser.parse_args()
    if unknown := set(given.names) - {shot.name for shot in SHOTS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    shots = [shot for shot in SHOTS if not given.names or shot.name in given.names]
    with tempfile.TemporaryDirectory(prefix="pretext-page-") as folder:
        root = Path(folder)
        settings = Settings(data_dir=root / "data", port=0, device="cpu", workers=2)
        with Server(settings, logs=root / "logs") as server, Pretext(server.url, server.key) as client:
            ids = _filled(client, root, given.pictures)
            assert server.sign_in_url is not None
            with _browser() as browser:
                take(browser, server.url, server.sign_in_url, ids, shots, given.out)
            client.jobs.cancel(ids["running"])


def take(browser: Browser, url: str, sign_in: str, ids: dict[str, str], shots: list[Shot], out: Path) -> None:
    """Take pictures of a server's page.

    Args:
        browser: that looks at it.
        url: where the page is.
        sign_in: a link that signs in; it is used once.
        ids: of what the addresses of the shots name.
        shots: which.
        out: folder for the pictures.
    """
    first = browser.new_context()
    first.new_page().goto(sign_in)
    cookies = first.cookies()
    for shot in shots:
        scale = _PHONE_SCALE if shot.window == PHONE else 1
        width, height = shot.window
        context = browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme="light", reduced_motion="reduce"
        )
        context.add_cookies([{"name": one["name"], "value": one["value"], "url": url} for one in cookies])
        taken = _looked_at(context, url + shot.address.format(**ids), shot)
        pack([Image.open(io.BytesIO(taken)).convert("RGB")], out / f"{shot.name}.webp")
        context.close()


def _looked_at(context: BrowserContext, address: str, shot: Shot) -> bytes:
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("h1")).to_be_visible(timeout=_PATIENCE)
    expect(page.locator(".skeleton, .task-picture.loading")).to_have_count(0, timeout=_PATIENCE)
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth)")
    if shot.until:
        expect(page.get_by_text(shot.until)).to_be_visible(timeout=_PATIENCE)
    if shot.below:
        page.get_by_role("heading", name=shot.below).evaluate("heading => heading.parentElement.scrollIntoView()")
    return page.screenshot()


@contextmanager
def _browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def _filled(client: Pretext, root: Path, pictures: Path | None) -> dict[str, str]:
    """Upload, train and evaluate, and have something running; the ids of it all."""
    clips = root / "clips.zip"
    motions.write_zip(clips, motions.generate(_CLIPS, size=_SIDE))
    client.datasets.wait(client.datasets.upload(clips, name="Drone clips").id)
    dataset = _uploaded(client, pictures) if pictures else _drawn(client, root)
    encoder = {"name": "tiny"}
    job = client.jobs.create(dataset.id, task="rotation", encoder=encoder, image_size=32, steps=_STEPS, batch_size=64)
    job = client.jobs.wait(job.id, check=True)
    assert job.model_id is not None
    evaluated = client.jobs.wait(client.jobs.evaluate(job.model_id, dataset.id, protocols=_PROTOCOLS).id, check=True)
    assert evaluated.evaluation_id is not None
    client.jobs.wait(client.jobs.embed(job.model_id, dataset.id).id, check=True)
    running = client.jobs.create(dataset.id, task="simclr", encoder=encoder, image_size=32, steps=_LONG_STEPS, batch_size=64)
    for event in client.jobs.events(running.id, follow=True):
        if event.type == "picture" and event.data["epoch"] >= 5:
            break
    return {
        "dataset": dataset.id,
        "job": job.id,
        "model": job.model_id,
        "evaluation": evaluated.evaluation_id,
        "running": running.id,
    }


def _uploaded(client: Pretext, pictures: Path) -> Dataset:
    return client.datasets.wait(client.datasets.upload(pictures).id)


def _drawn(client: Pretext, root: Path) -> Dataset:
    """Generated pictures in one folder, labelled by a table, with a file among them that is none."""
    folder, table = root / "things", root / "labels.csv"
    folder.mkdir()
    images, kinds, names = shapes.generate(_PICTURES, size=_SIDE)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:05}.png")
    (folder / "notes.txt").write_text("Not a picture: the report of the upload names it.\n", encoding="utf-8")
    rows = [f"{number:05}.png,{names[kind]}" for number, kind in enumerate(kinds)]
    table.write_text("\n".join(["file,label", *rows, ""]), encoding="utf-8")
    dataset = client.datasets.wait(client.datasets.upload(folder, name="Things").id)
    client.datasets.label(dataset.id, table)
    return dataset


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # others may want the cores, too
    main()
