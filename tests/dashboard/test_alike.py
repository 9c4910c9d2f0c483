"""Embeddings on the page of a model: neighbours, the map, and the way to them."""

import re

import pytest
from playwright.sync_api import expect
from pretext_client import Pretext

from tests.dashboard.conftest import Compared, Running

pytestmark = pytest.mark.timeout(60, func_only=True)  # what comes before, waits with timeouts of its own


def test_neighbours_of_any_sample_are_found(open_page, running: Running, compared: Compared):
    with Pretext(running.url, running.key) as client:
        near = client.embeddings.neighbors(compared.embedding_id, 5).data
        of_those = client.embeddings.neighbors(compared.embedding_id, near[1].index)
    page = open_page(f"/models/{running.model_id}")
    expect(page.get_by_role("img", name=re.compile("^Map of 64 samples by their embeddings: "))).to_be_visible()
    page.get_by_role("spinbutton", name="Sample").fill("5")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".alike-chosen")).to_contain_text("Sample 5, ")
    found = page.locator(".thumb")
    expect(found.locator("span")).to_have_text([f"{one.label} · {one.similarity:.2f}" for one in near])
    sources = found.locator("img").evaluate_all("images => images.map(image => image.getAttribute('src'))")
    assert [int(re.search(r"samples/(\d+)", source)[1]) for source in sources] == [one.index for one in near]
    found.nth(1).click()
    expect(page.locator(".alike-chosen")).to_contain_text(f"Sample {near[1].index}, {of_those.path}")
    expect(page.get_by_role("spinbutton", name="Sample")).to_have_value(str(near[1].index))


@pytest.mark.usefixtures("compared")
def test_the_map_shows_a_picture_at_the_pointer_and_what_is_like_it_at_a_click(open_page, running: Running):
    page = open_page(f"/models/{running.model_id}")
    chart = page.get_by_role("img", name=re.compile("^Map of 64 samples"))
    expect(page.locator(".thumb").first).to_be_visible()
    chart.scroll_into_view_if_needed()
    box, pointed = chart.bounding_box(), page.locator(".pointed")
    for x, y in ((x, y) for y in range(60, 400, 8) for x in range(10, int(box["width"]) - 10, 8)):
        page.mouse.move(box["x"] + x, box["y"] + y)
        if pointed.is_visible():
            break
    index = re.search(r"\d+$", pointed.inner_text())[0]
    assert f"/samples/{index}?" in pointed.locator("img").get_attribute("src")
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".alike-chosen")).to_contain_text(f"Sample {index}, ")


def test_without_embeddings_a_click_makes_them(open_page, running: Running, compared: Compared):
    page = open_page(f"/models/{compared.other_model_id}")
    expect(page.get_by_role("heading", name="No embeddings yet")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Embed ")).click()
    expect(page.get_by_role("link", name="see the job")).to_be_visible()
    with Pretext(running.url, running.key) as client:
        (job,) = client.jobs.list(kind="embed", model_id=compared.other_model_id, limit=5)
        assert job.dataset_id == running.dataset_id
        client.jobs.cancel(job.id)
    expect(page.get_by_role("heading", name="No embeddings yet")).to_be_visible()
