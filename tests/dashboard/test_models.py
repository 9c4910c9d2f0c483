"""Models: the list, the page of one, its files."""

import hashlib

import httpx
from playwright.sync_api import expect
from pretext_client import Pretext

from tests.dashboard.conftest import Running


def _trained(running: Running):
    with Pretext(running.url, running.key) as client:
        return client.models.get(str(client.jobs.get(running.job_id).model_id))


def test_a_model_is_found_and_its_files_come_whole(open_page, running: Running):
    model = _trained(running)
    page = open_page("/models")
    page.get_by_role("link", name=model.name).first.click()
    expect(page.get_by_role("heading", level=1, name=model.name)).to_be_visible()
    weights = next(file for file in model.files if file.name.endswith(".safetensors"))
    with page.expect_download() as download:
        page.get_by_role("link", name=weights.name, exact=True).click()
    assert hashlib.sha256(download.value.path().read_bytes()).hexdigest() == weights.sha256
    expect(page.get_by_role("cell", name=weights.sha256)).to_be_visible()


def test_a_file_that_is_not_there_is_told(session_cookies, running: Running):
    model, cookies = _trained(running), {one["name"]: one["value"] for one in session_cookies}
    answer = httpx.get(f"{running.url}/files/models/{model.id}/nothing.bin", cookies=cookies)
    assert answer.status_code == 404
    assert httpx.get(f"{running.url}/files/models/{model.id}/{model.files[0].name}").status_code in {303, 401}


def test_a_model_is_deleted_after_a_question(open_page, running: Running, tmp_path):
    with Pretext(running.url, running.key) as client:
        client.models.download(_trained(running).id, tmp_path)
        doomed = client.models.upload(tmp_path / "encoder.safetensors", encoder="tiny", image_size=32, name="Doomed")
    page = open_page(f"/models/{doomed.id}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
    expect(page.get_by_role("link", name="Doomed")).to_have_count(0)


def test_a_job_leads_to_its_model(open_page, running: Running):
    model = _trained(running)
    page = open_page(f"/jobs/{running.job_id}")
    page.get_by_role("link", name="See the model").click()
    expect(page.get_by_role("heading", level=1, name=model.name)).to_be_visible()


def test_an_evaluation_starts_from_the_form(open_page, running: Running):
    model = _trained(running)
    page = open_page(f"/models/{model.id}")
    page.get_by_role("combobox", name="Dataset to evaluate on").select_option(running.dataset_id)
    page.get_by_role("button", name="Evaluate").click()
    page.wait_for_url("**/jobs/job_*")
    with Pretext(running.url, running.key) as client:
        job = client.jobs.get(page.url.rpartition("/")[2])
        assert (job.kind, job.model_id, job.dataset_id) == ("evaluate", model.id, running.dataset_id)
        if not job.ended:
            client.jobs.cancel(job.id)
