"""What estimates look like from outside."""

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from api.jobs.schemas import JobKind
from api.pages import Resource
from ssl_core.spec import ResolvedPretrain
from ssl_core.spec.embed import ModelEmbedding
from ssl_core.spec.evaluate import ModelEvaluation
from ssl_core.spec.export import ModelExport

Known = Literal["measured", "computed"]
_EXAMPLE: JsonValue = {
    "object": "job.estimate",
    "kind": "pretrain",
    "memory": {
        "total_bytes": 1893203968,
        "parameters_bytes": 44714240,
        "gradients_bytes": 44714240,
        "optimizer_bytes": 44714240,
        "activations_bytes": 1213988864,
        "dataset_bytes": 6144000,
        "dataset_on_device": True,
        "process_bytes": 524288000,
        "known": "computed",
    },
    "time": {
        "seconds": 5120.0,
        "seconds_per_epoch": 51.2,
        "samples_per_second": 39.1,
        "known": "computed",
        "basis": "from 3 other trainings on this device",
    },
    "disk": {"cache_bytes": 6144000, "known": "computed"},
    "workers": [
        {
            "device": "cpu",
            "device_name": "Intel(R) Xeon(R) Processor, 2 threads",
            "count": 1,
            "memory_bytes": 8589934592,
            "needed_bytes": 1893203968,
            "fits": True,
            "seconds": 5120.0,
            "known": "computed",
        }
    ],
    "largest_batch_size": 844,
    "note": None,
}


class MemoryOut(Resource):
    """Memory of a training at its peak, in bytes: of the GPU, or, on a CPU, of its process."""

    total_bytes: int
    """All of it. Where `known` is `measured` it is what such trainings took, and the parts below are computed all the same."""
    parameters_bytes: int
    """The weights of the encoder and of what the task adds to it."""
    gradients_bytes: int
    """Their gradients."""
    optimizer_bytes: int
    """What the optimizer keeps of them: once their size for `sgd`, twice for `adamw`."""
    activations_bytes: int
    """What is kept of each layer until its gradient is known; grows with `batch_size`."""
    dataset_bytes: int
    """The decoded dataset as far as it is in this memory: on the GPU whole or not at all, on a CPU mapped."""
    dataset_on_device: bool
    """Whether the dataset lies on the device whole. Else it is read from the cache, batch by batch."""
    process_bytes: int
    """What PyTorch takes before there is anything to compute."""
    known: Known
    """`measured`: such trainings took that on this model of device; `computed`: from the encoder's layers and the batch."""


class TimeOut(Resource):
    """Time of a training, without decoding before it and exporting after it."""

    seconds: float
    """In all."""
    seconds_per_epoch: float
    """For one pass over the dataset."""
    samples_per_second: float
    """Images, or clips, of the dataset that go through the network in a second."""
    known: Known
    """`measured`: such trainings were that fast on this model of device; `computed`: from the arithmetic of the network."""
    basis: str = Field(examples=["from 3 other trainings on this device"])
    """By what it is known, for people."""


class DiskOut(Resource):
    """Room of a training on a worker's disk."""

    cache_bytes: int
    """Decoded images, or frames, in the worker's cache; other entries make room for them."""
    known: Literal["computed"] = "computed"
    """How it is known."""


class CapableWorkers(Resource):
    """Workers that are alive, alike, and can run the job as far as its device is concerned."""

    device: Literal["cpu", "cuda"]
    """What they train on."""
    device_name: str | None
    """Model of it."""
    count: int
    """How many there are."""
    memory_bytes: int | None
    """Memory that the jobs of each may take together; none if it does not say."""
    needed_bytes: int
    """Memory that the job takes there."""
    fits: bool | None
    """Whether it fits; none if nobody knows how much memory there is."""
    seconds: float | None
    """How long it takes there."""
    known: Known
    """How the time is known."""


class EstimateOut(Resource):
    """What a job would take."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    object: Literal["job.estimate"] = "job.estimate"
    """Always `job.estimate`."""
    kind: JobKind
    """What it would do."""
    spec: ResolvedPretrain | ModelEvaluation | ModelEmbedding | ModelExport
    """What it would do in full: every `auto` decided as it would be now."""
    memory: MemoryOut | None
    """On the worker that would be done first; none for what is no training."""
    time: TimeOut | None
    """On that worker; none for what is no training."""
    disk: DiskOut | None
    """None for what is no training."""
    workers: list[CapableWorkers]
    """Who can run it now, those first that would be done first; empty if no worker is alive."""
    largest_batch_size: int | None
    """The largest `batch_size` that fits into the memory of a worker that is alive; none if nobody knows, or if none fits."""
    note: str | None
    """What else there is to say, for people."""
