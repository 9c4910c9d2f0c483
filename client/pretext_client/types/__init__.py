"""What the server answers with, as frozen values.

A value takes from an answer the fields that it knows and ignores the rest, so that an older client works with a newer server;
`raw` keeps the whole answer.
"""

from pretext_client.types.admin import AuditEntry, Key, Member, Project, Usage, Worker
from pretext_client.types.base import Json, Trouble, Value
from pretext_client.types.catalogue import Encoder, Task
from pretext_client.types.datasets import Dataset, LabelConflict, Labelled, Refused, Report, Sample, UnmatchedLine, Upload
from pretext_client.types.embeddings import Embedded, Embedding, EmbeddingMap, MapPoint, Neighbor, Neighbors, OneEmbedding
from pretext_client.types.estimates import CapableWorkers, Checkpoint, DiskEstimate, Estimate, MemoryEstimate, TimeEstimate
from pretext_client.types.evaluations import Evaluation, LabelsSaved, Reference
from pretext_client.types.jobs import Event, Job, Metric, Picture, Progress, Verdict
from pretext_client.types.models import Model, ModelFile

__all__ = [
    "AuditEntry",
    "CapableWorkers",
    "Checkpoint",
    "Dataset",
    "DiskEstimate",
    "Embedded",
    "Embedding",
    "EmbeddingMap",
    "Encoder",
    "Estimate",
    "Evaluation",
    "Event",
    "Job",
    "Json",
    "Key",
    "LabelConflict",
    "Labelled",
    "LabelsSaved",
    "MapPoint",
    "Member",
    "MemoryEstimate",
    "Metric",
    "Model",
    "ModelFile",
    "Neighbor",
    "Neighbors",
    "OneEmbedding",
    "Picture",
    "Progress",
    "Project",
    "Reference",
    "Refused",
    "Report",
    "Sample",
    "Task",
    "TimeEstimate",
    "Trouble",
    "UnmatchedLine",
    "Upload",
    "Usage",
    "Value",
    "Verdict",
    "Worker",
]
