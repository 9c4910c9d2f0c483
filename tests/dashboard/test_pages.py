"""Every page, in two widths and two themes: nothing overflows, nothing is wrong by axe, and a screenshot is kept."""

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import SCREENSHOTS, Compared, Running, Told

pytestmark = pytest.mark.timeout(60, func_only=True)  # what comes before, waits with timeouts of its own
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
ADDRESSES = {
    "datasets": "/datasets",
    "dataset": "/datasets/{dataset_id}",
    "new-job": "/new-job",
    "jobs": "/jobs",
    "job": "/jobs/{job_id}",
    "compare": "/compare?jobs={job_id},{other_id}",
    "models": "/models",
    "model": "/models/{model_id}",
    "workers": "/workers",
    "usage": "/usage",
    "keys": "/keys",
    "members": "/members",
    "webhooks": "/webhooks",
    "webhook": "/webhooks/{webhook_id}",
    "delivery": "/webhooks/{webhook_id}/{delivery_id}",
    "audit": "/audit",
}
SERIOUS = {"serious", "critical"}


def wrongs(page) -> list[tuple[str, list[str]]]:
    """What axe finds that is serious."""
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("name", ADDRESSES)
def test_every_page_is_accessible_and_fits(
    open_page, running: Running, compared: Compared, told: Told, name: str, width: int, theme: str
):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    ids = {**vars(running), **vars(told), **vars(compared)}
    page = open_page(ADDRESSES[name].format(**ids), width=width, theme=theme)
    expect(page.locator(".skeleton")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{theme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the screen"
    assert wrongs(page) == []


def test_a_theme_can_be_chosen_and_stays(open_page):
    page = open_page("/jobs", theme="light")
    dark = "getComputedStyle(document.body).backgroundColor === 'rgb(16, 17, 19)'"
    assert not page.evaluate(dark)
    switch = page.get_by_role("button", name="Change the theme")
    switch.click()
    switch.click()
    page.wait_for_function(dark)
    page.reload()
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_function(dark)


def test_pages_change_without_a_reload_and_take_the_focus_along(open_page):
    page = open_page("/datasets")
    page.evaluate("window.mark = 1")
    page.get_by_role("navigation").get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", level=1, name="Jobs")).to_be_focused()
    expect(page.get_by_role("navigation").get_by_role("link", name="Jobs")).to_have_attribute("aria-current", "page")
    assert page.evaluate("window.mark") == 1
    assert page.title() == "Jobs · Pretext Server"
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Datasets")).to_be_visible()


def test_the_menu_of_a_narrow_screen_opens_by_keyboard(open_page):
    page = open_page("/datasets", width=360)
    expect(page.get_by_role("link", name="Jobs")).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Jobs")).to_be_hidden()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", level=1, name="Jobs")).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "false")


def test_what_is_not_there_is_told(open_page):
    page = open_page("/no/such/page", strict=False)  # the answer is a 404, which the browser says on its console
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    page = open_page("/jobs/job_00000000000000000000000000")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.get_by_role("alert").get_by_text("req_")).to_be_visible()
