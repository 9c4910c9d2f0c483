"""What the page tells of a dataset, and what can be changed of it."""

import zipfile
from concurrent.futures import ThreadPoolExecutor

import httpx
from playwright.sync_api import expect
from pretext_client import Pretext

from tests.dashboard.conftest import Running
from tests.dashboard.test_pages import wrongs


def test_samples_are_enlarged_refused_files_listed_and_the_name_changed(open_page, running: Running, tmp_path):
    upload = tmp_path / "mixed.zip"
    with zipfile.ZipFile(running.folder / "plain.zip") as source, zipfile.ZipFile(upload, "w") as target:
        first = min(source.namelist())
        target.writestr("one/picture.png", source.read(first))
        for number in range(53):
            target.writestr(f"with/a/long/path/that/has/to/be/broken/somewhere/note-{number:02}.txt", "no picture")
    with Pretext(running.url, running.key) as client:
        dataset = client.datasets.wait(client.datasets.upload(upload, name="Mixed").id)
        page = open_page(f"/datasets/{dataset.id}", width=360)
        page.get_by_role("button", name="one/picture.png, 32 x 32 pixels").click()
        shown = page.get_by_role("dialog").get_by_role("img", name="one/picture.png")
        expect(shown).to_have_js_property("complete", True)
        assert wrongs(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="one/picture.png, 32 x 32 pixels")).to_be_focused()

        rows = page.get_by_role("region", name="Refused files").locator("tbody tr")
        expect(rows).to_have_count(50)
        expect(page.get_by_text("Not an image (53)")).to_be_visible()
        page.get_by_role("button", name="Show more refused files").click()
        expect(rows).to_have_count(53)
        expect(rows.last).to_contain_text("note-52.txt")
        expect(page.get_by_role("button", name="Show more refused files")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wrongs(page) == []

        page.get_by_role("button", name="Rename").click()
        page.get_by_role("textbox", name="Name").fill("One picture")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="One picture")).to_be_visible()
        assert client.datasets.get(dataset.id).name == "One picture"


class TestPictures:
    def test_many_are_asked_for_at_once(self, running: Running, session_cookies):
        """More than the server has threads, each of which has to ask the API in the same process."""
        cookies = {cookie["name"]: cookie["value"] for cookie in session_cookies}

        limits = httpx.Limits(max_connections=160)
        with (
            httpx.Client(base_url=running.url, cookies=cookies, timeout=60, limits=limits) as browser,
            ThreadPoolExecutor(160) as threads,
        ):
            addresses = [f"/files/datasets/{running.dataset_id}/samples/{at % 64}?size={64 + at}" for at in range(160)]
            answers = list(threads.map(browser.get, addresses))
        assert {(answer.status_code, answer.headers["content-type"]) for answer in answers} == {(200, "image/webp")}
