"""The tables, one class a file."""

from records.models.base import Base
from records.models.dataset import Dataset
from records.models.embedding import Embedding
from records.models.evaluation import Evaluation
from records.models.event import JobEvent
from records.models.job import Job
from records.models.key import ApiKey
from records.models.metric import JobMetric
from records.models.model import Model, ModelFile
from records.models.picture import JobPicture
from records.models.worker import Worker

__all__ = [
    "ApiKey",
    "Base",
    "Dataset",
    "Embedding",
    "Evaluation",
    "Job",
    "JobEvent",
    "JobMetric",
    "JobPicture",
    "Model",
    "ModelFile",
    "Worker",
]
