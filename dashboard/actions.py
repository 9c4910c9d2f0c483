"""What the audit log tells of, in words."""

from collections.abc import Mapping

from dashboard import words

WORDS: Mapping[str, str] = {
    "create_upload": "Announce an upload",
    "append": "Send a part of an upload",
    "delete_upload": "Throw an upload away",
    "create_dataset": "Upload a dataset",
    "update_dataset": "Change a dataset",
    "delete_dataset": "Delete a dataset",
    "put_labels": "Give a dataset labels",
    "delete_labels": "Take labels away",
    "create_job": "Start a job",
    "update_job": "Change a job",
    "cancel_job": "Cancel a job",
    "pause_job": "Pause a job",
    "resume_job": "Resume a job",
    "retry_job": "Retry a job",
    "estimate_job": "Estimate a job",
    "create_model": "Upload an encoder",
    "update_model": "Change a model",
    "delete_model": "Delete a model",
    "embed_images": "Embed images",
    "put_alias": "Make or move an alias",
    "delete_alias": "Delete an alias",
    "update_evaluation": "Change an evaluation",
    "delete_evaluation": "Delete an evaluation",
    "update_embedding": "Change embeddings",
    "delete_embedding": "Delete embeddings",
    "create_project": "Make a project",
    "update_project": "Change a project",
    "delete_project": "Delete a project",
    "create_member": "Add a member",
    "update_member": "Change a member",
    "delete_member": "Remove a member",
    "create_key": "Make a key",
    "update_key": "Change a key",
    "revoke_key": "Revoke a key",
    "create_webhook": "Make a webhook",
    "update_webhook": "Change a webhook",
    "delete_webhook": "Delete a webhook",
    "rotate_webhook_secret": "Give a webhook a new secret",
    "test_webhook": "Send a test event",
    "resend_delivery": "Send an event again",
    "disable_webhook": "Disable a failing webhook",
}
"""By the operation's name in the OpenAPI document; the last one the server does by itself."""

_PAGES = {"ds_": "/datasets/", "job_": "/jobs/", "model_": "/models/", "hook_": "/webhooks/"}


def in_words(action: str) -> str:
    """What was done, or tried; what only reads, and what is newer than this page, by its name."""
    return WORDS.get(action, words.named(action))


def page_of(subject: str) -> str | None:
    """Address of the page about something, by its id; None if there is none."""
    return next((f"{path}{subject}" for prefix, path in _PAGES.items() if subject.startswith(prefix)), None)
