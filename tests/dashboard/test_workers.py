"""Workers, as an administrator of the server sees them, and nobody else."""

from playwright.sync_api import expect
from pretext_client import Pretext

from tests.dashboard.conftest import Running, signed_in


def test_those_that_are_alive_are_listed(open_page, running: Running):
    with Pretext(running.url, running.key) as client:
        worker = next(one for one in client.workers() if one.alive)
    page = open_page("/workers")
    row = page.get_by_role("row").filter(has_text=worker.id)
    expect(row).to_contain_text("Alive")
    expect(row).to_contain_text(worker.device)


def test_a_key_for_writing_is_told_so(browser, running: Running):
    with Pretext(running.url, running.key) as client:
        key = client.keys.create("writer", scope="write").key
    page = signed_in(browser, running, str(key), "/workers")
    expect(page.get_by_role("heading", name="Your key may not see this page")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link", name="Workers")).to_have_count(0)
    page.context.close()
