"""Settings, read from `PRETEXT_…` variables. The README's table is made from the docstrings here."""

import os
import tempfile
from functools import cached_property
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LONGEST_SOCKET_PATH = 100
"""Linux takes 107 bytes in the path of a unix socket."""


def default_data_dir() -> Path:
    """Where a server keeps its things if nobody says otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "pretext-server"


class Settings(BaseSettings):
    """Everything that can be set. All of it has a default that works on one machine."""

    model_config = SettingsConfigDict(env_prefix="PRETEXT_", use_attribute_docstrings=True, extra="ignore")

    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder for everything that the embedded default keeps: database, queue, blobs, cache, key."""
    database_url: str = ""
    """SQLAlchemy URL, `postgresql+psycopg://…` or `sqlite:///…`. Default: SQLite in the data folder."""
    broker_url: str = ""
    """Redis or Valkey, `redis://…`. Default: the embedded Valkey on a unix socket in the data folder."""
    blobs_url: str = ""
    """Where uploads, datasets and models lie, `file:///…`. Default: `blobs` in the data folder."""
    cache_dir: Path | None = None
    """Folder of a worker for decoded images, best on a fast local disk. Default: `cache` in the data folder."""
    cache_bytes: int = Field(default=50 * 2**30, ge=2**20)
    """Bound of the cache folder, in bytes; the entries used longest ago make room."""
    scratch_dir: Path | None = None
    """Folder of a worker for running jobs. Default: `scratch` in the data folder."""

    api_key: SecretStr | None = None
    """A key that the API accepts from its first start on. `pretext-server up` makes its own instead."""
    host: str = "127.0.0.1"
    """Address that the API listens on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port that the API listens on."""
    api_processes: int = Field(default=1, ge=1, le=64)
    """Processes of `pretext-server api` that share its port: one CPU core each. `up`, which serves the page too, has one."""
    allowed_hosts: str = "localhost,127.0.0.1,[::1]"
    """Host names that requests may be addressed to, separated by commas; `*` for any, behind a proxy that checks them."""
    max_upload_bytes: int = Field(default=1 << 40, ge=1)
    """Largest upload, in bytes."""
    requests_per_minute: int = Field(default=6000, ge=0)
    """Requests that one key may make in a minute, a tenth of them at once; 0 for any number."""
    min_free_bytes: int = Field(default=256 << 20, ge=0)
    """Space that uploads leave free on the disk of the blobs, in bytes."""
    upload_hours: float = Field(default=72, gt=0)
    """Hours without a new byte after which a resumable upload that no dataset was made of is thrown away."""
    sweep_hours: float = Field(default=6, gt=0)
    """Hours between two looks of the workers for bytes that nobody needs any more; `pretext-server sweep` looks at once."""
    orphan_hours: float = Field(default=24, ge=1)
    """Hours that bytes have to have been unchanged before they are freed because no record refers to them."""
    max_unfinished_uploads: int = Field(default=1000, ge=1)
    """Most resumable uploads that no dataset was made of yet."""
    max_unfinished_bytes: int = Field(default=1 << 40, ge=1)
    """Most bytes of all those together, as they were announced."""
    body_seconds: float = Field(default=30, gt=0)
    """Seconds in which the body of a request has to bring at least 4 KiB; one that is slower is ended."""

    workers: int = Field(default=1, ge=1, le=64)
    """Trainings that one worker runs at a time. Ingests run beside them."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What a worker trains on. `auto`: the GPU if there is one."""
    worker_memory_bytes: int | None = Field(default=None, ge=1)
    """Memory that the jobs of one worker may take together, in bytes. Default: all of its GPU's, or of the machine's."""
    passed_over_seconds: float = Field(default=300, ge=0)
    """Seconds that smaller jobs may go before one that has no room in a worker's memory yet; then that one comes next."""
    warm: bool = True
    """Whether a worker keeps a process with PyTorch loaded, so that a training begins seconds earlier; it takes about 350 MB."""
    embed_at_once: bool = True
    """Whether a worker answers `POST /v1/models/{id}/embed` and draws previews of tasks; with the first request it starts a process
    for these, of about 500 MB."""
    embed_device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where images are embedded at once. `auto`: on the GPU if the worker has one, beside the trainings there."""
    embed_threads: int = Field(default=2, ge=1, le=256)
    """Processor threads that embedding at once takes at most; trainings have the others."""
    embed_model_bytes: int = Field(default=1 << 30, ge=0)
    """Bound of the models that are kept in memory for embedding at once, in bytes; those used longest ago make room."""
    embed_seconds: float = Field(default=30, gt=0, le=300)
    """Seconds that a request to embed at once, or for a preview, waits for a worker."""
    checkpoint_seconds: float = Field(default=30, gt=0)
    """Seconds of training between checkpoints."""
    lease_seconds: float = Field(default=15, gt=0)
    """Seconds without a heartbeat after which a job is taken from its worker."""
    heartbeat_seconds: float = Field(default=1, gt=0)
    """Seconds between heartbeats, and the longest that a running job does not notice a cancel."""
    reaper_seconds: float = Field(default=3, gt=0)
    """Seconds between two looks for waiting jobs and for expired leases."""
    grace_seconds: float = Field(default=10, gt=0)
    """Seconds that a job has to write its checkpoint after it is asked to stop."""
    max_failures: int = Field(default=4, ge=1)
    """Crashes and lost workers in a row, without a new checkpoint between them, after which a job fails."""
    webhook_key: SecretStr | None = Field(default=None, min_length=32)
    """Text of 32 characters or more that secrets of webhooks are made of, the same for the API and all workers. Default, with
    SQLite: a file in the data folder."""
    webhook_http: bool = False
    """Whether webhooks may have `http://` addresses, too."""
    webhook_private_networks: str = ""
    """Networks that webhooks may reach although they are not public, such as `10.1.0.0/16,fd12::/48`, separated by commas."""
    webhook_seconds: float = Field(default=15, gt=0, le=60)
    """Seconds in which the receiver of a webhook has to answer."""
    webhooks_at_once: int = Field(default=16, ge=0, le=256)
    """Requests to webhooks that one worker has under way at most, a quarter of them to the same one; 0: it sends none."""
    webhook_days: int = Field(default=30, ge=4)
    """Days after which deliveries of webhooks are forgotten."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the server's processes say."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """How they say it: a JSON object a line, or text for people. `auto`: text on a terminal, JSON elsewhere."""
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """Token for Prometheus, at least 16 characters: it reads `/metrics` and nothing else. An administrator's key does, too."""
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port that a worker serves its own `/metrics` on; 0: none."""
    worker_metrics_host: str = "127.0.0.1"
    """Address for that port. One that other machines reach needs `PRETEXT_METRICS_TOKEN`."""

    @field_validator("webhook_key", mode="before")
    @classmethod
    def _unset_if_empty(cls, key: object) -> object:
        return None if key == "" else key

    @field_validator("webhook_private_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in _listed(text):
            ip_network(part)
        return text

    @cached_property
    def private_networks(self) -> list[IPv4Network | IPv6Network]:
        """The networks that webhooks may reach although they are not public."""
        return [ip_network(part) for part in _listed(self.webhook_private_networks)]

    @cached_property
    def database(self) -> str:
        """URL of the database, decided."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'pretext.db'}"

    @cached_property
    def valkey_socket(self) -> Path:
        """Unix socket of the embedded Valkey; outside the data folder if that lies too deep for a socket's path."""
        path = self.data_dir.resolve() / "valkey.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        name = sha256(os.fsencode(path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"pretext-{os.getuid()}-{name}" / "valkey.sock"

    @cached_property
    def broker(self) -> str:
        """URL of the broker, decided."""
        return self.broker_url or f"redis+socket://{self.valkey_socket}"

    @cached_property
    def blobs(self) -> str:
        """URL of the blob store, decided."""
        return self.blobs_url or f"file://{self.data_dir.resolve() / 'blobs'}"

    @cached_property
    def cache(self) -> Path:
        """Folder for decoded images, decided."""
        return self.cache_dir or self.data_dir.resolve() / "cache"

    @cached_property
    def scratch(self) -> Path:
        """Folder for running jobs, decided."""
        return self.scratch_dir or self.data_dir.resolve() / "scratch"

    @property
    def hosts(self) -> list[str]:
        """The allowed host names."""
        return _listed(self.allowed_hosts)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
