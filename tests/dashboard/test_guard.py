"""Who comes in, and what a browser is told."""

import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import PATIENCE, Running


@pytest.fixture
def http(running: Running):
    with httpx.Client(base_url=running.url, timeout=20) as client:
        yield client


class TestSignIn:
    def test_the_link_works_once_and_the_key_never_reaches_the_page(self, browser, running: Running):
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(running.link)
        expect(page.get_by_role("heading", level=1, name="Datasets")).to_be_visible()
        assert "code" not in page.url
        assert running.key not in page.content()
        (cookie,) = [one for one in context.cookies() if one["name"].startswith("pretext_") and one["name"] != "pretext_theme"]
        assert cookie["httpOnly"]
        assert running.key not in str(context.cookies())

        other = browser.new_context().new_page()
        other.goto(running.link)
        expect(other.get_by_role("alert")).to_contain_text("used already")
        other.context.close()

        tab = context.new_page()
        tab.goto(f"{running.url}/jobs")
        expect(tab.get_by_role("heading", level=1, name="Jobs")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(tab.get_by_role("heading", name="Sign in to Pretext Server")).to_be_visible()
        expect(page.get_by_role("heading", name="Sign in to Pretext Server")).to_be_visible()
        context.add_cookies([cookie])
        page.goto(f"{running.url}/jobs")
        expect(page.get_by_role("heading", name="Sign in to Pretext Server")).to_be_visible()
        context.close()

    def test_a_wrong_key_is_told(self, browser, running: Running):
        page = browser.new_page()
        page.goto(f"{running.url}/jobs?state=failed")
        page.get_by_label("API key").fill("pretext_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("does not accept this key")
        page.get_by_label("API key").fill(running.key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/jobs?state=failed")
        page.context.close()

    def test_leads_to_no_other_site(self, http: httpx.Client, running: Running):
        for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example"):
            answer = http.post("/sign-in", data={"key": running.key, "to": elsewhere}, headers={"Origin": running.url})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")


class TestGuard:
    @pytest.mark.parametrize(
        "path", ["/", "/jobs", "/files/jobs/job_1/pictures/1", "/uploads/up_1/offset", "/_nicegui_ws/socket.io/"]
    )
    def test_nothing_is_open_to_who_is_signed_out(self, http: httpx.Client, path: str):
        answer = http.get(path)
        assert answer.status_code in {303, 401}
        assert answer.headers.get("location", "/sign-in").startswith("/sign-in")

    def test_other_hosts_and_origins_are_turned_away(self, http: httpx.Client, running: Running):
        assert http.get("/sign-in", headers={"Host": "evil.example"}).status_code == 421
        other_port = f"http://127.0.0.1:{(urlsplit(running.url).port or 80) + 1}"
        for headers in ({"Origin": "http://evil.example"}, {"Origin": other_port}, {"Origin": "null"}, {}):
            assert http.post("/sign-in", data={"key": running.key}, headers=headers).status_code == 403

    def test_a_socket_of_another_site_is_refused(self, running: Running, browser, session_cookies):
        context = browser.new_context()
        context.add_cookies(session_cookies)
        page = context.new_page()
        page.route("http://evil.example/", lambda route: route.fulfill(body="<h1>evil</h1>", content_type="text/html"))
        page.goto("http://evil.example/")
        address = running.url.replace("http", "ws") + "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        script = (
            "a => new Promise(done => { const s = new WebSocket(a); s.onopen = () => done('open'); s.onerror = () => done('no') })"
        )
        assert page.evaluate(script, address) == "no"
        context.close()

    def test_scripts_need_the_answer_s_nonce(self, http: httpx.Client, running: Running):
        http.post("/sign-in", data={"key": running.key}, headers={"Origin": running.url})
        answers = [http.get("/jobs") for _ in range(2)]
        nonces = [re.search(r"'nonce-([\w-]+)'", answer.headers["content-security-policy"]) for answer in answers]
        assert nonces[0] is not None
        assert nonces[1] is not None
        assert nonces[0][1] != nonces[1][1]
        policy = answers[0].headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        assert all(f'nonce="{nonces[0][1]}"' in script for script in re.findall(r"<script[^>]*>", answers[0].text))

    def test_the_api_keeps_its_own_policy(self, http: httpx.Client):
        assert http.get("/v1/jobs").headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert http.get("/v1/nothing").headers["content-type"] == "application/problem+json"
        assert http.get("/healthz").status_code == 200


class TestRights:
    def test_a_key_for_reading_sees_no_way_to_write(self, browser, running: Running):
        from pretext_client import Pretext

        with Pretext(running.url, running.key) as client:
            reader = client.keys.create("reader", scope="read").key
        page = browser.new_page()
        page.goto(f"{running.url}/sign-in?to=/jobs/{running.job_id}")
        page.get_by_label("API key").fill(str(reader))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1, name="Rotation")).to_be_visible()
        expect(page.get_by_role("navigation").get_by_role("link", name="New job")).to_have_count(0)
        expect(page.get_by_role("link", name="Clone")).to_have_count(0)
        page.goto(f"{running.url}/datasets")
        expect(page.get_by_role("heading", level=1, name="Datasets")).to_be_visible()
        expect(page.locator("[data-drop]")).to_have_count(0)
        page.context.close()
