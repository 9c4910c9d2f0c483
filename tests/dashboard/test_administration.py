"""Usage, keys, members, webhooks and the audit log, as an administrator uses them."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect
from pretext_client import Pretext, verify
from pretext_client.webhooks import EVENTS

from api.app import create_app
from dashboard import actions
from records.outbox import TYPES
from records.settings import Settings
from tests.dashboard.conftest import Running, signed_in
from tests.dashboard.test_pages import wrongs
from tests.receivers import receiving


@pytest.fixture
def client(running: Running):
    with Pretext(running.url, running.key) as client:
        yield client


def _question(page: Page, button: str):
    page.get_by_role("button", name=button, exact=True).first.click()
    asked = page.get_by_role("dialog")
    expect(asked).to_be_visible()
    return asked


def _seen_once(page: Page) -> str:
    """Read the secret that is shown, by its copy button, and close the window."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("button", name="I have stored it")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Copy the")).click()
    expect(page.locator(".copied")).to_be_visible()
    secret = page.evaluate("navigator.clipboard.readText()")
    assert wrongs(page) == []
    page.get_by_role("button", name="I have stored it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert secret not in page.content()
    return secret


class TestKeys:
    def test_a_key_is_made_by_keyboard_shown_once_and_revoked(self, open_page, client: Pretext, running: Running):
        page = open_page("/keys", width=360, theme="dark")
        page.get_by_role("button", name="New key").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("This is needed.")).to_be_visible()
        page.keyboard.type("nightly")
        page.get_by_label("It may").select_option("read")
        page.get_by_label("It expires").select_option("day")
        page.get_by_label("Its last day").fill("2020-01-01")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This moment has passed")).to_be_visible()
        assert wrongs(page) == []
        page.get_by_label("Its last day").fill("2199-12-31")
        page.keyboard.press("Enter")
        secret = _seen_once(page)
        expect(page.get_by_role("button", name="New key")).to_be_focused()

        with Pretext(running.url, secret) as made:
            key = made.keys.current()
            assert (key.name, key.scope, f"{key.expires_at:%Y-%m-%d}") == ("nightly", "read", "2199-12-31")
            page.get_by_role("button", name="Revoke nightly").click()
            page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
            expect(page.get_by_role("row").filter(has_text="nightly")).to_contain_text("Revoked")
            expect(page.get_by_role("button", name="Revoke nightly")).to_have_count(0)
            assert httpx.get(f"{running.url}/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 401

    def test_the_last_key_for_administration_is_kept(self, browser, running: Running, client: Pretext):
        project = client.projects.create("Alone")
        key = client.keys.create("only", scope="admin", project_id=project.id).key
        page = signed_in(browser, running, str(key), "/keys")
        page.get_by_role("button", name="Revoke only").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("make another first")).to_be_visible()
        page.context.close()


