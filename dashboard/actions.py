"""What the audit log tells of, in words."""

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "create_upload": "Announced an upload",
    "append": "Sent a part of an upload",
    "delete_upload": "Threw an upload away",
    "create_dataset": "Uploaded a dataset",
    "update_dataset": "Changed a dataset",
    "delete_dataset": "Deleted a dataset",
    "put_labels": "Gave a dataset labels",
    "delete_labels": "Took labels away",
    "create_job": "Started a job",
    "update_job": "Changed a job",
    "cancel_job": "Cancelled a job",
    "pause_job": "Paused a job",
    "resume_job": "Resumed a job",
    "retry_job": "Retried a job",
    "estimate_job": "Estimated a job",
    "create_model": "Uploaded an encoder",
    "update_model": "Changed a model",
    "delete_model": "Deleted a model",
    "embed_images": "Embedded images",
    "put_alias": "Made or moved an alias",
    "delete_alias": "Deleted an alias",
    "update_evaluation": "Changed an evaluation",
    "delete_evaluation": "Deleted an evaluation",
    "update_embedding": "Changed embeddings",
    "delete_embedding": "Deleted embeddings",
    "create_project": "Made a project",
    "update_project": "Changed a project",
    "delete_project": "Deleted a project",
    "create_member": "Added a member",
    "update_member": "Changed a member",
    "delete_member": "Removed a member",
    "create_key": "Made a key",
    "update_key": "Changed a key",
    "revoke_key": "Revoked a key",
    "create_webhook": "Made a webhook",
    "update_webhook": "Changed a webhook",
    "delete_webhook": "Deleted a webhook",
    "rotate_webhook_secret": "Gave a webhook a new secret",
    "test_webhook": "Sent a test event",
    "resend_delivery": "Sent an event again",
    "disable_webhook": "Disabled a failing webhook",
}
"""By the operation's name in the OpenAPI document; the last one the server does by itself."""

_PAGES = {"ds_": "/datasets/", "job_": "/jobs/", "model_": "/models/", "hook_": "/webhooks/"}


def in_words(action: str) -> str:
    """What was done; of a newer server's actions, their names."""
    return WORDS.get(action, action.replace("_", " "))


def page_of(subject: str) -> str | None:
    """Address of the page about something, by its id; None if there is none."""
    return next((f"{path}{subject}" for prefix, path in _PAGES.items() if subject.startswith(prefix)), None)
