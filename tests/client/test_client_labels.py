from pathlib import Path

import pytest
from pretext_client import InvalidRequest, TransferFailed
from pretext_client.cli import app
from typer.testing import CliRunner

from tests.client.faults import DATASET, answer, problem

URL = "/v1/datasets/ds_1/labels"
TOLD = {
    "object": "dataset.labels",
    "dataset_id": "ds_1",
    "applied": True,
    "mode": "replace",
    "labels_version": "ab",
    "lines": 9,
    "matched": 7,
    "matched_by": {"path": 7, "end": 0, "longer": 0},
    "unmatched": 2,
    "first_unmatched": [{"line": 4, "file": "x\x1b.png", "reason": "no such file; nearest: y.png"}],
    "duplicates": 1,
    "conflicts": 1,
    "first_conflicts": [{"file": "a.png", "lines": [2, 5], "said": ["cat", "dog"]}],
    "unlabelled": 1,
    "first_unlabelled": ["b.png"],
    "classes": {"cat": 1, "dog": 4},
    "splits": {"train": 5},
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("file,label\na.png,cat\n")
    return path


@pytest.fixture
def pretext(script):
    def run(*arguments: str):
        result = CliRunner().invoke(app, ["--url", script.url, "--api-key", "k", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


class TestLabel:
    def test_sends_the_table_and_reads_the_report(self, script, client, table: Path):
        script.on("PUT", URL, answer(TOLD))
        found = client.datasets.label("ds_1", table, merge=True, dry_run=True)
        assert (found.matched, found.first_unmatched[0].line, found.first_conflicts[0].said) == (7, 4, ("cat", "dog"))
        (sent,) = script.seen
        assert (sent.query, table.read_bytes() in sent.body) == ({"mode": "merge", "dry_run": "true"}, True)

    def test_is_sent_again_where_that_helps(self, script, client, table: Path):
        script.on("PUT", URL, problem(503), answer(TOLD))
        assert client.datasets.label("ds_1", table).applied
        assert [one.query for one in script.seen] == [{"mode": "replace"}] * 2

    def test_what_cannot_be_is_told(self, script, client, table: Path, tmp_path: Path):
        script.on("PUT", URL, problem(422, detail="the columns are swapped", param="file"))
        with pytest.raises(InvalidRequest, match="swapped"):
            client.datasets.label("ds_1", table)
        with pytest.raises(TransferFailed, match="folder"):
            client.datasets.label("ds_1", tmp_path)


class TestCommand:
    def test_tells_the_report_in_words(self, script, pretext, table: Path):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("PUT", URL, answer(TOLD))
        assert pretext("label", "ds_1", str(table)).stdout.splitlines() == [
            "ds_1  labelled: 7 of 9 lines name a file of it",
            "2 classes: dog 4, cat 1",
            "splits: train 5",
            "2 lines were not used:",
            "  line 4: x\N{REPLACEMENT CHARACTER}.png: no such file; nearest: y.png",
            "  … and 1 more",
            "1 files are labelled differently by several lines, so by none:",
            "  a.png: line 2 says cat, line 5 says dog",
            "1 lines say the same once more",
            "1 files of the dataset have no label:",
            "  b.png",
        ]
        assert '"matched": 7' in pretext("--json", "label", "ds_1", str(table)).stdout

    def test_takes_them_away(self, script, pretext, table: Path):
        script.on("GET", "/v1/datasets/ds_1", answer({**DATASET, "labels": ["a", "b"]}))
        script.on("DELETE", URL, answer(b"", 204))
        assert "2 class folders are there again" in pretext("label", "ds_1", "--remove").stdout
        for wrong in (["label", "ds_1"], ["label", "ds_1", str(table), "--remove"]):
            assert pretext(*wrong).exit_code == 2

    def test_writes_them_to_a_file_or_to_standard_output(self, script, pretext, tmp_path: Path):
        script.on("GET", "/v1/datasets/ds_1", answer(DATASET))
        script.on("GET", URL, answer("file,label,split\ncaf\u00e9.png,,\n".encode()))
        assert pretext("labels", "ds_1").stdout == "file,label,split\ncaf\u00e9.png,,\n"
        assert pretext("labels", "ds_1", "--out", str(tmp_path / "out.csv")).exit_code == 0
        assert "caf\u00e9" in (tmp_path / "out.csv").read_text()
        assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
