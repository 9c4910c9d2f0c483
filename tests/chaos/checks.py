"""What has to be true of a town when its jobs have ended, whatever was done to it meanwhile."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select

from records.models import Dataset, Job, JobEvent, JobMetric, JobPicture, Model
from records.orphans import in_store
from records.queries import models
from records.states import ENDED, FOLLOWS, JobState
from ssl_core.trainer import _LONGEST_BETWEEN_REPORTS, _MOST_REPORTS
from tests.chaos.town import HOUSE, Town


def reference(town: Town, job_id: str) -> str:
    """SHA-256 of the weights that the job's spec leads to where nothing happens: trained alone, with a cache of its own.

    Once for all towns of a run of the tests.
    """
    with town.database.read() as session:
        job = session.get_one(Job, job_id)
        shards = [town.blobs.path(shard["key"]) for shard in session.get_one(Dataset, job.dataset_id).shards or []]
        spec = json.dumps({**job.spec, "device": "cpu", "precision": "fp32"})
    asked = sha256("\n".join([spec, *(sha256(shard.read_bytes()).hexdigest() for shard in shards)]).encode()).hexdigest()
    known = next(folder for folder in town.folder.parents if re.fullmatch(r"pytest-\d+", folder.name)) / f"reference-{asked}"
    if not known.exists():
        known.with_suffix(f".{os.getpid()}").write_text(_trained_alone(town, spec, shards))
        known.with_suffix(f".{os.getpid()}").replace(known)
    return known.read_text()


def _trained_alone(town: Town, spec: str, shards: list[Path]) -> str:
    folder = town.folder / f"alone-{sha256(spec.encode()).hexdigest()[:8]}"
    (folder / "data").mkdir(parents=True)
    for number, shard in enumerate(shards):
        (folder / "data" / f"shard-{number:05}.parquet").symlink_to(shard)
    (folder / "spec.json").write_text(spec)
    command = [sys.executable, "-m", "ssl_core", "pretrain", str(folder / "spec.json"), "--data", str(folder / "data")]
    command += ["--out", str(folder / "out")]
    ended = subprocess.run(command, env=town.environment, cwd=HOUSE, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return sha256((folder / "out" / "bundle" / "encoder.safetensors").read_bytes()).hexdigest()


def weights(town: Town, job_id: str) -> str:
    """SHA-256 of the weights that a job has made, which is also what the model's record says of them."""
    with town.database.read() as session:
        model_id = session.get_one(Job, job_id).model_id
        assert model_id is not None
        file = models.file(session, model_id, "encoder.safetensors")
    digest = sha256(town.blobs.path(file.key).read_bytes()).hexdigest()
    assert digest == file.sha256
    return digest


def history(town: Town, job_id: str) -> list[JobEvent]:
    """The events of a job, after a look at their numbers and at the path of its states."""
    with town.database.read() as session:
        job = session.get_one(Job, job_id)
        found = list(session.scalars(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)))
    assert [event.seq for event in found] == list(range(1, job.last_event + 1))
    assert [event.attempt for event in found] == sorted(event.attempt for event in found)
    path = [JobState(event.data["state"]) for event in found if event.type == "state"]
    assert path[0] == JobState.QUEUED
    for before, after in pairwise(path):
        assert after in FOLLOWS[before], f"{job_id} went from {before} to {after}: {path}"
    assert path[-1] == job.state
    assert sum(state in ENDED for state in path) == (job.state in ENDED)
    return found


def told(town: Town, job_id: str) -> str:
    """All that a job's events say, as one text."""
    return "\n".join(json.dumps(event.data) for event in history(town, job_id))


def all_trained(town: Town, job_ids: Iterable[str]) -> None:
    """Every job has succeeded once, with one model of the right weights, and with each figure once."""
    for job_id in job_ids:
        with town.database.read() as session:
            job = session.get_one(Job, job_id)
            assert job.state == JobState.SUCCEEDED, (job_id, job.state, job.error)
            made = list(session.scalars(select(Model.id).where(Model.job_id == job_id)))
            steps = list(session.scalars(select(JobMetric.step).where(JobMetric.job_id == job_id).order_by(JobMetric.step)))
            total = int(job.spec["steps"])
        every = min(_LONGEST_BETWEEN_REPORTS, max(1, total // _MOST_REPORTS))
        assert made == [job.model_id]
        assert len({*steps}) == len(steps)
        assert {*range(every, total + 1, every), total} <= {*steps}
        history(town, job_id)
        assert weights(town, job_id) == reference(town, job_id), f"{job_id} has other weights than without disturbance"


def nothing_left_over(town: Town) -> int:
    """No blob that no record names, none gone that one names. Gives how many the sweep found, which waits for a day elsewhere."""
    swept = 0
    for orphan in list(in_store(town.database, town.blobs, hours=0)):
        orphan.free()
        swept += 1
    named: set[str] = set()
    with town.database.read() as session:
        for model in session.scalars(select(Model)):
            named |= {file.key for file in model.files}
        named |= set(session.scalars(select(JobPicture.key)))
        for dataset in session.scalars(select(Dataset)):
            named |= {shard["key"] for shard in dataset.shards or []}
            named |= {key for key in (dataset.refused_key, dataset.upload_key) if key is not None}
        for job in session.scalars(select(Job)):
            named |= {checkpoint["key"] for checkpoint in job.checkpoints}
            assert job.checkpoints == [] or job.state not in {JobState.SUCCEEDED, JobState.CANCELLED}
    assert stored(town.blobs._root) == named
    return swept


def stored(root: Path) -> set[str]:
    """Every file of a store, half-written ones too."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
