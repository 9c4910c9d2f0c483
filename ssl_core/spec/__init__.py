"""What a job may ask for. Torch-free: the API, the forms and the command line are made from it."""

from ssl_core.spec.base import SpecError
from ssl_core.spec.encoders import ENCODERS, EncoderInfo, EncoderSpec, ResolvedEncoder
from ssl_core.spec.pretrain import (
    DatasetFacts,
    OptimizerSpec,
    PretrainSpec,
    ResolvedOptimizer,
    ResolvedPretrain,
    resolve,
)
from ssl_core.spec.tasks import TASKS, PretextTask, Task

__all__ = [
    "ENCODERS",
    "TASKS",
    "DatasetFacts",
    "EncoderInfo",
    "EncoderSpec",
    "OptimizerSpec",
    "PretextTask",
    "PretrainSpec",
    "ResolvedEncoder",
    "ResolvedOptimizer",
    "ResolvedPretrain",
    "SpecError",
    "Task",
    "resolve",
]
