import json
import re

from fastapi import FastAPI
from httpx import Client


class TestPage:
    def test_works_with_no_internet(self, stranger: Client):
        page = stranger.get("/docs").text
        links = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(links) == 4
        for link in links:
            assert link.startswith("/docs/")
            assert stranger.get(link).status_code == 200

    def test_has_no_script_of_its_own_that_the_policy_would_stop(self, stranger: Client):
        answer = stranger.get("/docs")
        assert not re.search(r"<script>", answer.text)
        assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"].split("style-src")[0]

    def test_home_leads_there(self, stranger: Client):
        assert stranger.get("/", follow_redirects=False).headers["Location"] == "/docs"


class TestSchema:
    def test_every_field_is_described(self, app: FastAPI):
        bare = []
        for name, schema in app.openapi()["components"]["schemas"].items():
            assert schema.get("description") or name.startswith(("Page_", "HTTP")), name
            bare += [
                f"{name}.{field}"
                for field, of in schema.get("properties", {}).items()
                if not of.get("description") and "$ref" not in of
            ]
        assert bare == []

    def test_every_call_says_what_it_does(self, app: FastAPI):
        for methods in app.openapi()["paths"].values():
            for call in methods.values():
                assert call["summary"]
                assert call["description"]

    def test_the_example_of_a_job_is_a_valid_request(self, app: FastAPI, client: Client):
        example = app.openapi()["components"]["schemas"]["PretrainRequest"]["example"]
        answer = client.post("/v1/jobs", content=json.dumps(example), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["param"]) == (404, "dataset_id")
