from httpx import Client

from api.services import Services
from records.queries import logs
from tests import factories


class TestLogs:
    def test_are_read_in_parts(self, client: Client, services: Services):
        with services.database.write() as session:
            job_id = factories.job(session).id
            for text in ("one\ntwo\n", "drei ä\n", "four\n"):
                logs.append(session, job_id, text)
        address = f"/v1/jobs/{job_id}/logs"
        answer = client.get(address)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.text == "one\ntwo\ndrei ä\nfour\n"
        assert [answer.headers[name] for name in ("Log-Start", "Log-End", "Log-First")] == ["0", "21", "0"]
        later = client.get(address, params={"after": 8})
        assert (later.text, later.headers["Log-Start"]) == ("drei ä\nfour\n", "8")
        last = client.get(address, params={"lines": 2})
        assert (last.text, last.headers["Log-Start"]) == ("drei ä\nfour\n", "8")
        nothing = client.get(address, params={"after": 21})
        assert (nothing.text, nothing.headers["Log-End"]) == ("", "21")

    def test_of_a_job_that_has_not_begun_are_empty(self, client: Client, services: Services):
        with services.database.write() as session:
            job_id = factories.job(session).id
        answer = client.get(f"/v1/jobs/{job_id}/logs")
        assert (answer.status_code, answer.text, answer.headers["Log-End"]) == (200, "", "0")
        assert client.get("/v1/jobs/job_nowhere/logs").status_code == 404
        assert client.get(f"/v1/jobs/{job_id}/logs", params={"lines": 0}).status_code == 422
