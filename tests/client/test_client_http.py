import os
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pretext_client
import pytest
from pretext_client import Pretext, Retry
from pretext_client.retry import retry_after

from tests.client.faults import DATASET, JOB, answer, hang_up, page, problem

GET = ("GET", "/v1/jobs/job_1")


class TestRepeating:
    def test_asks_again_while_the_server_is_unavailable(self, script, client):
        script.on(*GET, problem(503), problem(502), answer(JOB))
        assert client.jobs.get("job_1").id == "job_1"
        assert len(script.sent(*GET)) == 3

    def test_asks_again_if_the_connection_breaks(self, script, client):
        script.on(*GET, hang_up, hang_up, answer(JOB))
        assert client.jobs.get("job_1").state == "running"

    def test_waits_as_long_as_the_server_asks(self, script):
        waits: list[float] = []
        client = Pretext(script.url, "secret")
        client._http.sleep = waits.append
        script.on(*GET, problem(429, headers={"Retry_After": "7"}), answer(JOB))
        client.jobs.get("job_1")
        client.close()
        assert waits == [7.0]

    def test_does_not_wait_for_an_hour(self, script, client):
        script.on(*GET, problem(503, headers={"Retry_After": "3600"}))
        with pytest.raises(pretext_client.Unavailable):
            client.jobs.get("job_1")
        assert len(script.sent(*GET)) == 1

    def test_gives_up_after_some_tries(self, script, client):
        script.on(*GET, problem(503, detail="the database is away"))
        with pytest.raises(pretext_client.Unavailable, match="the database is away"):
            client.jobs.get("job_1")
        assert len(script.sent(*GET)) == 4

    def test_creates_once_though_it_asks_twice(self, script, client):
        script.on("POST", "/v1/jobs", hang_up, answer(JOB, 201))
        client.jobs.create("ds_1", task="rotation")
        first, second = script.sent("POST", "/v1/jobs")
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert first.body == second.body

    def test_creates_two_jobs_under_two_keys(self, script, client):
        script.on("POST", "/v1/jobs", answer(JOB, 201))
        client.jobs.create("ds_1", task="rotation")
        client.jobs.create("ds_1", task="rotation")
        first, second = script.sent("POST", "/v1/jobs")
        assert first.headers["idempotency-key"] != second.headers["idempotency-key"]

    def test_does_not_repeat_what_is_not_safe_to_repeat(self, script, client):
        script.on("POST", "/v1/jobs/job_1/cancel", hang_up)
        with pytest.raises(pretext_client.ConnectionFailed, match="broke off"):
            client.jobs.cancel("job_1")
        assert len(script.sent("POST", "/v1/jobs/job_1/cancel")) == 1

    def test_pauses_grow_within_bounds(self):
        retry = Retry(times=10, first_seconds=1, longest_seconds=5)
        pauses = [retry.pause(repetition) for repetition in range(11)]
        assert pauses[-1] is None
        assert all(2 / 3 * min(5, 2**n) <= pause <= min(5, 2**n) for n, pause in enumerate(pauses[:-1]))

    def test_bears_ten_seconds_by_default(self):
        for asked in (None, 0.0, 1.0):
            pauses = [Retry().pause(repetition, asked) for repetition in range(Retry().times)]
            assert 10 <= sum(pauses) <= 20
            assert max(pauses) <= 3

    def test_waits_for_a_server_that_it_has_met_longer_than_for_one_that_never_answered(self, script):
        waits: list[float] = []
        script.on(*GET, answer(JOB))
        with Pretext(script.url, "secret") as client, socket.socket() as unused:
            client._http.sleep = waits.append
            client.jobs.get("job_1")
            unused.bind(("127.0.0.1", 0))
            client._http._client.base_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(pretext_client.ConnectionFailed):
                client.jobs.get("job_1")
            assert (len(waits), sum(waits) >= 10) == (8, True)
            client._http._met = False
            with pytest.raises(pretext_client.ConnectionFailed):
                client.jobs.get("job_1")
            assert len(waits) == 11

    def test_reads_retry_after_as_a_date(self):
        assert 25 < retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=30))}) <= 30
        assert retry_after({"retry-after": "soon"}) is None
        assert retry_after({}) is None


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (401, pretext_client.Unauthorized),
            (403, pretext_client.Unauthorized),
            (404, pretext_client.NotFound),
            (409, pretext_client.Conflict),
            (413, pretext_client.TooLarge),
            (422, pretext_client.InvalidRequest),
            (507, pretext_client.TooLarge),
            (500, pretext_client.ApiError),
        ],
    )
    def test_has_a_class_for_each_status(self, script, client, status, kind):
        script.on(*GET, problem(status))
        with pytest.raises(kind) as caught:
            client.jobs.get("job_1")
        assert type(caught.value) is kind

    def test_tells_all_that_the_server_told(self, script, client):
        mistakes = [{"param": "task.flip", "message": "no"}, {"param": "steps", "message": "too many"}]
        script.on("POST", "/v1/jobs", problem(422, code="invalid_request", param="task.flip", request_id="req_1", errors=mistakes))
        with pytest.raises(pretext_client.InvalidRequest) as caught:
            client.jobs.create("ds_1", task="rotation", steps=-1)
        error = caught.value
        assert (error.status, error.code, error.param, error.request_id) == (422, "invalid_request", "task.flip", "req_1")
        assert [(one.param, one.message) for one in error.mistakes] == [("task.flip", "no"), ("steps", "too many")]

    def test_bears_an_answer_of_somebody_else(self, script, client):
        script.on(*GET, answer(b"<h1>Bad</h1>", 400, X_Request_Id="req_2"))
        with pytest.raises(pretext_client.InvalidRequest, match="400 Bad Request") as caught:
            client.jobs.get("job_1")
        assert caught.value.request_id == "req_2"

    def test_says_so_if_it_is_no_pretext_server(self, script, client):
        script.on(*GET, answer(b"<h1>Welcome</h1>"))
        with pytest.raises(pretext_client.PretextError, match="no Pretext Server"):
            client.jobs.get("job_1")

    def test_says_which_key_is_missing(self, script):
        script.on(*GET, problem(401, detail="a key is needed"))
        with Pretext(script.url) as client, pytest.raises(pretext_client.Unauthorized, match="PRETEXT_API_KEY"):
            client.jobs.get("job_1")

    def test_says_how_to_start_a_server(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            client = Pretext(url, "x", retry=Retry(times=1, first_seconds=0))
            with client, pytest.raises(pretext_client.ConnectionFailed, match="pretext-server up"):
                client.jobs.get("job_1")

    def test_says_that_the_server_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            client = Pretext(url, "x", timeout=0.1, retry=Retry(times=0))
            with client, pytest.raises(pretext_client.ConnectionFailed, match=r"silent for 0\.1 s"):
                client.jobs.get("job_1")


class TestRequests:
    def test_carry_the_key(self, script, client):
        script.on(*GET, answer(JOB))
        client.jobs.get("job_1")
        assert script.seen[0].headers["authorization"] == "Bearer secret"

    def test_reach_this_machine_past_a_proxy(self, script, monkeypatch):
        monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:9")
        script.on(*GET, answer(JOB))
        with Pretext(script.url, "x", retry=Retry(times=0)) as client:
            assert client.jobs.get("job_1").id == "job_1"

    def test_name_things_safely(self, script, client):
        with pytest.raises(pretext_client.NotFound):
            client.jobs.get("../datasets")
        assert script.seen[0].path == "/v1/jobs/..%2Fdatasets"

    def test_follow_a_redirect_nowhere(self, script, client):
        script.on(*GET, answer(b"", 302, Location="http://elsewhere.invalid/"))
        with pytest.raises(pretext_client.PretextError):
            client.jobs.get("job_1")
        assert len(script.seen) == 1


class TestLists:
    def test_follow_the_pages(self, script, client):
        second = {**DATASET, "id": "ds_0"}
        script.on("GET", "/v1/datasets", page(DATASET, more=True), page(second))
        assert [one.id for one in client.datasets.list()] == ["ds_1", "ds_0"]
        assert [one.query.get("after") for one in script.seen] == [None, "ds_1"]

    def test_fetch_no_page_that_nobody_reads(self, script, client):
        script.on("GET", "/v1/datasets", page(DATASET, more=True))
        next(client.datasets.list())
        assert len(script.seen) == 1

    def test_pass_filters_on(self, script, client):
        script.on("GET", "/v1/jobs", page())
        assert list(client.jobs.list(state="running", dataset_id="ds_1")) == []
        assert script.seen[0].query == {"limit": "100", "state": "running", "dataset_id": "ds_1"}

    def test_begin_where_they_are_told_to(self, script, client):
        def event(number):
            return {"seq": number, "type": "log", "data": {}}

        script.on("GET", "/v1/jobs/job_1/events", page(event(4), more=True), page(event(5)))
        assert [one.seq for one in client.jobs.events("job_1", after=3)] == [4, 5]
        assert [one.query["after"] for one in script.seen] == ["3", "4"]
