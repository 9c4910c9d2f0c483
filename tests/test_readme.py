from pathlib import Path

from records.settings import Settings
from ssl_core.spec import TASKS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


class TestSettingsTable:
    def test_has_every_setting_with_its_own_words(self):
        for name, field in Settings.model_fields.items():
            assert f"| `PRETEXT_{name.upper()}` |" in README
            assert " ".join((field.description or "").split()) in README, name

    def test_has_no_setting_that_is_gone(self):
        rows = [line for line in README.splitlines() if line.startswith("| `PRETEXT_")]
        assert len(rows) == len(Settings.model_fields)


class TestTaskTable:
    def test_has_every_task_and_none_that_is_gone(self):
        section = README.split("## Pretext tasks")[1].split("\n## ")[0]
        rows = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `") and line != "| `name` |"]
        assert [row for row in rows if row != "name"] == list(TASKS)
