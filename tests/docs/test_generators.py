"""What the documentation is made of says what the code says."""

import re

import pretext_client
import pytest
from pretext_client import Pretext

from docs.generators import doctests, errors, events, figures, narrow, openapi, python, settings
from docs.generators.schema import Schemas, table
from docs.packing import MOST_BYTES, OUT
from records.errors import RecordsError
from records.outbox import TYPES
from records.settings import Settings
from ssl_core.spec import TASKS
from tests.docs.blocks import ROOT


class TestSchemas:
    SCHEMAS = Schemas(
        {
            "Rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "Inner": {"properties": {"depth": {"type": "integer", "default": 2}}, "type": "object", "title": "Inner"},
            "Other": {"properties": {"width": {"type": "integer"}}, "type": "object", "title": "Other"},
        }
    )

    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"$ref": "#/components/schemas/Rate"}, "number, above 0 to 1"),
            ({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 2}]}, '`"auto"` or integer, from 2'),
            ({"enum": ["a", "b"]}, '`"a"` or `"b"`'),
            ({"type": "array", "items": {"type": "string"}}, "list of string"),
            ({"type": "string", "format": "binary"}, "bytes of a file"),
        ],
    )
    def test_types_in_words(self, schema, words):
        assert self.SCHEMAS.type_of(schema) == words

    def test_fields_of_inner_objects_have_dots_in_their_names(self):
        inner = {"$ref": "#/$defs/Inner"}
        schema = {"properties": {"one": inner, "many": {"type": "array", "items": inner}}, "required": ["one"], "type": "object"}
        assert [(field.name, field.default, field.required) for field in self.SCHEMAS.fields(schema)] == [
            ("one", "", True),
            ("one.depth", "`2`", False),
            ("many", "", False),
            ("many[].depth", "`2`", False),
        ]

    def test_objects_of_several_kinds_are_not_mixed(self):
        schema = {"properties": {"one": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"$ref": "#/$defs/Other"}]}}}
        assert [(field.name, field.type) for field in self.SCHEMAS.fields(schema)] == [("one", "Inner or Other")]

    def test_a_bar_does_not_end_a_cell(self):
        assert table(["a"], [["x|y\nz"]]).splitlines()[2] == "| x\\|y z |"


class TestNarrowScreens:
    HEAD = "<table>\n<thead>\n<tr>\n<th>name</th>\n<th>default</th>\n</tr>\n</thead>\n<tbody>\n"

    def test_names_break_at_their_joints_and_cells_know_their_columns(self):
        made = narrow.readable(f"<p>x</p>{self.HEAD}<tr>\n<td><code>a_b.c</code></td>\n<td>1_2</td>\n</tr>\n</tbody>\n</table>")
        assert '<table data-names="">' in made
        assert '<td data-column="name"><code>a_<wbr>b.<wbr>c</code></td>\n<td data-column="default">1_2</td>' in made

    def test_figures_stay_in_columns(self):
        html = f"{self.HEAD}<tr>\n<td>rotation</td>\n<td>1</td>\n</tr>\n</tbody>\n</table>"
        assert narrow.readable(html) == html


class TestSettings:
    def test_every_variable_of_the_server_has_its_words(self):
        made = settings.server()
        for name, field in Settings.model_fields.items():
            assert f"| `PRETEXT_{name.upper()}` |" in made
            assert " ".join((field.description or "").split()).replace("|", "\\|") in made

    @pytest.mark.parametrize("name", TASKS)
    def test_every_setting_of_a_task_has_its_words_and_default(self, name):
        made = settings.task(name)
        for field, about in TASKS[name].model_fields.items():
            if field != "name":
                assert f"| `{field}` |" in made
                assert " ".join((about.description or "").split()).replace("|", "\\|") in made

    def test_settings_of_trainings_go_into_the_optimizer(self):
        assert "| `optimizer.learning_rate` |" in settings.training()
        assert "| `task` |" not in settings.training()


class TestGuides:
    @pytest.mark.parametrize("name", TASKS)
    def test_every_task_has_one_with_its_picture(self, name):
        guide = (ROOT / "docs" / "tasks" / f"{name}.md").read_text(encoding="utf-8")
        assert f"<!-- made: task-settings {name} -->" in guide
        assert f"(../images/{name}.webp)" in guide
        assert f"tasks/{name}.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        for heading in ("When to choose it", "When not", "Its shortcuts, and what is done against them", "Try it", "Figures"):
            assert f"\n## {heading}\n" in guide

    def test_pictures_are_small_and_all_different(self):
        pictures = [(OUT / f"{name}.webp").read_bytes() for name in [*TASKS, "labels_saved"]]
        assert max(map(len, pictures)) < MOST_BYTES
        assert len(set(pictures)) == len(pictures)


