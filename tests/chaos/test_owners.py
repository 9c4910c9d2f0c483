"""Owners who change their minds, share workers, and delete what is in use."""

import contextlib
import random
import threading
import time
from collections.abc import Callable

import pytest
from pretext_client.errors import Conflict
from sqlalchemy import select

from records.models import Job
from records.queries import projects
from tests.chaos.checks import all_trained, history, nothing_left_over
from tests.chaos.town import Town, until

pytestmark = pytest.mark.timeout(300)


class TestTwoOwnersAtOnce:
    @pytest.mark.usefixtures("at_length")
    def test_every_job_ends_as_it_may(self, make_town: Callable[..., Town]):
        """Pause, resume and cancel from two clients in every state, by two seeds."""
        town = make_town()
        town.start_worker()
        dataset_id = town.upload()
        jobs = [town.train(dataset_id).id for _ in range(6)]
        asked: list[str] = []

        def hammer(seed: int) -> None:
            draw = random.Random(seed)
            with town.new_client() as client:
                until_then = time.monotonic() + 40
                while time.monotonic() < until_then:
                    what = draw.choices(["pause", "resume", "cancel"], [10, 10, 0.05])[0]
                    with contextlib.suppress(Conflict):
                        getattr(client.jobs, what)(draw.choice(jobs))
                    asked.append(what)
                    time.sleep(draw.uniform(0, 0.1))

        threads = [threading.Thread(target=hammer, args=[seed]) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: all(town.state(job_id) not in {"pausing", "cancelling"} for job_id in jobs))
        for job_id in jobs:
            if town.state(job_id) == "paused":
                town.client.jobs.resume(job_id)
        town.wait(*jobs)
        for job_id in jobs:
            history(town, job_id)
        ended = [town.state(job_id) for job_id in jobs]
        assert {*ended} <= {"succeeded", "cancelled"}
        all_trained(town, [job_id for job_id, state in zip(jobs, ended, strict=True) if state == "succeeded"])
        nothing_left_over(town)
        print(f"\n{len(asked)} requests of two owners to {len(jobs)} jobs: {', '.join(ended)}")


class TestSharing:
    @pytest.mark.usefixtures("at_length")
    def test_priorities_first_then_the_project_that_has_the_fewest_running(self, make_town: Callable[..., Town]):
        town = make_town(PRETEXT_WORKERS="2", PRETEXT_CHECKPOINT_SECONDS="60")
        worker = town.start_worker()
        dataset_id = town.upload()
        worker.terminate()
        worker.wait(30)
        urgent = [town.train(dataset_id, steps=1, seed=number, priority=5 if number == 2 else 0).id for number in range(4)]
        first, second, urgent_id, of_other = urgent
        with town.database.write() as session:  # its owner would be another; for the workers it is the column
            other = projects.create(session, "another").id
            session.get_one(Job, of_other).project_id = other
        town.start_worker()
        town.wait(*urgent)
        with town.database.read() as session:
            pretrain = select(Job.id).where(Job.kind == "pretrain").order_by(Job.started_at)
            assert list(session.scalars(pretrain)) == [urgent_id, of_other, first, second]


class TestDeleting:
    @pytest.mark.usefixtures("at_length")
    def test_what_a_job_needs_cannot_be_deleted(self, make_town: Callable[..., Town]):
        town = make_town()
        town.start_worker()
        dataset_id = town.upload()
        job_id = town.train(dataset_id).id
        town.wait(job_id)
        model_id = town.client.jobs.get(job_id).model_id
        assert model_id is not None
        warm = town.client.jobs.create(dataset_id, task="rotation", init_from=model_id, steps=300, batch_size=16, formats=[]).id
        refused = 0
        while town.state(warm) not in {"succeeded", "failed"}:
            with contextlib.suppress(Conflict):
                town.client.datasets.delete(dataset_id)
                assert town.state(warm) == "succeeded"
            with contextlib.suppress(Conflict):
                town.client.models.delete(model_id)
                assert town.state(warm) == "succeeded"
            refused += 1
            time.sleep(0.1)
        assert refused > 5
        assert town.state(warm) == "succeeded"
        with contextlib.suppress(Exception):
            town.client.datasets.delete(dataset_id)
        nothing_left_over(town)
