"""The main job by the page alone: upload, train, watch, cancel."""

import re

from playwright.sync_api import expect
from pretext_client import Pretext

from tests.dashboard.conftest import Running

_DROP = """(zone, [names, bytes]) => {
  const transfer = new DataTransfer();
  names.forEach((name, at) => transfer.items.add(new File([Uint8Array.from(atob(bytes[at]), (c) => c.charCodeAt(0))], name)));
  zone.dispatchEvent(new DragEvent("dragenter", {dataTransfer: transfer, bubbles: true}));
  zone.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


def _dropped(page, paths) -> None:
    import base64

    expect(page.locator("[data-drop][data-ready]")).to_be_visible()
    contents = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    page.locator("[data-drop]").evaluate(_DROP, [[path.name for path in paths], contents])


class TestUpload:
    def test_an_archive_that_is_dropped_becomes_a_dataset(self, open_page, running: Running):
        page = open_page("/datasets")
        _dropped(page, [running.folder / "things.zip"])
        expect(page.get_by_role("heading", level=1, name="things.zip")).to_be_visible()
        expect(page.get_by_role("heading", name="Samples")).to_be_visible()
        expect(page.locator(".thumbs img").first).to_have_js_property("complete", True)
        assert page.locator(".thumbs img").first.evaluate("image => image.naturalWidth") > 0
        expect(page.get_by_text("notes.txt")).to_be_visible()

    def test_several_files_become_a_tar_that_the_server_reads(self, open_page, running: Running, tmp_path):
        import zipfile

        long = "a-name-of-a-picture-that-is-longer-than-the-hundred-bytes-that-the-header-of-a-tar-has-room-for-" * 2
        with zipfile.ZipFile(running.folder / "plain.zip") as archive:
            for at, member in enumerate(sorted(archive.namelist())[:5]):
                (tmp_path / (f"{at}.png" if at else f"{long}.png")).write_bytes(archive.read(member))
        page = open_page("/datasets")
        _dropped(page, sorted(tmp_path.iterdir()))
        expect(page.get_by_role("heading", level=1, name="images")).to_be_visible()
        expect(page.get_by_role("heading", name="Samples")).to_be_visible()
        with Pretext(running.url, running.key) as client:
            dataset = next(iter(client.datasets.list(limit=1)))
            assert (dataset.images, dataset.refused) == (5, 0)
            assert f"{long}.png" in {sample.path for sample in client.datasets.samples(dataset.id)}

    def test_a_part_that_fails_is_sent_again_from_where_the_server_is(self, open_page, running: Running):
        page = open_page("/datasets", strict=False)
        failed = []

        def fail_once(route) -> None:
            if not failed:
                failed.append(route.request.url)
                route.fulfill(status=503, body="away")
            else:
                route.continue_()

        page.route(re.compile(r"/uploads/up_\w+\?offset="), fail_once)
        _dropped(page, [running.folder / "plain.zip"])
        expect(page.get_by_role("heading", level=1, name="plain.zip")).to_be_visible()
        assert failed


class TestLabels:
    def test_come_by_a_table(self, open_page, running: Running, tmp_path):
        with Pretext(running.url, running.key) as client:
            dataset = client.datasets.wait(client.datasets.upload(running.folder / "plain.zip", name="Plain").id)
            files = [sample.path for sample in client.datasets.samples(dataset.id)]
        table = tmp_path / "labels.csv"
        table.write_text("file,label\n" + "".join(f"{file},{'odd' if at % 2 else 'even'}\n" for at, file in enumerate(files)))
        page = open_page(f"/datasets/{dataset.id}")
        with page.expect_file_chooser() as chosen:
            page.get_by_role("button", name="Upload labels").click()
        chosen.value.set_files(table)
        expect(page.locator(".counts li")).to_have_text(["even32", "odd32"])

    def test_a_dataset_is_deleted_after_a_question(self, open_page, running: Running):
        with Pretext(running.url, running.key) as client:
            dataset = client.datasets.wait(client.datasets.upload(running.folder / "plain.zip", name="Doomed").id)
        page = open_page(f"/datasets/{dataset.id}")
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Keep").click()
        expect(page.get_by_role("alertdialog")).to_have_count(0)
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", level=1, name="Datasets")).to_be_visible()
        expect(page.get_by_role("link", name="Doomed")).to_have_count(0)


class TestTraining:
    def test_starts_from_the_form_grows_and_is_cancelled(self, open_page, running: Running):
        page = open_page(f"/new-job?dataset={running.dataset_id}")
        page.get_by_role("radio", name="Rotation").check()
        page.get_by_role("combobox", name="Encoder").select_option("tiny")
        page.get_by_label("Epochs").fill("many")
        page.get_by_role("button", name="Start the training").click()
        expect(page.get_by_text("This has to be a whole number, or auto.")).to_be_visible()
        page.get_by_label("Epochs").fill("2000")
        page.get_by_label("Batch size").fill("16")
        page.get_by_text("The same as code").click()
        expect(page.get_by_role("region", name="the request for curl")).to_contain_text('"epochs": 2000')
        page.get_by_role("button", name="Start the training").click()

        chart = page.get_by_role("img", name=re.compile(r"^Loss: .* at step"))
        expect(chart).to_be_visible()
        first = chart.get_attribute("aria-label")
        assert first is not None
        expect(page.get_by_role("img", name=first, exact=True)).to_have_count(0)  # it has grown
        expect(page.get_by_role("img", name=re.compile("^Before the training|^Picture after"))).to_be_visible()

        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Cancel the job").click()
        expect(page.locator(".status .state")).to_have_text("Cancelled")

    def test_what_the_server_refuses_is_said_at_the_field(self, open_page, running: Running):
        page = open_page(f"/new-job?clone={running.job_id}")
        expect(page.get_by_label("Epochs")).to_have_value("3")
        expect(page.get_by_label("Batch size")).to_have_value("16")
        page.get_by_label("Batch size").fill("5000")
        page.get_by_role("button", name="Start the training").click()
        expect(page.get_by_label("Batch size")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Batch size")).to_be_focused()