class TestFigures:
    @pytest.mark.parametrize("name", TASKS)
    def test_every_task_has_some_with_their_date(self, name):
        made = figures.of_task(name)
        assert re.search(r"^From \[20\d\d-\d\d-\d\d, .+\]\(\.\./benchmarks\.md#20", made, re.MULTILINE)
        assert "| measure |" in made

    def test_are_those_of_the_log(self):
        log = figures.LOG.read_text(encoding="utf-8")
        row = next(line for line in log.splitlines() if line.startswith("| rotation |"))
        assert " | ".join(row.strip("| ").split(" | ")[1:]) in figures.of_task("rotation")

    def test_of_a_task_that_was_not_measured(self):
        assert figures.of_task("tomography") == "Nothing was measured of it yet.\n"


class TestErrors:
    def test_every_class_of_errors_has_its_code(self):
        def classes(of: type[RecordsError]) -> list[type[RecordsError]]:
            return [of, *(one for below in of.__subclasses__() for one in classes(below))]

        codes = {one.code for one in errors.of_requests()}
        ours = {one.code for one in classes(RecordsError)[1:] if one.__module__.startswith(("api.", "records."))}
        assert ours <= codes
        assert {"internal_error", "broken_off"} <= codes, "those that have no class"

    def test_codes_of_jobs_are_those_that_are_raised(self):
        assert {"no_gpu", "diverged", "killed", "worker_lost", "storage_failed", "cancelled"} <= set(errors.of_jobs())

    def test_every_code_is_on_the_page_with_something_to_do(self):
        page = (ROOT / "docs" / "operations" / "troubleshooting.md").read_text(encoding="utf-8")
        assert "<!-- made: errors-of-requests -->" in page
        assert "<!-- made: errors-of-jobs -->" in page
        requests, jobs = errors.requests_table(), errors.jobs_table()
        for code in errors.of_requests():
            assert re.search(rf"^\| `{code.code}` \| {code.status} [A-Z].* \| .*\w.* \|$", requests, re.MULTILINE), code
        for code in errors.of_jobs():
            assert re.search(rf"^\| `{code}` \| .*\w.* \|$", jobs, re.MULTILINE), code

    def test_remedies_are_for_codes_that_there_are(self):
        assert set(errors.REMEDIES) <= {one.code for one in errors.of_requests()}
        assert set(errors.JOB_REMEDIES) <= set(errors.of_jobs())


class TestEvents:
    def test_every_one_is_told_with_when_it_comes(self):
        made = events.overview()
        for type_ in TYPES:
            assert re.search(rf"^\| `{re.escape(type_)}` \| .*\w.* \|$", made, re.MULTILINE), type_


class TestOpenApi:
    def test_every_call_is_on_the_page_of_its_resource(self):
        made = openapi.pages()
        for path, calls in openapi.document()["paths"].items():
            for method, call in calls.items():
                page = made[f"reference/http/{call['tags'][0]}.md"]
                assert f"`{method.upper()} {path}`{{ .call }}" in page
                assert f"## {call['summary']} {{ #{call['operationId']} }}" in page
                assert f"```bash\n{call['x-codeSamples'][0]['source']}\n```" in page

    def test_a_job_has_the_fields_of_its_kinds(self):
        made = openapi.pages()["reference/http/jobs.md"]
        for field in ("`dataset_id`", "`optimizer.learning_rate`", "`model_id`", "kind pretrain", "kind evaluate"):
            assert field in made


class TestExamplesOfDocstrings:
    def test_are_shown_as_code_without_prompts(self):
        docstring = "Load.\n\n>>> with open_() as it:  # doctest: +SKIP\n...     it.go()\n\nArgs:\n    x: y"
        assert doctests.fenced(docstring) == "Load.\n\n```python\nwith open_() as it:\n    it.go()\n```\n\nArgs:\n    x: y"


class TestPython:
    def test_every_resource_has_a_page(self):
        made = python.pages()
        with Pretext("http://127.0.0.1:1", "key") as pretext:
            for name in (name for name in vars(pretext) if not name.startswith("_")):
                assert f"reference/python/{name}.md" in made

    def test_everything_that_the_package_has_is_on_some_page(self):
        made = "\n".join(python.pages().values())
        for name in pretext_client.__all__:
            home = getattr(pretext_client, name).__module__
            on_its_own = rf"^::: {re.escape(home)}\.{name}$"
            assert re.search(on_its_own, made, re.MULTILINE) or name.startswith("Async"), f"{home}.{name}"