def test_a_member_is_added_gets_a_key_and_goes_with_it(open_page, client: Pretext):
    page = open_page("/members")
    asked = _question(page, "Add a member")
    asked.get_by_label("Name").fill("Ada")
    asked.get_by_label("E-mail").fill("nowhere")
    asked.get_by_role("button", name="Add").click()
    expect(asked.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(asked.get_by_text("Write it as in ada@example.org")).to_be_visible()
    expect(asked.get_by_label("Name")).to_have_value("Ada")
    asked.get_by_label("E-mail").fill("ada@example.org")
    asked.get_by_label("Their keys may, at most").select_option("read")
    asked.get_by_role("button", name="Add").click()

    expect(page.get_by_role("heading", level=1, name="Keys of Ada")).to_be_visible()
    asked = _question(page, "New key")
    expect(asked.get_by_label("It may").locator("option")).to_have_count(1)
    asked.get_by_label("Name").fill("laptop")
    asked.get_by_role("button", name="Make the key").click()
    _seen_once(page)
    (key,) = client.keys.list(member_id=next(one.id for one in client.members.list() if one.name == "Ada"))
    page.get_by_role("link", name="← Members").click()
    page.get_by_role("button", name="Change Ada").click()
    asked = page.get_by_role("dialog")
    expect(asked.get_by_label("E-mail")).to_have_value("ada@example.org")
    asked.get_by_label("Name").fill("Ada Lovelace")
    asked.get_by_role("button", name="Change").click()
    expect(page.get_by_role("row").filter(has_text="Ada Lovelace")).to_contain_text("Read")
    page.get_by_role("button", name="Remove Ada").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Remove Ada")).to_have_count(0)
    assert next(one for one in client.keys.list() if one.id == key.id).revoked_at is not None


class TestWebhooks:
    def test_one_is_made_tried_and_sent_again(self, open_page, client: Pretext):
        page = open_page("/webhooks")
        with receiving() as receiver:
            receiver.answers = [500, 204]
            asked = _question(page, "New webhook")
            asked.get_by_label("Address").fill("ftp://127.0.0.1/no")
            asked.get_by_role("button", name="Make the webhook").click()
            expect(asked.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
            asked.get_by_label("Address").fill(receiver.url)
            asked.get_by_label("What it is for").fill("Chat of the lab")
            asked.get_by_label("Everything", exact=True).uncheck()
            asked.get_by_label("Everything about jobs").check()
            asked.get_by_label("model.created").check()
            asked.get_by_role("button", name="Make the webhook").click()
            secret = _seen_once(page)

            expect(page.get_by_role("heading", level=1, name="Chat of the lab")).to_be_visible()
            assert next(client.webhooks.list()).events == ("job.*", "model.created")
            page.get_by_role("button", name="Send a test").first.click()
            expect(page.get_by_role("heading", level=1, name="webhook.test")).to_be_visible()
            expect(page.get_by_text("1. it answered 500")).to_be_visible()
            page.get_by_role("link", name="← Webhook").click()
            expect(page.get_by_text("What last failed: it answered 500")).to_be_visible()
            page.get_by_role("link", name="webhook.test").first.click()
            page.get_by_role("button", name="Send again").click()
            expect(page.get_by_text(re.compile(r"\d\. answered 204"))).to_be_visible()
            assert verify(receiver.got[-1].headers, receiver.got[-1].body, secret)["type"] == "webhook.test"
            assert wrongs(page) == []

    def test_one_is_changed_disabled_given_a_new_secret_and_deleted(self, open_page, client: Pretext):
        webhook = client.webhooks.create("http://127.0.0.1:9/hook", description="Pager")
        page = open_page(f"/webhooks/{webhook.id}")
        asked = _question(page, "Change")
        expect(asked.get_by_label("Address")).to_have_value(webhook.url)
        asked.get_by_label("What it is for").fill("Another pager")
        asked.get_by_role("button", name="Change it").click()
        expect(page.get_by_role("heading", level=1, name="Another pager")).to_be_visible()
        page.get_by_role("button", name="Disable").click()
        expect(page.get_by_text("What happens meanwhile is not sent")).to_be_visible()
        assert not client.webhooks.get(webhook.id).enabled
        _question(page, "New secret").get_by_role("button", name="Make the secret").click()
        assert _seen_once(page) not in {None, webhook.secret}
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", level=1, name="Webhooks")).to_be_visible()
        assert webhook.id not in {one.id for one in client.webhooks.list()}


def test_the_audit_log_is_narrowed_in_place_and_by_its_address(open_page, client: Pretext, running: Running):
    reader = client.keys.create("curious", scope="read")
    client.members.create("Somebody")
    with Pretext(running.url, str(reader.key)) as curious, pytest.raises(Exception, match="admin"):
        list(curious.members.list())
    page = open_page("/audit")
    expect(page.get_by_role("row").filter(has_text="Add a member").first).to_be_visible()
    page.get_by_label("Outcome").focus()
    page.keyboard.type("Denied")
    expect(page.get_by_role("row").filter(has_text="Add a member")).to_have_count(0)
    expect(page.get_by_label("Outcome")).to_be_focused()
    page.wait_for_url("**/audit?outcome=denied")
    page.reload()
    expect(page.get_by_label("Outcome")).to_have_value("denied")
    expect(page.get_by_role("row").filter(has_text="List members")).to_contain_text("curious")
    page.get_by_label("To the day").fill("2020-01-01")
    expect(page.get_by_role("heading", name="Nothing of this kind")).to_be_visible()
    page.get_by_role("link", name="Show everything").click()
    expect(page.get_by_role("row").filter(has_text="Add a member").first).to_be_visible()


def test_usage_is_told_against_the_quotas_as_they_change(open_page, client: Pretext):
    project = client.projects.current()
    total = client.projects.usage(project.id).stored["total"]
    try:
        client.projects.update(project.id, most_bytes=10 * total, most_running=5)
        page = open_page("/usage")
        storage = page.get_by_role("meter", name="Storage")
        expect(storage).to_have_attribute("aria-valuenow", "10")
        expect(page.get_by_text("0 of 5")).to_be_visible()
        expect(page.get_by_role("img", name=re.compile(r"^Columns of the last 30 days: .* on CPUs"))).to_be_visible()
        client.projects.update(project.id, most_bytes=total)
        expect(storage).to_have_attribute("aria-valuenow", "100")
        expect(page.get_by_text("Used up: uploads and trainings are refused.")).to_be_visible()
    finally:
        client.projects.update(project.id, most_bytes=None, most_running=None)


@pytest.mark.parametrize("address", ["/usage", "/keys", "/audit", "/webhooks/hook_1"])
def test_a_key_for_writing_is_told_whom_to_ask(browser, running: Running, client: Pretext, address: str):
    key = client.keys.create("writer", scope="write").key
    page = signed_in(browser, running, str(key), address)
    expect(page.get_by_role("heading", name="Your key may not see this page")).to_be_visible()
    expect(page.get_by_text("“writer”, is for “write”")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link", name="Keys")).to_have_count(0)
    page.context.close()


def test_words_are_for_all_that_is_noted(tmp_path):
    paths = create_app(Settings(data_dir=tmp_path)).openapi()["paths"]
    changing = {
        one["operationId"] for path in paths.values() for method, one in path.items() if method not in {"get", "head", "options"}
    }
    assert set(actions.WORDS) - {"disable_webhook"} == changing
    assert EVENTS == TYPES
