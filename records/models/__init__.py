"""The tables, one class a file."""

from records.models.alias import ModelAlias
from records.models.audit import AuditEntry
from records.models.base import Base, Owned
from records.models.chore import Chore
from records.models.dataset import Dataset
from records.models.embedding import Embedding
from records.models.evaluation import Evaluation
from records.models.event import JobEvent
from records.models.job import Job
from records.models.key import ApiKey
from records.models.log import JobLog
from records.models.measurement import Measurement
from records.models.metric import JobMetric
from records.models.model import Model, ModelFile
from records.models.note import Note
from records.models.picture import JobPicture
from records.models.project import DEFAULT_PROJECT, Member, Project, Usage
from records.models.upload import Upload
from records.models.webhook import Webhook, WebhookAttempt, WebhookDelivery
from records.models.worker import Worker

__all__ = [
    "DEFAULT_PROJECT",
    "ApiKey",
    "AuditEntry",
    "Base",
    "Chore",
    "Dataset",
    "Embedding",
    "Evaluation",
    "Job",
    "JobEvent",
    "JobLog",
    "JobMetric",
    "JobPicture",
    "Measurement",
    "Member",
    "Model",
    "ModelAlias",
    "ModelFile",
    "Note",
    "Owned",
    "Project",
    "Upload",
    "Usage",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "Worker",
]
