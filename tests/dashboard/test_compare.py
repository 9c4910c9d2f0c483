"""Trainings side by side, and the report of a model."""

import re

import pytest
from playwright.sync_api import expect
from pretext_client import Pretext

from tests.dashboard.conftest import Compared, Running

pytestmark = pytest.mark.timeout(60, func_only=True)  # what comes before, waits with timeouts of its own


class TestCompare:
    def test_begins_in_the_list_of_jobs(self, open_page, running: Running, compared: Compared):
        page = open_page("/jobs?kind=pretrain")
        expect(page.get_by_role("button", name="Compare")).to_be_hidden()
        for job_id in (running.job_id, compared.other_id):
            page.get_by_role("checkbox", name=re.compile(job_id)).check()
        page.get_by_role("button", name="Compare 2").click()
        expect(page.get_by_role("heading", level=1, name="Compare")).to_be_visible()

        chart = page.get_by_role("img", name=re.compile(r"^Loss of 2 trainings: .*Rotation · tiny ends at .*Relative position"))
        expect(chart).to_be_visible()
        page.get_by_role("combobox", name="Figure").select_option("accuracy")
        expect(page.get_by_role("img", name=re.compile("^Accuracy in the task of 2 trainings"))).to_be_visible()

        row = page.get_by_role("region", name="Settings that differ").get_by_role("row", name=re.compile("^task.name"))
        expect(row.get_by_role("cell")).to_have_text(["rotation", "relative_position"])
        expect(page.get_by_role("region", name="Settings that differ").get_by_text("batch_size", exact=True)).to_have_count(0)
        expect(page.get_by_role("img", name=re.compile("^Accuracy by labels per class: Rotation.*; From scratch"))).to_be_visible()
        expect(page.get_by_text("Not measured yet: Relative position")).to_be_visible()

    def test_one_alone_leads_back_to_the_list(self, open_page, running: Running):
        page = open_page(f"/compare?jobs={running.job_id}")
        expect(page.get_by_role("heading", name="Nothing to compare yet")).to_be_visible()
        page.get_by_role("link", name="Choose from the jobs").click()
        expect(page.get_by_role("heading", level=1, name="Jobs")).to_be_visible()


class TestLabelReport:
    def test_shows_what_the_evaluation_found(self, open_page, running: Running, compared: Compared):
        with Pretext(running.url, running.key) as client:
            found = client.evaluations.get(compared.evaluation_id)
        assert found.report is not None
        page = open_page(f"/models/{running.model_id}?evaluation={compared.evaluation_id}")
        expect(page.locator(".answer")).to_have_text(found.sentence.replace("`", ""))

        scratch = found.report["label_efficiency"]["points"][-1]["scratch"]
        page.get_by_text("The figures as a table").click()
        told = f"{scratch['mean']:.1%} ({100 * scratch['low']:.1f} to {100 * scratch['high']:.1f})"
        expect(page.get_by_role("region", name="Accuracy by labels per class").get_by_role("row").last).to_contain_text(told)
        expect(page.get_by_role("img", name=re.compile("^Linear probe: .* after stage1"))).to_be_visible()

        matrix, classes = found.report["linear"]["pretrained"]["confusion"], found.report["classes"]
        shares = [f"{100 * number / max(1, sum(matrix[0])):.0f}" for number in matrix[0]]
        row = page.get_by_role("region", name="Confusion matrix").locator("tbody tr").first
        expect(row.get_by_role("rowheader")).to_have_text(classes[0])
        expect(row.get_by_role("cell")).to_have_text(shares)

    def test_the_code_that_loads_it_can_be_copied(self, open_page, running: Running):
        page = open_page(f"/models/{running.model_id}")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy the code that loads it by the client").click()
        expect(page.locator("#said")).to_have_text("Copied")
        assert f'models.load("{running.model_id}")' in page.evaluate("navigator.clipboard.readText()")
        page.get_by_text("Without the client").click()
        expect(page.get_by_role("region", name="the code that loads it without the client")).to_contain_text("load_file")
