"""What tasks do to a dataset, on the cards of a new job."""

import re

from playwright.sync_api import expect
from pretext_client import Pretext

from launcher.shapes import generate, write_zip
from tests.dashboard.conftest import Running


def test_each_task_shows_what_it_does_to_the_dataset(open_page, running: Running):
    page = open_page(f"/new-job?dataset={running.dataset_id}&task=jigsaw")
    large = page.locator(".task-preview")
    expect(large.locator("img")).to_be_visible()
    expect(large).to_contain_text("its tiles in the order in which the network sees them")
    cards = page.locator(".task-card")
    expect(cards.locator("img")).to_have_count(9)
    expect(page.locator(".loading")).to_have_count(0)
    turned = page.get_by_role("img", name="Above, images of the dataset; below, the same, each turned")
    page.wait_for_function("[...document.querySelectorAll('.task-card img')].every((one) => one.naturalWidth === 560)")
    page.get_by_role("radio", name="Rotation").check()
    expect(large).to_contain_text("each turned as the network sees it")
    assert large.locator("img").get_attribute("src") == turned.get_attribute("src")


def test_why_there_is_no_picture_is_told(open_page, running: Running, tmp_path):
    write_zip(tmp_path / "few.zip", generate(count=4, seed=0, size=32)[0])
    with Pretext(running.url, running.key) as client:
        dataset = client.datasets.wait(client.datasets.upload(tmp_path / "few.zip", name="Few").id)
        page = open_page(f"/new-job?dataset={dataset.id}")
        card = page.locator(".task-card").filter(has_text="SimCLR")
        expect(card.get_by_text("No preview")).to_have_attribute("title", re.compile("needs at least 8 of them"))
        client.datasets.delete(dataset.id)
