"""Checkpoints of running jobs, in the blob store, where the next attempt finds them on whichever host it runs.

Each is stored with its SHA-256, and one that has not got it any more is passed over: a training would go on from a flipped bit as
if nothing were wrong.
"""

from pathlib import Path
from typing import Any

from records.blobs import Blobs, file_sha256
from records.database import Database, after_commit, now
from records.queries import events, leases
from records.queries.leases import Lease

KEPT = 2
"""The one before the newest stays, in case the newest turns out to be damaged."""


def keep(database: Database, blobs: Blobs, lease: Lease, event: dict[str, Any]) -> None:
    """Store a checkpoint that the child has written, and let the job know of it. One with `keep` stays until the job ends.

    Raises:
        LeaseLostError: the job is no longer this attempt's.
        DBAPIError: the database is away.
        DiskFullError: there is no room.
    """
    step = int(event["step"])
    key = f"jobs/{lease.job_id}/checkpoints/{step:09}-{lease.attempt}"
    path = Path(event["path"])
    size, digest = path.stat().st_size, file_sha256(path)
    blobs.put(key, path)
    with database.write() as session:
        job = leases.hold(session, lease)
        if any(known["key"] == key for known in job.checkpoints):
            return  # it was committed before, and the answer was lost on its way
        about = {"bytes": size, "at": now(session).isoformat(), "sha256": digest}
        kept = {"keep": True} if event.get("keep") else {}
        checkpoints = [*job.checkpoints, {"key": key, "step": step, "attempt": lease.attempt, **about, **kept}]
        superseded = [one for one in checkpoints if not one.get("keep")][:-KEPT]
        job.checkpoints = [one for one in checkpoints if one not in superseded]
        job.failures = 0
        session.flush()
        events.add(session, job.id, job.attempt, [("checkpoint", {"step": step})])
        for old in superseded:
            after_commit(session, lambda gone=old["key"]: blobs.delete(gone))  # type: ignore[misc]
